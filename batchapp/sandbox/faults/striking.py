"""Faults on purpose: every call passes here, before the sandbox's work and after it.

Without rules and without switches in the key a call costs one look at its key, no more.
"""

import asyncio
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchapp.sandbox.accounts import account_id, bearer
from batchapp.sandbox.api.errors import busy, unavailable
from batchapp.sandbox.batches.afterlife import change_state
from batchapp.sandbox.faults.kinds import ANSWER_FAULTS, LINE_FAULTS, REFUSALS
from batchapp.sandbox.faults.spoilt_answers import SpoiltAnswer
from batchapp.sandbox.faults.spoilt_lines import SpoiltLines
from batchapp.sandbox.faults.spoilt_streams import Cut, Trickle
from batchapp.sandbox.faults.switches import Rule, SwitchError, rules_of_key
from batchapp.sandbox.network import Network, break_off
from batchapp.sandbox.state import Sandbox, now

PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
HOLDING = ANSWER_FAULTS | {
    "lost-reply",
    "restart-after",
    "error-after",
    "unavailable-after",
    "html-after",
    "empty",
    "slow",
}
"""Faults that look at a whole answer before any of it is sent."""

Struck = Mapping[str, Rule]


class Faulty:
    """An application in front of the sandbox's own."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, network: Network) -> None:
        self._app = app
        self._sandbox = sandbox
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        book, path = self._sandbox.book, scope["path"]
        key = bearer(Request(scope))
        is_calm = not book.rules and "~" not in key
        if is_calm or path.startswith("/_sandbox/") or path == "/healthz":
            await self._app(scope, receive, send)
            return
        try:
            rules = book.rules + (rules_of_key(key) if "~" in key else ())
        except SwitchError as exc:
            await PlainTextResponse(f"sandbox: {exc}", 400)(scope, receive, send)
            return
        account = account_id(key)
        met = [rule for rule in rules if rule.matches(scope["method"], path, account)]
        struck = await run_in_threadpool(book.meet, met, now()) if met else []
        by_fault = {rule.fault: rule for rule in struck}
        if not await self._is_ended_before(by_fault, scope, receive, send):
            await self._serve(by_fault, scope, receive, send)

    async def _is_ended_before(
        self, struck: Struck, scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Whether the call is over without any work done."""
        ends = {"refuse", "restart", "lost-request"} & struck.keys()
        refusal = _refusal(struck)
        if not ends and refusal is None:
            return False
        await _drain(receive)
        if refusal is not None and not ends:
            await refusal(scope, receive, send)
            return True
        if "refuse" in struck:
            await self._network.refuse(struck["refuse"].amount)
        if "restart" in struck:
            self._network.restart()
        await break_off(scope, receive)
        return True

    async def _serve(self, struck: Struck, scope: Scope, receive: Receive, send: Send) -> None:
        scope[REFUSALS] = {"capacity", "unverified"} & struck.keys()
        answer = _Answer(struck, self._sandbox.book.seed, scope, receive, send)
        work_receive = receive
        if "late-request" in struck:
            work_receive = await _buffered(receive)
            await asyncio.sleep(struck["late-request"].amount)
        await self._app(scope, work_receive, answer.send)
        await run_in_threadpool(change_state, self._sandbox, struck, scope["path"])
        if "restart-after" in struck:
            self._network.restart()
        if {"restart-after", "lost-reply"} & struck.keys():
            await break_off(scope, receive)
            return
        await answer.finish()


class _Answer:
    """What the application sends, on its way through the faults that spoil answers."""

    def __init__(
        self, struck: Struck, seed: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._struck = struck
        self._scope, self._receive, self._send = scope, receive, send
        self._held: list[Message] = []
        self._is_held = not HOLDING.isdisjoint(struck)
        self._answers = SpoiltAnswer(struck, seed, scope["path"])
        for fault in ("cut", "cut-announced", "cut-clean"):
            if fault in struck:
                self._send = Cut(struck[fault], self._send, lambda: break_off(scope, receive))
        if "trickle" in struck:
            self._send = Trickle(struck["trickle"].amount, self._send)
        lines = [rule for fault, rule in struck.items() if fault in LINE_FAULTS]
        if lines:
            self._send = SpoiltLines(lines, seed, scope, self._send)

    async def send(self, message: Message) -> None:
        if not self._is_held:
            await self._send(message)
            return
        self._held.append(message)

    async def finish(self) -> None:
        """Send what was held back, or what stands in its place."""
        if not self._is_held:
            return
        if "slow" in self._struck:
            await asyncio.sleep(self._struck["slow"].amount)
        instead = self._replacement()
        if instead is not None:
            await instead(self._scope, self._receive, self._send)
            return
        for message in self._held:
            await self._send(message)

    def _replacement(self) -> Response | None:
        if "error-after" in self._struck:
            return PlainTextResponse("Internal server error", 500)
        if "unavailable-after" in self._struck:
            return unavailable().response
        if "html-after" in self._struck:
            return _web_page(self._struck["html-after"])
        if "empty" in self._struck:
            return Response(None, 200)
        status = self._held[0]["status"] if self._held else 0
        body = b"".join(message.get("body", b"") for message in self._held)
        return self._answers.instead_of(status, body)


def _refusal(struck: Struck) -> Response | None:
    if "busy" in struck:
        return busy("Too many file uploads in progress. Please retry later.").response
    if "unavailable" in struck:
        return unavailable().response
    if "error" in struck:
        return PlainTextResponse("Internal server error", 500)
    if "gone" in struck:
        return PlainTextResponse("The content has been purged and is no longer available", 410)
    return _web_page(struck["html"]) if "html" in struck else None


def _web_page(rule: Rule) -> Response:
    status = int(rule.amount)
    return HTMLResponse(
        PAGE.format(f"{status} Bad Gateway" if status > 299 else "Welcome"), status
    )


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _buffered(receive: Receive) -> Receive:
    """The whole body, for work that begins when the client may be gone."""
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(parts, None) or await receive()

    return again
