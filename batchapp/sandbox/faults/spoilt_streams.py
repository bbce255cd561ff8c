"""Bodies that come slowly, or not to their end."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from batchapp.sandbox.faults.switches import Rule

PIECES = 10


class Trickle:
    """Sends every body in ten pieces, which together take ``seconds``."""

    def __init__(self, seconds: float, send: Send) -> None:
        self._pause = seconds / PIECES
        self._send = send

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        size = max(-(-len(body) // PIECES), 1)
        while len(body) > size:
            await self._send({"type": message["type"], "body": body[:size], "more_body": True})
            await asyncio.sleep(self._pause)
            body = body[size:]
        if "body" in message:
            message = {**message, "body": body}
            await asyncio.sleep(self._pause)
        await self._send(message)


class Cut:
    """Ends a successful body after some bytes.

    ``cut`` and ``cut-announced`` break the connection there, and the latter announces more;
    ``cut-clean`` ends the body as if nothing were missing.
    """

    def __init__(self, rule: Rule, send: Send, break_off: Callable[[], Awaitable[None]]) -> None:
        self._fault = rule.fault
        self._left = int(rule.amount)
        self._send = send
        self._break_off = break_off
        self._is_passed = False
        self._is_over = False

    async def __call__(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == "http.response.start":
            self._is_passed = not 200 <= message["status"] < 300
            if not self._is_passed:
                headers = MutableHeaders(scope=message)
                if "Content-Length" in headers and self._fault != "cut":
                    del headers["Content-Length"]
                if self._fault == "cut-announced":
                    headers["Content-Length"] = str(self._left + 1000)
            await self._send(message)
            return
        if self._is_passed:
            await self._send(message)
            return
        body = message.get("body", b"")[: self._left]
        self._left -= len(body)
        is_last = not message.get("more_body", False)
        self._is_over = self._left <= 0 or is_last
        is_clean = self._fault == "cut-clean" or (self._fault == "cut" and self._left > 0)
        await self._send({**message, "body": body, "more_body": not (self._is_over and is_clean)})
        if self._is_over and not is_clean:
            await self._break_off()
