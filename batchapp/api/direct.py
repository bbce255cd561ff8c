"""Pass single requests on to the provider of a project, as they are and as their answers come.

These addresses are no Django views: an answer may stream for minutes, and a view would hold a
thread for as long. The event loop waits for the provider; what is asked of the database runs in
threads. There are no retries here, and status and body of the provider are passed on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from batchapp.api.errors import ApiError, error_response, invalid_key, missing_key
from batchapp.domain.direct_call import (
    ENDPOINTS,
    RESPONSES,
    AnswerReader,
    DirectCall,
    InvalidCall,
    read_call,
)
from batchapp.domain.portal_keys import bearer_secret
from batchapp.http import client_address
from batchapp.models import DirectRequest, Project, UnreadableKey, User
from batchapp.providers.direct import BrokenOff, DirectClient, NotSent, passed_headers
from batchapp.services.direct.direct_requests import (
    find_response,
    open_request,
    settle_request,
)
from batchapp.services.portal_keys.authenticate import authenticate

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Result = TypeVar("Result")

MAX_BODY_BYTES = 32 * 1024 * 1024
THREADS = 8
SILENCE_SECONDS = 60.0  # longest wait for the next bytes of a body

logger = logging.getLogger(__name__)


class DirectApi:
    """The ASGI application of the addresses for single requests."""

    def __init__(self) -> None:
        self._client: DirectClient | None = None
        self._threads = ThreadPoolExecutor(THREADS, "direct")

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Return True if this application answers the request, and Django does not."""
        if scope["type"] != "http":
            return False
        method, path = scope["method"], scope["path"]
        is_response = method == "GET" and path.startswith(f"{RESPONSES}/")
        return (method == "POST" and path in ENDPOINTS) or is_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._in_thread(_authenticate, scope)
            body = await _read_body(scope, receive)
            opened = await self._in_thread(_open, scope, body)
        except Exception as exc:  # noqa: BLE001  # each becomes an answer
            await _send_response(await self._in_thread(_answer_to, scope, exc), send)
            return
        exchange = _Exchange(opened, send)
        passing = asyncio.create_task(exchange.run(self._provider()))
        watching = asyncio.create_task(_wait_until_gone(receive))
        try:
            await asyncio.wait({passing, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            passing.cancel()
            # A client that hangs up, and a stop of the server, do not keep this from the books.
            (outcome,) = await asyncio.gather(passing, return_exceptions=True)
            if isinstance(outcome, Exception):
                logger.error("%s: passing on failed", scope["path"], exc_info=outcome)
            await asyncio.shield(self._in_thread(exchange.settle))
        await exchange.finish()

    def _provider(self) -> DirectClient:
        """Return the client; it belongs to the event loop of the first request."""
        if self._client is None:
            self._client = DirectClient()
        return self._client

    async def _in_thread(self, action: Callable[..., Result], *args: Any) -> Result:
        def run() -> Result:
            close_old_connections()
            try:
                return action(*args)
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


class _Opened:
    """A request that may be sent: where to, by which key, and its row."""

    def __init__(self, row: DirectRequest, call: DirectCall | None, path: str) -> None:
        self.row, self.call, self.path = row, call, path
        self.secret = row.key.secret()
        self.base_url = row.key.connection.base_url


class _Exchange:
    """One request on its way to the provider, and its answer on its way back."""

    def __init__(self, opened: _Opened, send: Send) -> None:
        self._opened = opened
        self._send = send
        self._reader = AnswerReader(is_stream=False)
        self._status: int | None = None
        self._failure: tuple[int, str, str] | None = None
        self._is_over = False

    @property
    def _is_whole(self) -> bool:
        return self._is_over or self._reader.has_last_event

    async def run(self, client: DirectClient) -> None:
        opened, call = self._opened, self._opened.call
        method, body = ("POST", call.body) if call else ("GET", b"")
        try:
            async with client.send(
                opened.base_url, opened.secret, method, opened.path, body
            ) as answer:
                self._status = answer.status_code
                is_stream = "text/event-stream" in answer.headers.get("content-type", "")
                self._reader = AnswerReader(
                    is_stream=is_stream, hides_usage=bool(call and call.hides_usage)
                )
                start = {"status": answer.status_code, "headers": passed_headers(answer)}
                await self._send({"type": "http.response.start", **start})
                async for data in answer.aiter_raw():
                    if shown := self._reader.feed(data):
                        await self._send_part(shown)
                if rest := self._reader.finish():
                    await self._send_part(rest)
                self._is_over = True
        except NotSent:
            self._status = self._status or HTTPStatus.BAD_GATEWAY
            self._failure = _NOT_REACHED
        except BrokenOff:
            self._failure = _BROKEN_OFF

    def settle(self) -> None:
        row, call = self._opened.row, self._opened.call
        if call is None and (row.ended_at or not self._is_whole or self._reader.is_pending):
            return  # a look at a response that is settled, or not ready
        settle_request(
            row,
            call,
            self._reader,
            self._status,
            is_sent=self._failure is not _NOT_REACHED,
            is_whole=self._is_whole,
        )

    async def finish(self) -> None:
        """End the answer, or let clients notice that it broke off by ending without its end."""
        if self._is_whole:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif self._failure and (self._status is None or self._failure is _NOT_REACHED):
            status, code, message = self._failure
            await _send_response(error_response(status, code, message), self._send)
        elif self._failure:
            raise ConnectionError("the provider's answer broke off")

    async def _send_part(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


_NOT_REACHED = (
    502,
    "provider_unreachable",
    "The portal cannot reach the provider. Nothing was sent.",
)
_BROKEN_OFF = (
    502,
    "provider_broke_off",
    "The provider gave no answer. It may have worked on the request, and bill it.",
)


def _authenticate(scope: Scope) -> tuple[User, Project]:
    """Return whom the portal key acts for, and where, before the body takes room in memory.

    Raises:
        _Answered: the key opens nothing.
    """
    request = _django_request(scope)
    secret = bearer_secret(request.META.pop("HTTP_AUTHORIZATION", ""))
    if secret is None:
        raise _Answered(missing_key())
    user = authenticate(secret, client_address(request))
    if user is None or user.portal_key is None:
        raise _Answered(invalid_key())
    scope["batchapp.user"] = user
    return user, user.portal_key.project


def _open(scope: Scope, body: bytes) -> _Opened:
    """Return the request that may be sent.

    Raises:
        ApiError, NotAllowed, Refused, _Answered: it may not.
    """
    # Again, since a body may come for hours, and the key may have ended meanwhile.
    user, project = _authenticate(scope)
    path = scope["path"]
    try:
        if scope["method"] == "GET":
            row = find_response(user, project, path.removeprefix(f"{RESPONSES}/"))
            if row is None:
                raise ApiError(404, "not_found", "There is no such response for this portal key.")
            return _Opened(row, None, f"{RESPONSES}/{row.remote_id}")
        call = read_call(path, body)
        return _Opened(open_request(user, project, call), call, path)
    except InvalidCall as exc:
        raise ApiError(400, "invalid_request", str(exc), param=exc.param) from exc
    except UnreadableKey as exc:
        raise ApiError(503, "provider_key", "The provider key cannot be read.") from exc


class _Answered(Exception):
    """The answer is known."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def _answer_to(scope: Scope, error: Exception) -> HttpResponse:
    """Return the answer to ``error``, the same as that of the other routes of the API."""
    from batchapp.api.portal_api import api  # noqa: PLC0415  # the library loads with it

    if isinstance(error, _Answered):
        return error.response
    request = _django_request(scope)
    if user := scope.get("batchapp.user"):
        request.user = user
    try:
        response: HttpResponse = api.on_exception(request, error)
    except Exception:  # no sentence for it: our own error, or the database is away
        logger.exception("%s: the request failed", scope["path"])
        return error_response(500, "server_error", "The portal failed. Try again later.")
    return response


def _django_request(scope: Scope) -> HttpRequest:
    request = HttpRequest()
    request.method, request.path = scope["method"], scope["path"]
    request.META["REMOTE_ADDR"] = (scope.get("client") or ("",))[0]
    for name in ("authorization", "x-forwarded-for"):
        values = [value for key, value in scope["headers"] if key == name.encode()]
        if values:
            header = f"HTTP_{name.upper().replace('-', '_')}"
            request.META[header] = b",".join(values).decode("latin-1")
    return request


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        ApiError: the body is too large, does not come for too long, or does not come whole.
    """
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    _require_size(int(announced) if announced.isdigit() else 0)
    body = bytearray()
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await receive()
        except TimeoutError as exc:
            raise ApiError(408, "timeout", "The body did not come in time.") from exc
        if message["type"] != "http.request":
            raise ApiError(400, "incomplete_body", "The body did not arrive whole.")
        body += message.get("body", b"")
        _require_size(len(body))
        if not message.get("more_body"):
            return bytes(body)


def _require_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", "The request is larger than the portal reads.")


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_response(response: HttpResponse, send: Send) -> None:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.items()
    ]
    headers.append((b"content-length", str(len(response.content)).encode()))
    start = {"status": response.status_code, "headers": headers}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": response.content})
