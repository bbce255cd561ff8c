"""Calling webhooks: signed, again until it works, and with the faults that are asked for."""

import asyncio
import base64
import hashlib
import hmac
from itertools import groupby
from operator import attrgetter

import httpx
from starlette.concurrency import run_in_threadpool

from batchapp.sandbox.state import Sandbox, now
from batchapp.sandbox.webhooks.events import Event, due, find_new, hold, postpone, record

TIMEOUT_SECONDS = 30.0
SHORTEST_REST, LONGEST_REST = 0.02, 1.0


class Deliveries:
    """The only thing the sandbox does unasked. All it knows lies in the database."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._settings = sandbox.settings
        self._wanted = asyncio.Event()
        with sandbox.store.reading() as connection:
            if connection.execute("SELECT 1 FROM webhooks LIMIT 1").fetchone():
                self.begin()

    def begin(self) -> None:
        """There is a webhook. Before the first one nothing is looked for."""
        self._wanted.set()

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        await self._wanted.wait()
        rest = self._settings.lasting(self._settings.webhook_seconds) / 4
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            while True:
                await asyncio.sleep(min(max(rest, SHORTEST_REST), LONGEST_REST))
                events = await run_in_threadpool(self._due)
                hooks = groupby(sorted(events, key=attrgetter("webhook")), attrgetter("webhook"))
                await asyncio.gather(*(self._deliver(http, list(each)) for _hook, each in hooks))

    def _due(self) -> list[Event]:
        moment = now()
        with self._sandbox.store.writing() as connection:
            find_new(connection, moment, self._settings)
            return due(connection, moment)

    async def _deliver(self, http: httpx.AsyncClient, events: list[Event]) -> None:
        """One webhook's deliveries, one after another."""
        for event in events:
            times = await run_in_threadpool(self._times_to_send, event)
            if times is None:
                continue
            is_delivered = False
            for _time in range(times):
                is_delivered = await send(http, event, int(now()))
            await run_in_threadpool(self._record, event, is_delivered)

    def _times_to_send(self, event: Event) -> int | None:
        """How often it is sent now; None if its time has not come after all."""
        book = self._sandbox.book
        rules = [
            rule
            for rule in (*book.rules, *event.rules)
            if rule.matches("HOOK", "/webhook", event.owner)
        ]
        struck = {rule.fault: rule for rule in (book.meet(rules, now()) if rules else [])}
        late, disorder = struck.get("webhook-late"), struck.get("webhook-disorder")
        if late is not None and book.mark(late, event.id):
            with self._sandbox.store.writing() as connection:
                postpone(connection, event, now() + late.amount)
            return None
        if disorder is not None and book.mark(disorder, event.id):
            with self._sandbox.store.writing() as connection:
                if hold(connection, event):
                    return None
        if "webhook-lost" in struck:
            return 0
        return 2 if "webhook-duplicate" in struck else 1

    def _record(self, event: Event, is_delivered: bool) -> None:  # noqa: FBT001
        with self._sandbox.store.writing() as connection:
            record(connection, event, now(), self._settings, is_delivered=is_delivered)


async def send(http: httpx.AsyncClient, event: Event, timestamp: int) -> bool:
    """Make one attempt; whether it was answered with success."""
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(event, timestamp),
        "webhook-version": "1",
    }
    try:
        answer = await http.post(event.url, content=event.body.encode(), headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.is_success


def signature(event: Event, timestamp: int) -> str:
    """The signature of the Standard Webhooks: HMAC-SHA256 over id, time and body."""
    secret = base64.b64decode(event.secret.removeprefix("whsec_"))
    signed = f"{event.id}.{timestamp}.{event.body}".encode()
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
