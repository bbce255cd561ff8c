"""JSON decoding with the error texts of serde, the JSON library of the provider."""

import json
import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

# A number beyond the range of floats has at least 309 digits, so at least ten of every 30th byte.
SAMPLE_STEP, LONG_NUMBER_SAMPLE = 30, b"0" * 10
# Maps every digit to 0 and every other byte to a space.
DIGIT_TABLE = bytes(48 if chr(byte).isdecimal() else 32 for byte in range(256))
MAX_DEPTH = 127  # of objects and lists
_BRACKET_OR_STRING = re.compile(rb'[\[{]|[\]}]|"(?:[^"\\]+|\\.)*"?', re.DOTALL)
Shape = TypeVar("Shape", bound=msgspec.Struct)


class JsonError(Exception):
    """``is_syntax`` distinguishes invalid JSON from JSON of another shape."""

    def __init__(self, text: str, *, is_syntax: bool) -> None:
        super().__init__(text)
        self.is_syntax = is_syntax


def decode(raw: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape:
    """Decode one JSON document.

    Raises:
        JsonError: ``raw`` is not JSON, is nested too deeply, or a field is missing, is there
            twice or has another type.
    """
    # Fewer brackets than that cannot be too deep; this saves most documents the search.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _reject_depth(raw)
    try:
        value = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _serde_error(raw, decoder.type, exc) from exc
    names = _field_names(decoder.type)
    if b"\\u" in raw or any(raw.count(b'"%s"' % name.encode()) > 1 for name in names):
        _reject_duplicate(raw, names)
    if LONG_NUMBER_SAMPLE in raw[::SAMPLE_STEP].translate(DIGIT_TABLE):
        _reject_infinity(raw)
    return value


@cache
def _field_names(shape: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(shape))


def _reject_depth(raw: bytes) -> None:
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(raw):
        character = match[0][:1]
        depth += character in b"[{"
        depth -= character in b"]}"
        if depth > MAX_DEPTH:
            text = f"recursion limit exceeded at line 1 column {match.end()}"
            raise JsonError(text, is_syntax=True)


def _reject_duplicate(raw: bytes, names: Sequence[str]) -> None:
    """Raise JsonError if the outer object has one of ``names`` twice."""
    objects: list[list[tuple[str, Any]]] = []
    json.loads(raw, object_pairs_hook=objects.append)
    # The hook is called for the outer object at the end.
    keys = [key for key, _value in objects[-1]]
    for name in names:
        if keys.count(name) > 1:
            text = f"duplicate field `{name}` at line 1 column {len(raw)}"
            raise JsonError(text, is_syntax=False)


def _reject_infinity(raw: bytes) -> None:
    """Raise JsonError for an integer that serde would parse as an infinite float."""

    def parse_finite(digits: str) -> float:
        if math.isinf(number := float(digits)):
            text = f"number out of range at line 1 column {raw.index(digits.encode()) + 310}"
            raise JsonError(text, is_syntax=True)
        return number

    json.loads(raw, parse_int=parse_finite)


def _serde_error(raw: bytes, shape: Any, error: Exception) -> JsonError:
    """Return the error of serde for ``raw``, of which msgspec has reported ``error``."""
    end = f"at line 1 column {len(raw)}"
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return JsonError(_syntax_error(str(exc), len(raw)), is_syntax=True)
    if not isinstance(value, dict):
        return JsonError(
            f"invalid type: {_describe(value)}, expected struct {shape.__name__} {end}",
            is_syntax=False,
        )
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for name, item in value.items():
        if name in fields and fields[name].type is str and not isinstance(item, str):
            text = f"{name}: invalid type: {_describe(item)}, expected a string {end}"
            return JsonError(text, is_syntax=False)
    for name, field in fields.items():
        if name not in value and field.required:
            return JsonError(f"missing field `{name}` {end}", is_syntax=False)
    return JsonError(f"invalid type: {error}, {end}", is_syntax=False)


def _syntax_error(message: str, length: int) -> str:
    position = re.search(r"\(byte (\d+)\)", message)
    if position is None:
        return f"EOF while parsing a value at line 1 column {length}"
    reason = "trailing characters" if "trailing" in message else "expected value"
    return f"{reason} at line 1 column {int(position[1]) + 1}"


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, str):
        return f'string "{value}"'
    if isinstance(value, int | float):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    return "map" if isinstance(value, dict) else "sequence"
