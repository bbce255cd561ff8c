"""Send one request to a provider, with the key and the time limits, and read its pages."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import httpx

from batchapp import __version__
from batchapp.providers import json_values, responses
from batchapp.providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from batchapp.providers.remote_objects import Page

PAGE_SIZE = 100  # rows; Doubleword allows 101 rows, OpenAI 100 batches
MAX_PAGES = 1000
CONNECT_SECONDS = 10.0
SLOW_CALL_FACTOR = 5  # timeouts that an upload or a create may take: both work before they answer
USER_AGENT = f"batchapp/{__version__}"


class Identified(Protocol):
    @property
    def id(self) -> str: ...


Answer = TypeVar("Answer")
Row = TypeVar("Row", bound=Identified)


def open_http(
    base_url: str, key: str, timeout_seconds: float, transport: httpx.BaseTransport | None
) -> httpx.Client:
    """Return a client for one host and one key, the only place where ``Authorization`` is set.

    Proxies and certificates of the environment are not used, and no redirect is followed: a key
    goes to the configured host only.
    """
    key = key.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", key):  # httpx would quote the key in its error
        raise ProviderRejected("connecting: the key is empty or holds odd characters", 401)
    return httpx.Client(
        base_url=_root(base_url),
        headers={"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT},
        timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, CONNECT_SECONDS)),
        transport=transport,
        follow_redirects=False,
        trust_env=False,
    )


def _root(base_url: str) -> httpx.URL:
    """Return the address to which ``/v1/…`` is appended."""
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


class Exchange:
    """Requests to one provider. Every error text begins with ``action``.

    Attributes:
        is_sandbox: True if the last answer came from the local sandbox; None before any answer.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.is_sandbox: bool | None = None

    def close(self) -> None:
        self._http.close()

    def pages(
        self, action: str, path: str, read: Callable[[object], Row], query: dict[str, str]
    ) -> Iterator[Page[Row]]:
        """Yield pages of new rows, until the end or until a page has no new row.

        A provider answers an unknown cursor with the first page, again and again.
        """
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = self.page(action, path, read, query)
            rows = tuple(row for row in page.data if row.id not in seen)
            if page.data and not rows:
                return
            yield replace(page, data=rows)
            if not page.has_more or page.last_id is None:
                return
            seen.update(row.id for row in rows)
            query = query | {"after": page.last_id}

    def page(
        self, action: str, path: str, read: Callable[[object], Row], query: dict[str, str]
    ) -> Page[Row]:
        return self.request(action, "GET", path, partial(Page.from_json, read=read), params=query)

    def request(
        self, action: str, method: str, path: str, read: Callable[[object], Answer], **options: Any
    ) -> Answer:
        """Send one request, and ``read`` the JSON of the answer."""
        with self.open(action, method, path, **options) as response:
            try:
                body = responses.read_body(response, action)
            except httpx.RequestError as exc:
                raise responses.no_answer(action, exc) from None
            status = response.status_code
            try:
                return read(responses.decode_json(response, body, action))
            except json_values.MalformedError as exc:
                raise responses.malformed(action, str(exc), status) from exc

    @contextmanager
    def open(
        self, action: str, method: str, path: str, *, is_slow: bool = False, **options: Any
    ) -> Iterator[httpx.Response]:
        """Send one request; its successful response is open for reading inside the block."""
        timeout = _slow_timeout(self._http.timeout) if is_slow else self._http.timeout
        request = self._http.build_request(method, path, timeout=timeout, **options)
        try:
            response = self._http.send(request, stream=True, follow_redirects=False)
        except httpx.RequestError as exc:
            raise responses.no_answer(action, exc) from None
        try:
            self.is_sandbox = response.headers.get("X-Batchapp-Sandbox", "").lower() == "true"
            if not response.is_success:
                raise self._error(action, response)
            yield response
        finally:
            response.close()

    def _error(self, action: str, response: httpx.Response) -> ProviderError:
        try:
            return responses.error_for(response, responses.read_body(response, action), action)
        except httpx.RequestError:  # the status says enough without its message
            return responses.error_for(response, b"", action)


def _slow_timeout(timeout: httpx.Timeout) -> httpx.Timeout:
    """Return more time for an answer, but not for a connection."""
    read = timeout.read and timeout.read * SLOW_CALL_FACTOR
    return httpx.Timeout(
        connect=timeout.connect, read=read, write=timeout.write, pool=timeout.pool
    )
