"""Pass one request on to a provider, and its answer back as it comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import CONNECT_SECONDS, USER_AGENT, api_url

SILENCE_SECONDS = 600.0  # longest wait for the next bytes: a model may think for long
MAX_CONNECTIONS = 4_000  # to all providers, of one process
# What belongs to one connection, or is written anew for the next one.
_OWN_HEADERS = frozenset(
    {
        *("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"),
        *("content-length", "date", "server", "set-cookie", "alt-svc", "via"),
        *("proxy-authenticate", "proxy-authorization", "strict-transport-security"),
    }
)


class NotSent(Exception):
    """No connection to the provider; it has seen nothing of the request."""


class BrokenOff(Exception):
    """The provider has the request, and its answer did not come to its end."""


class DirectClient:
    """Connections to providers that stay open between requests, for one event loop."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=100),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    @asynccontextmanager
    async def send(
        self, base_url: str, secret: str, method: str, path: str, body: bytes = b""
    ) -> AsyncIterator[httpx.Response]:
        """Send ``body`` and yield the answer, whatever its status, before its own body has come.

        Raises:
            NotSent: there is no connection.
            BrokenOff: there is no answer, or not its end.
        """
        headers = {"Authorization": f"Bearer {secret}"}
        if body:
            headers["Content-Type"] = "application/json"
        try:
            address = str(api_url(base_url)).rstrip("/")
        except ProviderUnavailable as exc:
            raise NotSent from exc
        url = f"{address}{path.removeprefix('/v1')}"
        try:
            async with self._http.stream(
                method, url, content=body or None, headers=headers
            ) as answer:
                yield answer
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise NotSent from exc
        except httpx.HTTPError as exc:
            raise BrokenOff from exc


def passed_headers(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    """Return the headers of ``answer`` that the sender of the request gets."""
    return [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.lower().decode("latin-1") not in _OWN_HEADERS
    ]
