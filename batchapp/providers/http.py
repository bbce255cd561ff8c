"""Send one request to a provider, with the key and the time limits, and read its pages."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import httpx

from batchapp import __version__
from batchapp.providers import json_values, responses
from batchapp.providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from batchapp.providers.network import (
    DOWNLOAD_SECONDS,
    CallTimer,
    TimedTransport,
    TimedUpload,
)
from batchapp.providers.remote_objects import Page

PAGE_SIZE = 100  # rows; Doubleword allows 101 rows, OpenAI 100 batches
MAX_PAGES = 1000
CONNECT_SECONDS = 10.0
# Ordinary calls' time that a create may take, or the answer to an upload, since the provider works
# before it answers; and all pages of one list.
SLOW_CALL_FACTOR = 5
_VERSION = re.compile(r"v\d+[a-z0-9.-]*", re.IGNORECASE)  # a part of a path
USER_AGENT = f"batchapp/{__version__}"
PACKING = {"Accept-Encoding": "gzip"}  # which ``responses.pieces`` unpacks within bounds


class Identified(Protocol):
    @property
    def id(self) -> str: ...


Answer = TypeVar("Answer")
Row = TypeVar("Row", bound=Identified)


def open_http(
    address: httpx.URL, key: str, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """Return a client for one host and one key, the only place where ``Authorization`` is set.

    Proxies and certificates of the environment are not used, and no redirect is followed: a key
    goes to the configured host only.
    """
    key = key.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", key):  # httpx would quote the key in its error
        raise ProviderRejected("connecting: the key is empty or holds odd characters", 401)
    return httpx.Client(
        base_url=address,
        headers={"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT, **PACKING},
        transport=transport or TimedTransport(),
        follow_redirects=False,
        trust_env=False,
    )


def root_url(base_url: str) -> httpx.URL:
    """Return ``base_url`` without ``/v1`` at its end, which is equal for all its spellings.

    Raises:
        ProviderUnavailable: ``base_url`` is no plain http(s) address.
    """
    try:
        url = httpx.URL(base_url.strip())
        host = url.raw_host.decode("ascii").encode("idna")  # as the socket does
    except (httpx.InvalidURL, UnicodeError):
        url, host = httpx.URL(""), b""
    is_address = url.scheme in {"http", "https"} and host and b"%" not in host
    is_address = is_address and 0 < (url.port or 80) < 65536
    # httpx would send a user and password of the address instead of the key.
    if not is_address or url.userinfo:
        raise ProviderUnavailable(
            "connecting: the connection's base URL is not a plain http(s) address",
            maybe_done=False,
        )
    path = url.path.rstrip("/").removesuffix("/v1")
    return url.copy_with(path=path or "/", query=None, fragment=None)


def api_url(base_url: str) -> httpx.URL:
    """Return the address of the API: with ``/v1``, unless the path names another version.

    Raises:
        ProviderUnavailable: ``base_url`` is no plain http(s) address.
    """
    root = root_url(base_url)
    given = base_url.strip().rstrip("/")
    if _names_version(root.path) and not given.endswith("/v1"):
        return root
    return root.copy_with(path=f"{root.path.rstrip('/')}/v1")


def tidy_url(base_url: str) -> str:
    """Return an address as it is stored, without a ``/v1`` that is appended anyway."""
    url = base_url.strip().rstrip("/")
    shorter = url.removesuffix("/v1")
    return url if _names_version(shorter.partition("://")[2]) else shorter


def _names_version(path: str) -> bool:
    """Return True if a part of the path is a version, such as ``v4`` or ``v1beta``."""
    return any(_VERSION.fullmatch(part) for part in path.split("/"))


class Exchange:
    """Requests to one provider. Every error text begins with ``action``.

    Attributes:
        address: the address below which the API is asked.
        is_sandbox: True if the last answer came from the local sandbox; None before any answer.
    """

    def __init__(
        self, http: httpx.Client, timeout_seconds: float, session_seconds: float | None = None
    ) -> None:
        self._http = http
        self.address = str(http.base_url).rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._session_until = time.monotonic() + (session_seconds or float("inf"))
        self.is_sandbox: bool | None = None

    @property
    def slow_seconds(self) -> float:
        return SLOW_CALL_FACTOR * self._timeout_seconds

    def close(self) -> None:
        self._http.close()

    def pages(
        self, action: str, path: str, read: Callable[[object], Row], query: dict[str, str]
    ) -> Iterator[Page[Row]]:
        """Yield pages of new rows, until the end or until a page has no new row.

        A provider answers an unknown cursor with the first page, again and again. All pages have
        the time of one slow call.
        """
        seen: set[str] = set()
        until = time.monotonic() + self.slow_seconds
        for _ in range(MAX_PAGES):
            page = self.page(action, path, read, query, until=until)
            rows = tuple(row for row in page.data if row.id not in seen)
            if page.data and not rows:
                return
            yield replace(page, data=rows)
            if not page.has_more or page.last_id is None:
                return
            seen.update(row.id for row in rows)
            query = query | {"after": page.last_id}

    def page(
        self,
        action: str,
        path: str,
        read: Callable[[object], Row],
        query: dict[str, str],
        *,
        until: float = float("inf"),
    ) -> Page[Row]:
        read_page = partial(Page.from_json, read=read)
        return self.request(action, "GET", path, read_page, params=query, until=until)

    def request(
        self,
        action: str,
        method: str,
        path: str,
        read: Callable[[object], Answer],
        *,
        is_create: bool = False,
        **options: Any,
    ) -> Answer:
        """Send one request, and ``read`` the JSON of the answer.

        A request that ``is_create`` has the time of a slow call, and must not be made twice.
        """
        with self.open(action, method, path, is_slow=is_create, **options) as response:
            try:
                body = responses.read_body(response, action)
            except httpx.RequestError as exc:
                raise responses.no_answer(action, exc) from None
            try:
                return read(responses.decode_json(response, body, action))
            except json_values.MalformedError as exc:
                raise responses.unreadable(
                    response, body, action, str(exc), is_create=is_create
                ) from exc

    @contextmanager
    def open(
        self,
        action: str,
        method: str,
        path: str,
        *,
        is_slow: bool = False,
        is_streamed: bool = False,
        until: float = float("inf"),
        **options: Any,
    ) -> Iterator[httpx.Response]:
        """Send one request; its successful response is open for reading inside the block.

        A call that ``is_slow`` has ``slow_seconds`` instead of the ordinary time. If the answer
        ``is_streamed``, its rate is limited instead. ``until`` is a moment of ``time.monotonic``
        at which the call ends in any case.
        """
        timer = CallTimer(
            self.slow_seconds if is_slow else self._timeout_seconds,
            connect_seconds=CONNECT_SECONDS,
            until=min(until, self._session_until),
        )
        request = self._http.build_request(
            method, path, extensions={"timeout": timer.as_timeouts()}, **options
        )
        if "files" in options:
            request.stream = TimedUpload(request.stream, timer, self.slow_seconds)
        try:
            response = self._http.send(request, stream=True, follow_redirects=False)
        except httpx.RequestError as exc:
            raise responses.no_answer(action, exc) from None
        except (httpx.InvalidURL, UnicodeError):
            # httpx reads where a redirect leads, also if nobody follows it.
            raise responses.redirected_nowhere(action) from None
        try:
            self.is_sandbox = response.headers.get("X-Batchapp-Sandbox", "").lower() == "true"
            if not response.is_success:
                raise self._error(action, response)
            if is_streamed:
                timer.start_stream(DOWNLOAD_SECONDS)
            yield response
        finally:
            response.close()

    def _error(self, action: str, response: httpx.Response) -> ProviderError:
        try:
            return responses.error_for(response, responses.read_body(response, action), action)
        except httpx.RequestError:  # the status says enough without its message
            return responses.error_for(response, b"", action)
