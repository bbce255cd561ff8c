"""Run a WSGI application below an ASGI server, so that slow clients hold none of its threads.

The event loop waits for the clients. A thread of the application gets a request once its body is
there, and gives a short response back whole, however slowly the client reads. Other responses are
sent in parts: a thread makes one part, and is free again until the client has taken it. Large
bodies have threads of their own, since each of them takes one for as long as it lasts.

The application must call ``start_response`` before it returns, and gets no ``write``: WSGI allows
both, and Django uses neither. The parts of a response are made by several threads in turn, one at
a time, so its iterator must hold nothing that belongs to a thread, such as an open query.
"""

import asyncio
import io
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, MutableMapping
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Semaphore
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from config.discreet_logs import without_secrets

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Result = TypeVar("Result")
WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PAGE_THREADS = 8
UPLOAD_THREADS = 64  # most of them wait for their sender, and hold nothing but memory
STREAM_THREADS = 8  # that make parts of responses; those of an object storage take their time
BUSY_UPLOADS = 2  # that work at the same moment, rather than wait for their client
SMALL_BYTES = 1024 * 1024  # of a body that is read before a thread takes the request
SHORT_BYTES = 256 * 1024  # of a response that is in memory until the client has taken it
PART_BYTES = 64 * 1024  # of a longer response that one thread makes at once
PART_SECONDS = 1.0  # after which a part is sent though it is smaller
SILENCE_SECONDS = 60.0  # longest wait for the next bytes of a body
QUEUE_SECONDS = 20.0  # longest wait of a large body for one of the threads for uploads
# Longest wait until a client has taken a part. Systems keep megabytes on the way, and tell of room
# for more in large steps: a reader of 4 KiB a second seems to rest for minutes.
READER_SECONDS = 600.0

logger = logging.getLogger(__name__)


class ClientGone(OSError):
    """The client closed the connection, or neither sent nor read anything for too long."""


# HTTP status of a refusal that the bridge gives itself -> code and words for the client.
REFUSALS = {
    408: ("timeout", "The body did not come in time."),
    503: ("too_many_uploads", "Too many files are being sent just now. Try again in a minute."),
}
# Makes the type and the text of such a response of its address, its code and its words.
Explain = Callable[[str, str, str], tuple[str, bytes]]


def in_plain_text(_path: str, _code: str, words: str) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", words.encode()


class WsgiBridge:
    """The ASGI application around ``application``.

    ``let_go`` is called in the thread of an upload before it waits for more of the body or for the
    reader of a short response, and once it is over, and in that of a response after each part,
    since the thread may then idle for long. It gives back what others can use meanwhile.
    ``explain`` makes the responses to clients for which the application is not asked.
    """

    def __init__(
        self,
        application: WsgiApplication,
        let_go: Callable[[], object] = lambda: None,
        explain: Explain = in_plain_text,
    ) -> None:
        self._application = application
        self._let_go = let_go
        self._explain = explain
        self._pages = ThreadPoolExecutor(PAGE_THREADS, "page")
        self._uploads = ThreadPoolExecutor(UPLOAD_THREADS, "upload")
        self._streams = ThreadPoolExecutor(STREAM_THREADS, "stream")
        self._turns = Semaphore(BUSY_UPLOADS)
        self._free_uploads = asyncio.Semaphore(UPLOAD_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        client = _Client(loop, receive, send)
        length = _announced_bytes(scope)
        body = b""
        try:
            if length is None or length <= SMALL_BYTES:
                body = await client.read_ahead()
        except ClientGone:
            response = self._refusal(scope, 408, (b"connection", b"close"))
        else:
            if client.is_read:
                response = await loop.run_in_executor(self._pages, self._respond, scope, body)
            elif await self._gets_upload_thread():
                try:
                    await loop.run_in_executor(self._uploads, self._upload, scope, body, client)
                finally:
                    self._free_uploads.release()
                return
            else:
                response = self._refusal(scope, 503, (b"retry-after", b"60"))
        if response.body is None:
            await self._send_parts(scope, response, client)
            return
        await client.send_head(response)
        await client.send_body(response.body, is_last=True)

    async def _gets_upload_thread(self) -> bool:
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                return await self._free_uploads.acquire()
        except TimeoutError:
            return False

    def _refusal(self, scope: Scope, status: int, header: tuple[bytes, bytes]) -> "_Response":
        kind, text = self._explain(_raw_path(scope).decode("latin-1"), *REFUSALS[status])
        length = str(len(text)).encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", length), header]
        return _Response(scope["method"], status, headers, body=text)

    def _respond(self, scope: Scope, body: bytes) -> "_Response":
        """Return the response, with its body unless that is streamed."""
        response = self._start(
            _environ(scope, io.BytesIO(body), length=len(body)), scope["method"]
        )
        if response.is_short:
            response.read()
            response.close()
        return response

    def _upload(self, scope: Scope, beginning: bytes, client: "_Client") -> None:
        """Let the application read the body as it comes; it may read on after its response."""
        try:
            with client.turn(self._turns):
                body = io.BufferedReader(_Body(beginning, client, self._let_go), 64 * 1024)
                environ = _environ(scope, body, length=_announced_bytes(scope))
                response = self._start(environ, scope["method"])
                if response.is_short:
                    response.read()
                    self._let_go()
                self._send(scope, response, client)
        finally:
            self._let_go()

    async def _send_parts(self, scope: Scope, response: "_Response", client: "_Client") -> None:
        """Send the response; no thread waits while the client takes a part."""
        watching = asyncio.create_task(client.note_disconnect())
        try:
            await client.within(READER_SECONDS, client.send_head(response))
            while part := await self._in_stream_thread(response.next_part):
                await client.within(READER_SECONDS, client.send_body(part, is_last=False))
            await client.within(READER_SECONDS, client.send_body(b"", is_last=True))
        except ClientGone:
            _log_departure(scope)
        finally:
            watching.cancel()
            await self._in_stream_thread(response.close)

    async def _in_stream_thread(self, action: Callable[[], Result]) -> Result:
        def run() -> Result:
            try:
                return action()
            finally:
                self._let_go()

        return await asyncio.get_running_loop().run_in_executor(self._streams, run)

    def _start(self, environ: dict[str, Any], method: str) -> "_Response":
        response = _Response(method)
        response.chunks = self._application(environ, response.start)
        if not response.status:
            response.close()
            raise RuntimeError("The application returned before it called start_response.")
        return response

    def _send(self, scope: Scope, response: "_Response", client: "_Client") -> None:
        """Send the response chunk by chunk, from the application's thread."""
        try:
            client.watch()
            client.wait_for(client.send_head(response))
            for chunk in response.parts:
                client.wait_for(client.send_body(chunk, is_last=False))
            client.wait_for(client.send_body(b"", is_last=True))
        except ClientGone:
            _log_departure(scope)
        finally:
            response.close()


@dataclass(slots=True)
class _Response:
    """What the application answers; ``body`` is None if the client gets it chunk by chunk."""

    method: str
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: Iterable[bytes] = ()
    body: bytes | None = None
    _rest: Iterator[bytes] | None = None
    _turn: Lock = field(default_factory=Lock)

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        # Django writes a space before a cookie, which HTTP allows and ASGI servers do not.
        self.headers = [
            (name.lower().encode("latin-1"), value.strip().encode("latin-1"))
            for name, value in headers
        ]

    @property
    def has_body(self) -> bool:
        return self.method != "HEAD" and self.status not in {204, 304}

    @property
    def is_short(self) -> bool:
        """Return True if there is no body, or if the application told a length that is small."""
        if not self.has_body:
            return True
        length = dict(self.headers).get(b"content-length", b"")
        return length.isdigit() and int(length) <= SHORT_BYTES

    def read(self) -> None:
        """Read the body from the application, which is closed only if that fails."""
        try:
            self.body = b"".join(self.chunks) if self.has_body else b""
        except Exception:
            self.close()
            raise

    @property
    def parts(self) -> Iterable[bytes]:
        if self.body is not None:
            return (self.body,)
        return self.chunks if self.has_body else ()

    def next_part(self) -> bytes:
        """Return the next bytes of the body, none after the last."""
        part, until = bytearray(), time.monotonic() + PART_SECONDS
        with self._turn:
            if self._rest is None:
                self._rest = iter(self.parts)
            for chunk in self._rest:
                part += chunk
                if len(part) >= PART_BYTES or (part and time.monotonic() > until):
                    break
        return bytes(part)

    def close(self) -> None:
        with self._turn:  # a thread may be at a part that nobody waits for any more
            if hasattr(self.chunks, "close"):
                self.chunks.close()


class _Client:
    """The two directions of one request, for the event loop and for the application's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send) -> None:
        self._loop = loop
        self._receive = receive
        self._send = send
        self._turns: Semaphore | None = None
        self.is_read = False  # the whole body
        self._is_gone = False

    @contextmanager
    def turn(self, turns: Semaphore) -> Iterator[None]:
        """Hold one of ``turns`` in the block, except while its thread waits for the client."""
        with turns:
            self._turns = turns
            yield

    async def read_ahead(self) -> bytes:
        """Return the body, or its beginning if it is larger than small ones are."""
        body = bytearray()
        while not self.is_read and len(body) <= SMALL_BYTES:
            data, _ = await self.next_bytes()
            body += data
        return bytes(body)

    async def next_bytes(self) -> tuple[bytes, bool]:
        """Return the next bytes of the body, and True if they are the last.

        Raises:
            ClientGone: there will be no more.
        """
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await self._receive()
        except TimeoutError as exc:
            raise ClientGone from exc
        if message["type"] != "http.request":
            raise ClientGone
        self.is_read = not message.get("more_body", False)
        return message.get("body", b""), self.is_read

    def watch(self) -> None:
        """Note from now on when the client closes the connection, if its body was read."""
        if self.is_read and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.note_disconnect(), self._loop)

    async def note_disconnect(self) -> None:
        # The server says so at the end of the response as well, which ends this task.
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True

    async def within(self, seconds: float, action: Coroutine[Any, Any, Any]) -> Any:
        """Do ``action``.

        Raises:
            ClientGone: the client left, or the action took longer than ``seconds``.
        """
        if self._is_gone:
            action.close()
            raise ClientGone
        try:
            async with asyncio.timeout(seconds):
                return await action
        except TimeoutError as exc:
            raise ClientGone from exc

    async def send_head(self, response: _Response) -> None:
        start = {"status": response.status, "headers": response.headers}
        await self._send({"type": "http.response.start", **start})

    async def send_body(self, chunk: bytes, *, is_last: bool) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": not is_last})

    def wait_for(self, action: Coroutine[Any, Any, Any]) -> Any:
        """Let the event loop do ``action`` while the application's thread waits.

        Another upload has the turn meanwhile.

        Raises:
            ClientGone: the client left, the action took too long, or the server stops.
        """
        if self._is_gone or self._loop.is_closed():
            action.close()
            raise ClientGone

        if self._turns:
            self._turns.release()
        waiting = self.within(SILENCE_SECONDS, action)
        try:
            result = asyncio.run_coroutine_threadsafe(waiting, self._loop)
            # A loop that was about to close never does what it was given last.
            while not result.done():
                wait([result], timeout=1)
                if self._loop.is_closed():
                    result.cancel()
            return result.result()
        except CancelledError as exc:  # the server stops
            waiting.close()
            action.close()
            self._is_gone = True
            raise ClientGone from exc
        finally:
            if self._turns:
                self._turns.acquire()


class _Body(io.RawIOBase):
    """A large body after its ``beginning``; the application's thread waits for each part."""

    def __init__(
        self, beginning: bytes, client: _Client, before_waiting: Callable[[], object]
    ) -> None:
        self._client, self._before_waiting = client, before_waiting
        self._rest = memoryview(beginning)
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._is_over:
            self._before_waiting()
            data, self._is_over = self._client.wait_for(self._client.next_bytes())
            self._rest = memoryview(data)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _log_departure(scope: Scope) -> None:
    path = without_secrets(_raw_path(scope).decode("latin-1"))
    logger.info("%s %s: the client left", scope["method"], path)


def _announced_bytes(scope: Scope) -> int | None:
    """Return the length of the body; None if it comes in chunks of unknown length."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else None


def _environ(scope: Scope, body: io.BufferedIOBase, *, length: int | None) -> dict[str, Any]:
    """Return the WSGI environment; its texts are bytes as Latin-1, as the standard wants.

    A body whose ``length`` is known looks as if its sender had announced that, and only of others
    the application learns that they come in chunks. Each of them ends with its last byte, or
    raises ``ClientGone``, as ``wsgi.input_terminated`` promises.
    """
    server_name, server_port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(_raw_path(scope)).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server_name,
        "SERVER_PORT": str(server_port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    is_chunked = length is None
    if not is_chunked:
        environ["CONTENT_LENGTH"] = str(length)
    for raw_name, raw_value in scope["headers"]:
        # A name with an underscore would look like the header that a proxy in front has set.
        if b"_" in raw_name or raw_name == b"content-length":
            continue
        if raw_name == b"transfer-encoding" and not is_chunked:
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        if name in environ:
            value = environ[name] + ("; " if name == "HTTP_COOKIE" else ",") + value
        environ[name] = value
    return environ


def _raw_path(scope: Scope) -> bytes:
    """Return the path as it was sent, without the host that a request to a proxy has before it."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path if path.startswith(b"/") else b"/" + path.partition(b"://")[2].partition(b"/")[2]
