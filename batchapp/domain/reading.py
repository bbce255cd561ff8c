"""One line read as strictly as the provider reads it, or what is wrong with it."""

import json
import re
from typing import Any

import msgspec

from batchapp.domain import malformed
from batchapp.domain.limits import MAX_DEPTH
from batchapp.domain.rules import Finding, kind

KEYS = (b'"custom_id"', b'"method"', b'"url"', b'"body"')
VISIBLE_ID = re.compile(rb'"custom_id"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,64})"')
TOO_DEEP = Finding(
    "too_deep",
    f"The request has brackets more than {MAX_DEPTH} levels deep, which the provider does not "
    "read; flatten it.",
)


class _Envelope(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder().decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_object(data: bytes, *, explain: bool) -> dict[str, Any] | Finding:
    """The JSON object on a line that is not blank; ``explain`` costs a second reading."""
    try:
        value = _decode(data)
    except UnicodeDecodeError:
        return Finding("invalid_utf8", _not_utf8(data))
    except RecursionError:
        return TOO_DEEP
    except msgspec.DecodeError:
        return _unreadable(data, explain=explain)
    if not isinstance(value, dict):
        return Finding(
            "not_an_object",
            f"The line is {kind(value)}; a request is a JSON object: "
            '{"custom_id": …, "method": "POST", "url": …, "body": {…}}.',
        )
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        return TOO_DEEP
    return value


def repeated_keys(data: bytes) -> tuple[Finding, ...]:
    """The provider refuses a line that names one of its four fields twice; most readers do not.

    ``data`` has been read as an object.
    """
    if not any(data.count(key) > 1 for key in KEYS):
        return ()
    body = bytes(_decode_envelope(data).body)
    envelope = data.replace(body, b"0", 1) if body.startswith(b"{") else data
    pairs: list[tuple[str, object]] = []

    def remember(latest: list[tuple[str, object]]) -> None:
        pairs[:] = latest  # the outermost object comes last

    json.loads(envelope, object_pairs_hook=remember)
    names = [name for name, _ in pairs]
    twice = [key.decode().strip('"') for key in KEYS if names.count(key.decode().strip('"')) > 1]
    return tuple(
        Finding("repeated_key", f"The line has {name} twice; keep the one that is meant.")
        for name in twice
    )


def body_length(data: bytes) -> int:
    """Bytes of the body as it is written, 0 without one."""
    return len(bytes(_decode_envelope(data).body))


def visible_id(data: bytes) -> str:
    """A custom_id that can be seen near the start of a line that cannot be read, else ""."""
    seen = VISIBLE_ID.search(data[:4096])
    return seen[1].decode() if seen else ""


def _unreadable(data: bytes, *, explain: bool) -> Finding:
    try:
        data.decode()
    except UnicodeDecodeError:
        return Finding("invalid_utf8", _not_utf8(data))
    return Finding("invalid_json", malformed.why(data) if explain else "")


def _not_utf8(data: bytes) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return (
            f"Byte {error.start + 1:,} of the line is not UTF-8; save the file as UTF-8 (it may "
            "be Windows-1252 or Latin-1 now)."
        )
    return "The line is not UTF-8; save the file as UTF-8."


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
