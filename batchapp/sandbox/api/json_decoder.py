"""JSON decoding with the error texts of serde, the JSON library of the provider."""

import json
import math
import re
from typing import Any, TypeVar

import msgspec

# A number beyond the range of floats has at least 309 digits, so at least ten of every 30th byte.
SAMPLE_STEP, LONG_NUMBER_SAMPLE = 30, b"0" * 10
# Maps every digit to 0 and every other byte to a space.
DIGIT_TABLE = bytes(48 if chr(byte).isdecimal() else 32 for byte in range(256))
Shape = TypeVar("Shape", bound=msgspec.Struct)


class JsonError(Exception):
    """``is_syntax`` distinguishes invalid JSON from JSON of another shape."""

    def __init__(self, text: str, *, is_syntax: bool) -> None:
        super().__init__(text)
        self.is_syntax = is_syntax


def decode(raw: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape:
    """Decode one JSON document.

    Raises:
        JsonError: ``raw`` is not JSON, or a field is missing or has another type.
    """
    try:
        value = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _serde_error(raw, decoder.type, exc) from exc
    if LONG_NUMBER_SAMPLE in raw[::SAMPLE_STEP].translate(DIGIT_TABLE):
        _reject_infinity(raw)
    return value


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
