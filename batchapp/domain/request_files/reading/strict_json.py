"""One line read as strictly as the provider reads it, or what is wrong with it."""

import json
import math
import re
from typing import Any

import msgspec

from batchapp.domain.request_files.limits import MAX_DEPTH
from batchapp.domain.request_files.reading import json_errors
from batchapp.domain.request_files.rules.request_rules import RequestFinding, describe_type

KEYS = (b'"custom_id"', b'"method"', b'"url"', b'"body"')
BODY_KEYS = (b'"model"', b'"messages"', b'"max_tokens"')
FOUR_FIELDS = len(b'{"custom_id":"","method":"","url":"","body":}')
VISIBLE_ID = re.compile(rb'"custom_id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,64})"')
TOO_DEEP = RequestFinding(
    "too_deep",
    f"The request has brackets more than {MAX_DEPTH} levels deep, which the provider does not "
    "read; flatten it.",
)


APART = 30
TEN_APART = b"0" * 10
"""Of every so many bytes one is looked at: the least number beyond all floats, which has 309
digits, shows ten times on end."""

DIGITS = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))


class _Envelope(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder().decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_object(data: bytes, *, explain: bool) -> dict[str, Any] | RequestFinding:
    """The JSON object on a line that is not blank; ``explain`` costs a second reading."""
    try:
        value = _decode(data)
    except UnicodeDecodeError:
        return RequestFinding("invalid_utf8", _not_utf8(data))
    except RecursionError:
        return TOO_DEEP
    except msgspec.DecodeError:
        return _unreadable(data, explain=explain)
    if not isinstance(value, dict):
        return RequestFinding(
            "not_an_object",
            f"The line is {describe_type(value)}; a request is a JSON object: "
            '{"custom_id": …, "method": "POST", "url": …, "body": {…}}.',
        )
    return _fault_in(value, data, explain=explain) or value


def _fault_in(value: dict[str, Any], data: bytes, *, explain: bool) -> RequestFinding | None:
    """What the provider's reader does not take, though ours read ``data`` as ``value``."""
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        return TOO_DEEP
    if TEN_APART in data[::APART].translate(DIGITS) and _has_vast_number(data):
        return _unreadable(data, explain=explain)
    return None


def read_body(data: bytes) -> bytes:
    """The body as it is written, b"" without one; ``data`` has been read as an object."""
    return bytes(_decode_envelope(data).body)


def find_repeated_keys(request: dict[str, Any], data: bytes, body: bytes) -> list[RequestFinding]:
    """The provider refuses a line that names one of its four fields twice; most readers do not.

    Of a field of the body that stands there twice, it takes the last. ``body`` is the part of
    ``data`` that ``written_body`` found.
    """
    found: list[RequestFinding] = []
    if _has_room_for_more(request, len(data) - len(body)) and _is_repeated(data, KEYS):
        envelope = data.replace(body, b"0", 1) if body.startswith(b"{") else data
        found.extend(
            RequestFinding(
                "repeated_key", f"The line has {name} twice; keep the one that is meant."
            )
            for name in _repeated(envelope, KEYS)
        )
    is_usual = body.count(b'"m') <= _m_fields(request.get("body"))
    if not is_usual and _is_repeated(body, BODY_KEYS) and body.startswith(b"{"):
        found.extend(
            RequestFinding(
                "repeated_body_key",
                f"body has {name} twice, and the last one counts; keep the one that is meant.",
            )
            for name in _repeated(body, BODY_KEYS)
        )
    return found


def encode_compact(value: object) -> bytes:
    """``value`` as the provider stores it, without white space."""
    return msgspec.json.encode(value)


def find_custom_id(data: bytes) -> str:
    """A custom_id that can be seen near the start of a line that cannot be read, else ""."""
    seen = VISIBLE_ID.search(data[:4096])
    return seen[1].decode() if seen else ""


def _has_room_for_more(request: dict[str, Any], size: int) -> bool:
    """Whether ``size`` bytes around a body can hold more than the four fields, each once.

    Saves most lines the search for a second one: the shortest field takes 9 bytes.
    """
    custom_id, method, url = request.get("custom_id"), request.get("method"), request.get("url")
    if isinstance(custom_id, str) and isinstance(method, str) and isinstance(url, str):
        return size >= FOUR_FIELDS + len(custom_id) + len(method) + len(url) + 9
    return True


def _m_fields(body: object) -> int:
    """How many of ``BODY_KEYS`` are there; mostly one search for what all begin with is enough."""
    if not isinstance(body, dict):
        return 0
    return ("model" in body) + ("messages" in body) + ("max_tokens" in body)


def _is_repeated(data: bytes, keys: tuple[bytes, ...]) -> bool:
    """Whether any of ``keys`` is written more than once, wherever that is: seldom, and quick."""
    for key in keys:  # noqa: SIM110  # a generator costs more than the search
        if data.count(key) > 1:
            return True
    return False


def _repeated(data: bytes, keys: tuple[bytes, ...]) -> list[str]:
    """Which of ``keys`` the outermost object of ``data`` has more than once."""
    pairs: list[tuple[str, object]] = []

    def remember(latest: list[tuple[str, object]]) -> None:
        pairs[:] = latest  # the outermost object comes last

    json.loads(data, object_pairs_hook=remember)
    names = [name for name, _ in pairs]
    wanted = [key.decode().strip('"') for key in keys]
    return [name for name in wanted if names.count(name) > 1]


def _unreadable(data: bytes, *, explain: bool) -> RequestFinding:
    try:
        data.decode()
    except UnicodeDecodeError:
        return RequestFinding("invalid_utf8", _not_utf8(data))
    return RequestFinding("invalid_json", json_errors.explain(data) if explain else "")


def _not_utf8(data: bytes) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return (
            f"Byte {error.start + 1:,} of the line is not UTF-8; save the file as UTF-8 (it may "
            "be Windows-1252 or Latin-1 now)."
        )
    return "The line is not UTF-8; save the file as UTF-8."


def _has_vast_number(data: bytes) -> bool:
    """The provider reads a whole number of any length as a float, and refuses it as infinite."""
    try:
        json.loads(data, parse_int=_finite)
    except OverflowError:
        return True
    return False


def _finite(digits: str) -> float:
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
