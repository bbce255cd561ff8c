"""Turn an HTTP answer, or a missing answer, into JSON or an error."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from batchapp.domain.results.web_pages import HEAD, is_web_page, page_words
from batchapp.providers import refusals
from batchapp.providers.errors import (
    About,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
)
from batchapp.providers.json_values import text

# A hundred batches with 80 KiB of metadata each. As Python objects, JSON takes up to thirty times
# its bytes.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
MAX_MESSAGE = 500
PIECE_BYTES = 64 * 1024
MAX_PACKING_BYTES = 1024 * 1024  # that an archive may have beyond twice its content
# Chunks of HTTP cost time however small they are; result lines have hundreds of bytes.
MAX_SMALL_CHUNKS, SMALL_CHUNK_BYTES = 100_000, 16  # on average
SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)

_WRONG_ADDRESS = "check the connection's base URL"
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def no_answer(action: str, exc: httpx.RequestError) -> ProviderUnavailable:
    """Return the error for a request without a complete answer."""
    never_sent = isinstance(
        exc,
        httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol,
    )
    match exc:
        case httpx.ConnectError():
            reason = _ERROR_NUMBER.sub("", str(exc))
            problem = f"could not connect ({reason[:200]})"
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            problem = "could not connect in time"
        case httpx.TimeoutException():
            problem = "the provider did not answer in time"
        case httpx.DecodingError():
            problem = "the provider's answer was garbled"
        case _:  # without the error's text, which may quote raw bytes
            problem = f"the connection broke ({type(exc).__name__})"
    return ProviderUnavailable(f"{action}: {problem}", maybe_done=not never_sent)


def malformed(action: str, content: str, status: int | None = None) -> ProviderUnavailable:
    """Return the error for an answer that does not follow the API."""
    return ProviderUnavailable(f"{action}: the provider answered with {content}", status=status)


def not_the_api(action: str, content: str, status: int | None = None) -> ProviderUnavailable:
    """Return the error for an answer that seems to come from another server than the API."""
    return malformed(action, f"{content} instead of the API; {_WRONG_ADDRESS}", status)


def pieces(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body, unpacked if it is gzip, in pieces of at most 64 KiB.

    httpx unpacks each piece that it receives as a whole, a thousand times as large if a provider
    wants it so. Compression stays allowed, since a result file shrinks to a fraction.

    Raises:
        httpx.RequestError: the connection broke, or the content is packed otherwise.
    """
    if response.is_stream_consumed:
        yield response.content
        return
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing in {"", "identity"}:
        yield from _received(response)
    elif packing in {"gzip", "x-gzip"}:
        yield from _unpacked(_received(response))
    else:
        raise httpx.DecodingError("the content is packed in a way that was not asked for")


def _received(response: httpx.Response) -> Iterator[bytes]:
    for number, chunk in enumerate(response.iter_raw()):
        size = response.num_bytes_downloaded
        if number > MAX_SMALL_CHUNKS and size < number * SMALL_CHUNK_BYTES:
            raise httpx.DecodingError("the content comes in chunks of a few bytes")
        yield chunk


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    packed = unpacked = 0
    for chunk in chunks:
        remaining = chunk
        packed += len(chunk)
        # Empty members and blocks bring nothing that any other limit counts, without an end.
        if packed > 2 * unpacked + MAX_PACKING_BYTES:
            raise httpx.DecodingError("the archive holds hardly anything")
        while remaining:
            if gzip.eof:  # an archive may have several members
                gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = gzip.decompress(remaining, PIECE_BYTES)
            except zlib.error as exc:
                raise httpx.DecodingError(str(exc)) from exc
            if piece:
                unpacked += len(piece)
                yield piece
            remaining = gzip.unused_data if gzip.eof else gzip.unconsumed_tail
    if piece := gzip.flush():
        yield piece


def read_body(response: httpx.Response, action: str) -> bytes:
    """Read a whole answer, or the first 64 KiB of an error.

    Raises:
        ProviderUnavailable: a success has more than 8 MiB.
        httpx.RequestError: the connection broke.
    """
    limit = MAX_ANSWER_BYTES if response.is_success else MAX_ERROR_BYTES
    body = bytearray()
    for chunk in pieces(response):
        body += chunk
        if len(body) > limit:
            if response.is_success:
                raise malformed(action, f"more than {limit} bytes", response.status_code)
            break
    return bytes(body[:limit])


def decode_json(response: httpx.Response, body: bytes, action: str) -> Any:
    """Decode a success; numbers with a fraction become ``Decimal``, because some are money."""
    status = response.status_code
    if is_html(response, body):
        raise not_the_api(action, "an HTML page", status)
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = "something that is not JSON" if body.strip() else "an empty page"
        raise not_the_api(action, content, status) from None


def is_html(response: httpx.Response, body: bytes) -> bool:
    """Return True if the answer is a web page or XML, by its content type or its content."""
    kind = response.headers.get("Content-Type", "").lower()
    return kind.startswith(("text/html", "application/xhtml")) or is_markup(body)


def is_markup(body: bytes) -> bool:
    """Return True if ``body`` begins like a web page or XML, in UTF-8 or in UTF-16."""
    start = body[: 2 * HEAD].removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return is_web_page(start.replace(b"\0", b"").decode(errors="replace"))


def error_for(response: httpx.Response, body: bytes, action: str) -> ProviderError:
    """Return the error for an answer other than 2xx."""
    status = response.status_code
    if response.is_redirect or status < 400:
        return _redirected(response, action)
    message, fields = _message(response, body), _error_fields(body)
    sentence = f"{action}: HTTP {status}: {message or _default_message(response, body)}"
    if status == 429 and refusals.wants_money(message, fields):
        return ProviderRejected(sentence, status, message, Reason.NO_CREDIT)
    if status in {408, 409, 429} or status >= 500:
        about = refusals.about(status, message, fields)
        return ProviderUnavailable(
            sentence,
            retry_after=_retry_after(response, body),
            # Also after a 503: Doubleword's database may fail after the batch was written.
            maybe_done=status != 429 and about is not About.FILE_NOT_READY,
            status=status,
            message=message,
            about=about,
        )
    if status in {404, 410} and is_html(response, body):
        # A proxy's page does not mean that the batch is gone; a rejection would end the batch.
        return not_the_api(action, f"an HTML page (HTTP {status})", status)
    return _rejection(sentence, status, message, fields)


def _rejection(sentence: str, status: int, message: str, fields: dict[str, Any]) -> ProviderError:
    """Return the error for a refusal; one that passes by itself is no rejection."""
    reason = refusals.reason_of(status, message, fields)
    about = refusals.passing_subject(message, fields)
    if about and reason in {Reason.INVALID, Reason.FORBIDDEN, Reason.NOT_FOUND}:
        return ProviderUnavailable(
            sentence, maybe_done=False, status=status, message=message, about=about
        )
    return ProviderRejected(sentence, status, message, reason)


def unreadable(
    response: httpx.Response, body: bytes, action: str, problem: str, *, is_create: bool
) -> ProviderError:
    """Return the error for a 2xx whose JSON lacks what is required; ``problem`` names that.

    Many proxies answer 200 with an error. A create that was answered so is a rejection, so that
    people read the error, and the create is not made again and again.
    """
    status, fields = response.status_code, _error_fields(body)
    message = _message(response, body) if any(_messages(_json_or_none(body))) else ""
    content = f"an error: {message}" if message else problem
    if not is_create:
        return malformed(action, content, status)
    if not message:
        sentence = f"{action}: the provider answered with {problem}"
        return ProviderUnavailable(sentence, status=status, about=About.UNREADABLE)
    sentence = f"{action}: the provider answered HTTP {status} with {content}"
    return _rejection(sentence, status, message, fields)


def _redirected(response: httpx.Response, action: str) -> ProviderUnavailable:
    """Return the error for a redirect, which is never followed: another host would get the key.

    301, 307 and 308 ask for the same request at another address, so nothing was done. 302 and 303
    may also be the answer of a form after its work.
    """
    status = response.status_code
    try:
        target = response.url.join(response.headers.get("Location", ""))
        where = f" to {target.scheme}://{target.netloc.decode('ascii')}"
    except (httpx.InvalidURL, ValueError):
        where = ""
    return ProviderUnavailable(
        f"{action}: the provider redirects{where} (HTTP {status}); {_WRONG_ADDRESS}",
        maybe_done=status not in {301, 307, 308},
        status=status,
    )


def redirected_nowhere(action: str) -> ProviderUnavailable:
    """Return the error for a redirect to what is no address; its status is not known."""
    return ProviderUnavailable(
        f"{action}: the provider redirects to what is no address; {_WRONG_ADDRESS}"
    )


def _message(response: httpx.Response, body: bytes) -> str:
    """Return the provider's own sentence, safe to show; Doubleword's is mostly plain text."""
    if is_html(response, body):
        return ""
    message = next(_messages(_json_or_none(body)), None) or body.decode(errors="replace")
    message = page_words(message) if is_web_page(message) else message
    key = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
    message = message.replace(key, "[key]") if key else message
    message = " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f-\x9f]", " ", message).split())
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"


def _default_message(response: httpx.Response, body: bytes) -> str:
    if is_html(response, body):
        return f"an HTML page instead of a message; {_WRONG_ADDRESS}"
    return httpx.codes.get_reason_phrase(response.status_code) or "no message"


def _messages(value: object) -> Iterator[str]:
    """Yield the sentences of a JSON error, the best first."""
    if not isinstance(value, dict):
        return
    error = value.get("error")
    inner = error if isinstance(error, dict) else {}
    said = (value.get("message"), inner.get("message"), value.get("detail"), inner.get("detail"))
    for candidate in (*said, error):
        if text(candidate):
            yield text(candidate)


def _error_fields(body: bytes) -> dict[str, Any]:
    """Return the object with the ``code`` and ``param`` of OpenAI's errors; {} without one."""
    value = _json_or_none(body)
    fields = value if isinstance(value, dict) else {}
    inner = fields.get("error")
    return inner if isinstance(inner, dict) else fields


def _json_or_none(body: bytes) -> object:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _retry_after(response: httpx.Response, body: bytes) -> timedelta | None:
    """Return the requested wait; the header counts before the body (Doubleword: 60 and 30)."""
    wait = _header_wait(response)
    if wait is None:
        value = _json_or_none(body)
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
    # JSON can write numbers that are far too large for a ``timedelta``.
    return timedelta(seconds=float(min(max(number, 0), LONGEST_WAIT.total_seconds())))


def _http_date(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
