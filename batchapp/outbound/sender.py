"""Send one message by POST, within limits of time and size that no receiver can exceed."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx

from batchapp import __version__
from batchapp.domain.webhooks.addresses import Network, is_in, may_be_reached
from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.outbound.address import BadAddress, parse_address
from batchapp.providers.network import CallTimer, TimedTransport

TOTAL_SECONDS = 10.0  # from connecting to the last byte that is read
CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 2 * 1024  # that are kept; the rest is not read
USER_AGENT = f"batchapp/{__version__}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        status: of the answer; None if there was none.
        error: None if the receiver took the message.
        detail: what the system said of a connection that failed.
        answer: the beginning of the body of the answer.
        retry_after: the wait that the receiver asked for.
    """

    milliseconds: int
    status: int | None = None
    error: AttemptError | None = None
    detail: str = ""
    answer: str = ""
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return self.error is None


class _ForbiddenAddress(Exception):
    """The name of a host stands for an address that the portal does not send to."""


class Sender:
    """Sends messages; a context manager. Attempts to one host may share a connection.

    No redirect is followed, and no proxy, certificate or password of the environment is used.
    """

    def __init__(
        self,
        private_networks: Sequence[Network],
        *,
        total_seconds: float = TOTAL_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._private_networks = private_networks
        self._total_seconds = total_seconds
        self._scheme = "https"
        self._http = httpx.Client(
            # Uncompressed, so that a small answer stays small.
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
            transport=TimedTransport(self._check_addresses, ssl_context),
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send ``body``, a JSON text, to ``address``, and return what came of it."""
        began = time.monotonic()

        def outcome(error: AttemptError, detail: str = "") -> Outcome:
            return Outcome(_milliseconds(began), error=error, detail=detail[:200])

        try:
            url = parse_address(address, self._private_networks)
        except BadAddress as exc:
            return outcome(AttemptError.ADDRESS_INVALID, str(exc))
        self._scheme = url.scheme
        timer = CallTimer(self._total_seconds, connect_seconds=CONNECT_SECONDS)
        try:
            request = self._http.build_request(
                "POST",
                url,
                content=body,
                headers={"Content-Type": "application/json", **headers},
                extensions={"timeout": timer.as_timeouts()},
            )
            response = self._http.send(request, stream=True)
        except _ForbiddenAddress:
            return outcome(AttemptError.ADDRESS_FORBIDDEN)
        except httpx.TimeoutException:
            return outcome(AttemptError.TOO_SLOW)
        except (httpx.InvalidURL, UnicodeError):
            # httpx reads where a redirect leads, also if nobody follows it.
            return outcome(AttemptError.REDIRECTED)
        except httpx.RequestError as exc:
            return outcome(*_reason(exc))
        try:
            return _outcome_of(response, began)
        finally:
            response.close()

    def _check_addresses(self, _host: str, addresses: Sequence[str]) -> None:
        """Refuse a host of which one address is refused, so that no answer of a name server helps.

        Without TLS, all addresses must be in the networks that the operator allows.
        """
        for address in addresses:
            allowed = (
                may_be_reached(address, self._private_networks)
                if self._scheme == "https"
                else is_in(address, self._private_networks)
            )
            if not allowed:
                raise _ForbiddenAddress


def _outcome_of(response: httpx.Response, began: float) -> Outcome:
    """Return what the answer means; its status decides, however its body ends."""
    answer = _beginning(response)
    status = response.status_code
    error = None
    if status == 410:
        error = AttemptError.GONE
    elif response.has_redirect_location or status in range(300, 400):
        error = AttemptError.REDIRECTED
    elif not response.is_success:
        error = AttemptError.REFUSED
    return Outcome(
        _milliseconds(began),
        status=status,
        error=error,
        answer=answer,
        retry_after=_retry_after(response) if status in {429, 503} else None,
    )


def _beginning(response: httpx.Response) -> str:
    """Return the first bytes of the body as text; what comes too late is left out."""
    received = b""
    try:
        for piece in response.iter_raw(MAX_ANSWER_BYTES):
            received += piece
            if len(received) >= MAX_ANSWER_BYTES:
                break
    except httpx.RequestError:
        pass
    # A database takes no NUL in a text.
    return received[:MAX_ANSWER_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def _reason(exc: httpx.RequestError) -> tuple[AttemptError, str]:
    """Return why there is no answer, by the error of the system behind ``exc``."""
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLError):
            return AttemptError.TLS_FAILED, getattr(cause, "verify_message", "") or str(cause)
        if isinstance(cause, socket.gaierror):
            return AttemptError.NAME_UNKNOWN, cause.strerror or ""
    if isinstance(exc, httpx.ConnectError):
        return AttemptError.NOT_CONNECTED, str(exc)
    return AttemptError.BROKE_OFF, type(exc).__name__


def _causes(exc: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = exc
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _retry_after(response: httpx.Response) -> timedelta | None:
    """Return the wait that the header asks for, in seconds or by a date; None if neither."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**6))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for numbers that are far too large
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - datetime.now(UTC), timedelta())


def _milliseconds(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
