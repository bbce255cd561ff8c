"""Delivery of webhook events, with signatures, retries and faults."""

import asyncio
import base64
import hashlib
import hmac
from itertools import groupby
from operator import attrgetter

import httpx
from starlette.concurrency import run_in_threadpool

from batchapp.sandbox.context import Sandbox
from batchapp.sandbox.webhooks.events import (
    Event,
    due_events,
    hold_event,
    postpone_event,
    record_attempt,
    record_new_events,
)

TIMEOUT_SECONDS = 30.0
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 1.0


class Deliveries:
    """The background job of the sandbox. Its state is in the database."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._settings = sandbox.settings
        self._has_webhooks = asyncio.Event()
        with sandbox.store.read_transaction() as connection:
            if connection.execute("SELECT 1 FROM webhooks LIMIT 1").fetchone():
                self.start()

    def start(self) -> None:
        """Start the search for events, which waits until the first webhook is registered."""
        self._has_webhooks.set()

    async def run(self) -> None:
        """Deliver due events until the task is cancelled."""
        await self._has_webhooks.wait()
        pause = self._settings.scaled_seconds(self._settings.webhook_seconds) / 4
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            while True:
                await asyncio.sleep(min(max(pause, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS))
                events = await run_in_threadpool(self._due_events)
                events.sort(key=attrgetter("webhook"))
                await asyncio.gather(
                    *(
                        self._deliver(http, list(webhook_events))
                        for _webhook, webhook_events in groupby(events, attrgetter("webhook"))
                    )
                )

    def _due_events(self) -> list[Event]:
        moment = self._sandbox.now()
        with self._sandbox.store.write_transaction() as connection:
            record_new_events(connection, moment, self._settings)
            return due_events(connection, moment)

    async def _deliver(self, http: httpx.AsyncClient, events: list[Event]) -> None:
        """Deliver the events of one webhook, one after another."""
        for event in events:
            copies = await run_in_threadpool(self._copies_to_send, event)
            if copies is None:
                continue
            is_delivered = False
            for _copy in range(copies):
                is_delivered = await send(http, event, int(self._sandbox.now()))
            await run_in_threadpool(self._record_attempt, event, is_delivered)

    def _copies_to_send(self, event: Event) -> int | None:
        """Return how often to send the event now; None if a fault postpones the delivery."""
        faults = self._sandbox.faults
        rules = [
            rule
            for rule in (*faults.rules, *event.rules)
            if rule.matches("HOOK", "/webhook", event.owner)
        ]
        struck = faults.count_call(rules, self._sandbox.now()) if rules else []
        applied = {rule.fault: rule for rule in struck}
        late, disorder = applied.get("webhook-late"), applied.get("webhook-disorder")
        if late is not None and faults.mark_once(late, event.id):
            with self._sandbox.store.write_transaction() as connection:
                postpone_event(connection, event, self._sandbox.now() + late.amount)
            return None
        if disorder is not None and faults.mark_once(disorder, event.id):
            with self._sandbox.store.write_transaction() as connection:
                if hold_event(connection, event):
                    return None
        if "webhook-lost" in applied:
            return 0
        return 2 if "webhook-duplicate" in applied else 1

    def _record_attempt(self, event: Event, is_delivered: bool) -> None:  # noqa: FBT001
        with self._sandbox.store.write_transaction() as connection:
            record_attempt(
                connection, event, self._sandbox.now(), self._settings, is_delivered=is_delivered
            )


async def send(http: httpx.AsyncClient, event: Event, timestamp: int) -> bool:
    """Send the event once; return whether the response has a success status."""
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(event, timestamp),
        "webhook-version": "1",
    }
    try:
        response = await http.post(event.url, content=event.body.encode(), headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return response.is_success


def signature(event: Event, timestamp: int) -> str:
    """Return the HMAC-SHA256 of id, time and body.

    Source: https://www.standardwebhooks.com.
    """
    secret = base64.b64decode(event.secret.removeprefix("whsec_"))
    signed = f"{event.id}.{timestamp}.{event.body}".encode()
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
