"""Read one line as strictly as the provider does, or return the finding that stops it."""

import json
import math
import re
from itertools import accumulate
from typing import Any

import msgspec

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.limits import MAX_DEPTH
from batchapp.domain.request_files.reading import json_errors, meant_json
from batchapp.domain.request_files.rules.request_rules import describe_type

KEYS = (b'"custom_id"', b'"method"', b'"url"', b'"body"')
BODY_KEYS = (b'"model"', b'"messages"', b'"max_tokens"')
BARE_ENVELOPE_BYTES = len(b'{"custom_id":"","method":"","url":"","body":}')
SHORTEST_FIELD_BYTES = len(b',"url":0')
VISIBLE_ID = re.compile(rb'"custom_id"\s*:\s*"([^\x00-\x1f"\\\x7f]{1,64})"')
TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
DEPTH_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
TOO_DEEP = RequestFinding(
    "too_deep",
    f"The request has brackets more than {MAX_DEPTH} levels deep, which the provider does not "
    "read; flatten it.",
)
ENCODED_TWICE = RequestFinding(
    "encoded_twice",
    "The line is a text that holds JSON: it was encoded twice; write the object itself, without "
    "quotation marks around it.",
)

# Every 30th byte is sampled: the smallest number beyond all floats has 309 digits, of which ten
# consecutive samples are digits.
SAMPLE_STEP = 30
TEN_SAMPLED_DIGITS = b"0" * 10
DIGITS_TO_ZERO = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))


class _Envelope(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder().decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_object(data: bytes, *, explain: bool) -> dict[str, Any] | RequestFinding:
    """Decode the JSON object on a line that is not blank.

    ``explain`` gives broken JSON a message, at the price of a second reading.
    """
    try:
        value = _decode(data)
    except RecursionError:
        return TOO_DEEP
    except (UnicodeDecodeError, msgspec.DecodeError):
        # With less of the stack left, the decoder would give up before it comes to the mistake.
        if _count_brackets(data) > MAX_DEPTH and _depth(data) > MAX_DEPTH:
            return TOO_DEEP
        return _explain_unreadable(data, explain=explain)
    if isinstance(value, str) and meant_json.decode_twice(data):
        return ENCODED_TWICE
    if not isinstance(value, dict):
        return RequestFinding(
            "not_an_object",
            f"The line is {describe_type(value)}; a request is a JSON object: "
            '{"custom_id": …, "method": "POST", "url": …, "body": {…}}.',
        )
    return _check_strictly(value, data, explain=explain) or value


def _check_strictly(value: dict[str, Any], data: bytes, *, explain: bool) -> RequestFinding | None:
    """Find what the provider's reader refuses, though ``data`` was decoded as ``value`` here."""
    if _count_brackets(data) > MAX_DEPTH and (
        _is_too_deep(value) or _is_too_deep_where_repeated(value, data)
    ):
        return TOO_DEEP
    sampled = data[::SAMPLE_STEP].translate(DIGITS_TO_ZERO)
    if TEN_SAMPLED_DIGITS in sampled and _has_infinite_number(data):
        message = json_errors.explain_line(data) if explain else ""
        return RequestFinding("invalid_json", message)
    return None


def read_body(data: bytes) -> bytes:
    """Return the body as written, b"" without one; ``data`` must have been read as an object."""
    return bytes(_decode_envelope(data).body)


def find_repeated_keys(request: dict[str, Any], data: bytes, body: bytes) -> list[RequestFinding]:
    """Find keys that ``data`` has twice, in its envelope or in ``body``, see ``read_body``.

    The provider refuses a line that has one of the four fields twice, while most readers accept
    it. If the body has a field twice, the last one counts.
    """
    findings: list[RequestFinding] = []
    if _may_have_fifth_field(request, len(data) - len(body)) and _is_any_repeated(data, KEYS):
        envelope = data.replace(body, b"0", 1) if body.startswith(b"{") else data
        for name in _find_repeated(envelope, KEYS):
            message = f"The line has {name} twice; keep the one that is meant."
            findings.append(RequestFinding("repeated_key", message))
    # All BODY_KEYS begin with an m, so that one search is enough for most bodies.
    is_usual = body.count(b'"m') <= _count_body_keys(request.get("body"))
    if not is_usual and _is_any_repeated(body, BODY_KEYS) and body.startswith(b"{"):
        for name in _find_repeated(body, BODY_KEYS):
            message = (
                f"body has {name} twice, and the last one counts; keep the one that is meant."
            )
            findings.append(RequestFinding("repeated_body_key", message))
    return findings


def encode_compact(value: object) -> bytes:
    """Encode ``value`` as the provider stores it, without white space."""
    return msgspec.json.encode(value)


def find_custom_id(data: bytes) -> str:
    """Return a custom_id that is visible near the start of an unreadable line, else ""."""
    visible_id = VISIBLE_ID.search(data[:4096])
    return visible_id[1].decode(errors="replace") if visible_id else ""


def _may_have_fifth_field(request: dict[str, Any], size: int) -> bool:
    """Return True if ``size`` bytes around the body can hold more than the four fields.

    This saves most lines the search for repeated fields.
    """
    custom_id, method, url = request.get("custom_id"), request.get("method"), request.get("url")
    if isinstance(custom_id, str) and isinstance(method, str) and isinstance(url, str):
        texts = len(custom_id) + len(method) + len(url)
        return size >= BARE_ENVELOPE_BYTES + texts + SHORTEST_FIELD_BYTES
    return True


def _count_body_keys(body: object) -> int:
    if not isinstance(body, dict):
        return 0
    return ("model" in body) + ("messages" in body) + ("max_tokens" in body)


def _is_any_repeated(data: bytes, keys: tuple[bytes, ...]) -> bool:
    """Return True if ``data`` contains any of ``keys`` twice, at any level; this is quick."""
    for key in keys:  # noqa: SIM110  # a generator costs more than the search
        if data.count(key) > 1:
            return True
    return False


def _find_repeated(data: bytes, keys: tuple[bytes, ...]) -> list[str]:
    """Return those of ``keys`` that the outermost object of ``data`` has twice or more."""
    pairs: list[tuple[str, object]] = []

    def remember(latest: list[tuple[str, object]]) -> None:
        pairs[:] = latest  # the outermost object comes last

    json.loads(data, object_pairs_hook=remember)
    written = [name for name, _ in pairs]
    names = [key.decode().strip('"') for key in keys]
    return [name for name in names if written.count(name) > 1]


def _explain_unreadable(data: bytes, *, explain: bool) -> RequestFinding:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return RequestFinding(
            "invalid_utf8",
            f"Byte {error.start + 1:,} of the line is not UTF-8; save the file as UTF-8 (it may "
            "be Windows-1252 or Latin-1 now).",
        )
    return json_errors.find_mistake(data, explain=explain)


def _has_infinite_number(data: bytes) -> bool:
    """Read whole numbers as floats, as the provider does, which refuses them if infinite."""
    try:
        json.loads(data, parse_int=_read_finite)
    except OverflowError:
        return True
    return False


def _read_finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise OverflowError
    return number


def _is_too_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _is_too_deep_where_repeated(value: dict[str, Any], data: bytes) -> bool:
    """Count in the text, if ``value`` has fewer brackets than ``data``.

    ``value`` lacks the first of two fields of one name. The comparison saves most lines the count.
    """
    if _count_brackets(encode_compact(value)) == _count_brackets(data):
        return False
    return _depth(data) > MAX_DEPTH


def _depth(data: bytes) -> int:
    """Return how many brackets outside of texts are open at once at most."""
    brackets = TEXT.sub(b"", data).translate(None, NO_BRACKETS)
    return max(accumulate(map(DEPTH_STEPS.__getitem__, brackets)), default=0)


def _count_brackets(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")
