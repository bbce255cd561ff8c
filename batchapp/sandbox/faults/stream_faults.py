"""Faults that slow down or cut off the body of a response."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Send

from batchapp.sandbox.faults.switches import Rule

CHUNKS = 10
REPEATED_BYTES = 64 * 1024  # at least so much of the body is repeated, if there is so much


class Trickle:
    """An ASGI ``send`` that splits every body into chunks, which together take ``seconds``."""

    def __init__(self, seconds: float, send: Send) -> None:
        self._pause = seconds / CHUNKS
        self._send = send

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        size = max(-(-len(body) // CHUNKS), 1)
        while len(body) > size:
            await self._send({"type": message["type"], "body": body[:size], "more_body": True})
            await asyncio.sleep(self._pause)
            body = body[size:]
        if "body" in message:
            message = {**message, "body": body}
            await asyncio.sleep(self._pause)
        await self._send(message)


class Drip:
    """An ASGI ``send`` that sends one byte of a body every ``seconds``, until the client goes."""

    def __init__(self, seconds: float, receive: Receive, send: Send) -> None:
        self._pause = seconds
        self._receive = receive
        self._send = send
        self._has_client = True

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        for position in range(len(body)):
            if not self._has_client:
                return
            byte = body[position : position + 1]
            await self._send({"type": message["type"], "body": byte, "more_body": True})
            await self._wait()
        await self._send({**message, "body": b""} if body else message)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await wait_for_disconnect(self._receive)
            self._has_client = False
        except TimeoutError:
            pass


class Endless:
    """An ASGI ``send`` that repeats the beginning of a successful body until the client goes.

    An empty body stays empty.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_error = False
        self._beginning = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_error = not 200 <= message["status"] < 300
            if not self._is_error:
                del MutableHeaders(scope=message)["Content-Length"]
        elif not self._is_error:
            if len(self._beginning) < REPEATED_BYTES:
                self._beginning += message.get("body", b"")
            if self._beginning and not message.get("more_body", False):
                await self._send({**message, "more_body": True})
                await self._repeat()
                return
        await self._send(message)

    async def _repeat(self) -> None:
        watcher = asyncio.create_task(wait_for_disconnect(self._receive))
        try:
            while not watcher.done():
                body = {"type": "http.response.body", "body": self._beginning, "more_body": True}
                await self._send(body)
                await asyncio.sleep(0)
        finally:
            watcher.cancel()


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Cut:
    """An ASGI ``send`` that ends the body of a successful response after some bytes.

    ``cut`` and ``cut-announced`` close the connection there, and ``cut-announced`` sends a greater
    Content-Length. ``cut-clean`` ends the body like a complete response.
    """

    def __init__(
        self, rule: Rule, send: Send, close_connection: Callable[[], Awaitable[None]]
    ) -> None:
        self._fault = rule.fault
        self._remaining_bytes = int(rule.amount)
        self._send = send
        self._close_connection = close_connection
        self._is_error = False
        self._is_finished = False

    async def __call__(self, message: Message) -> None:
        if self._is_finished:
            return
        if message["type"] == "http.response.start":
            self._is_error = not 200 <= message["status"] < 300
            if not self._is_error:
                headers = MutableHeaders(scope=message)
                if "Content-Length" in headers and self._fault != "cut":
                    del headers["Content-Length"]
                if self._fault == "cut-announced":
                    headers["Content-Length"] = str(self._remaining_bytes + 1000)
            await self._send(message)
            return
        if self._is_error:
            await self._send(message)
            return
        body = message.get("body", b"")[: self._remaining_bytes]
        self._remaining_bytes -= len(body)
        is_last = not message.get("more_body", False)
        self._is_finished = self._remaining_bytes <= 0 or is_last
        is_whole = self._fault == "cut" and self._remaining_bytes > 0
        has_end = self._is_finished and (is_whole or self._fault == "cut-clean")
        await self._send({**message, "body": body, "more_body": not has_end})
        if self._is_finished and not has_end:
            await self._close_connection()
