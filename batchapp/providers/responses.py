"""From an HTTP answer, or none, to JSON or the error it means."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from batchapp.providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from batchapp.providers.json_values import text

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A hundred batches with 500 KiB of metadata each; beyond that it is no answer of the API."""
MAX_COMPLAINT_BYTES = 64 * 1024
MAX_MESSAGE = 500
SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)

_WRONG_ADDRESS = "check the connection's base URL"
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def no_answer(doing: str, exc: httpx.RequestError) -> ProviderUnavailable:
    """The error for a request that got no complete answer."""
    never_sent = isinstance(
        exc,
        httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol,
    )
    match exc:
        case httpx.ConnectError():
            happened = f"could not connect ({str(exc)[:200]})"
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            happened = "could not connect in time"
        case httpx.TimeoutException():
            happened = "the provider did not answer in time"
        case httpx.DecodingError():
            happened = "the provider's answer was garbled"
        case _:  # without its text, which may quote raw bytes of the exchange
            happened = f"the connection broke ({type(exc).__name__})"
    return ProviderUnavailable(f"{doing}: {happened}", maybe_done=not never_sent)


def garbled(doing: str, happened: str, status: int | None = None) -> ProviderUnavailable:
    """The error for an answer that is not what the API speaks."""
    return ProviderUnavailable(f"{doing}: the provider answered with {happened}", status=status)


def not_the_api(doing: str, what: str, status: int | None = None) -> ProviderUnavailable:
    """The error for an answer that something else than the API seems to have given."""
    return garbled(doing, f"{what} instead of the API; {_WRONG_ADDRESS}", status)


def body_of(response: httpx.Response, doing: str) -> bytes:
    """Read a whole answer; of one that is no success at most the first 64 KiB.

    Raises:
        UpstreamUnavailable: a success of more than 64 MiB.
        httpx.RequestError: the connection broke.
    """
    limit = MAX_ANSWER_BYTES if response.is_success else MAX_COMPLAINT_BYTES
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limit:
            if response.is_success:
                raise garbled(doing, f"more than {limit} bytes", response.status_code)
            break
    return bytes(body[:limit])


def json_of(response: httpx.Response, body: bytes, doing: str) -> Any:
    """Decode a success. Numbers with a fraction become ``Decimal``, since some are money."""
    status = response.status_code
    if is_html(response, body):
        raise not_the_api(doing, "an HTML page", status)
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        what = "something that is not JSON" if body.strip() else "an empty page"
        raise not_the_api(doing, what, status) from None


def is_html(response: httpx.Response, body: bytes) -> bool:
    """Whether a web page came, by its label or by its first bytes."""
    kind = response.headers.get("Content-Type", "").lower()
    start = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return kind.startswith(("text/html", "application/xhtml")) or start.startswith(
        (b"<!doctype", b"<html", b"<?xml")
    )


def error_of(response: httpx.Response, body: bytes, doing: str) -> ProviderError:
    """The error that an answer other than 2xx means."""
    status = response.status_code
    if response.is_redirect or status < 400:
        return _redirected(response, doing)
    spoken = _spoken(response, body)
    sentence = f"{doing}: HTTP {status}: {spoken or _unspoken(response, body)}"
    if status in {408, 409, 429} or status >= 500:
        return ProviderUnavailable(
            sentence,
            retry_after=_retry_after(response, body),
            # Also of a 503: Doubleword's database may fail it after the batch was written.
            maybe_done=status != 429,
            status=status,
            message=spoken,
        )
    if status in {404, 410} and is_html(response, body):
        # A proxy's page says nothing about the batch; believing it would write the batch off.
        return not_the_api(doing, f"an HTML page (HTTP {status})", status)
    return ProviderRejected(sentence, status, spoken)


def _redirected(response: httpx.Response, doing: str) -> ProviderUnavailable:
    """A redirect is never followed: the key would travel to another host.

    301, 307 and 308 say that the same request has to be made elsewhere, so nothing was done
    here; 302 and 303 are also how a form answers after it has done its work.
    """
    status = response.status_code
    try:
        target = response.url.join(response.headers.get("Location", ""))
        where = f" to {target.scheme}://{target.netloc.decode('ascii')}"
    except (httpx.InvalidURL, ValueError):
        where = ""
    return ProviderUnavailable(
        f"{doing}: the provider redirects{where} (HTTP {status}); {_WRONG_ADDRESS}",
        maybe_done=status not in {301, 307, 308},
        status=status,
    )


def _spoken(response: httpx.Response, body: bytes) -> str:
    """The provider's own sentence, fit to be shown: Doubleword's is mostly plain text."""
    if is_html(response, body):
        return ""
    words = next(_messages(_lenient(body)), None)
    words = body.decode(errors="replace") if words is None else words
    key = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
    words = words.replace(key, "[key]") if key else words
    words = " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f-\x9f]", " ", words).split())
    return words if len(words) <= MAX_MESSAGE else words[: MAX_MESSAGE - 1] + "…"


def _unspoken(response: httpx.Response, body: bytes) -> str:
    if is_html(response, body):
        return f"an HTML page instead of a message; {_WRONG_ADDRESS}"
    return httpx.codes.get_reason_phrase(response.status_code) or "no message"


def _messages(value: object) -> Iterator[str]:
    """The places where a JSON error keeps its sentence, the best first."""
    if not isinstance(value, dict):
        return
    error = value.get("error")
    inner = error.get("message") if isinstance(error, dict) else None
    for candidate in (value.get("message"), inner, value.get("detail"), error):
        if text(candidate):
            yield text(candidate)


def _lenient(body: bytes) -> object:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _retry_after(response: httpx.Response, body: bytes) -> timedelta | None:
    """How long to wait: the header wins over the body, where Doubleword says 60 and 30."""
    wait = _header_wait(response)
    if wait is None:
        value = _lenient(body)
        seconds = value.get("retry_after_seconds") if isinstance(value, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | Decimal):
            return None
        wait = _seconds(seconds)
    return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def _header_wait(response: httpx.Response) -> timedelta | None:
    header = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", header):
        return _seconds(float(header))
    until = _http_date(header)
    if until is None:
        return None
    return until - (_http_date(response.headers.get("Date", "")) or datetime.now(UTC))


def _seconds(number: float | Decimal) -> timedelta:
    """``number`` may be anything that JSON can write, far beyond what a ``timedelta`` holds."""
    return timedelta(seconds=float(min(max(number, 0), LONGEST_WAIT.total_seconds())))


def _http_date(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
