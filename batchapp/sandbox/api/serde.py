"""Decoding JSON, with the error texts of the provider's JSON library (Rust's serde)."""

import json
import math
import re
from typing import Any, TypeVar

import msgspec

APART, DIGITS_APART = 30, b"0" * 10
"""A number beyond all floats has 309 digits: ten, if one looks at every thirtieth byte."""

DIGITS = bytes(48 if chr(byte).isdecimal() else 32 for byte in range(256))
Shape = TypeVar("Shape", bound=msgspec.Struct)


class SerdeError(Exception):
    """``str()`` is serde's text; ``is_syntax`` tells broken JSON from a wrong shape."""

    def __init__(self, text: str, *, is_syntax: bool) -> None:
        super().__init__(text)
        self.is_syntax = is_syntax


def decode(raw: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape:
    """One JSON document as ``Shape``.

    Raises:
        SerdeError: it is not JSON, or lacks a field, or one has another type.
    """
    try:
        found = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _explained(raw, decoder.type, exc) from exc
    if DIGITS_APART in raw[::APART].translate(DIGITS):
        _refuse_infinity(raw)
    return found


def _refuse_infinity(raw: bytes) -> None:
    """Serde makes a float of a whole number that is too large for 64 bits; msgspec does not."""

    def finite(digits: str) -> float:
        if math.isinf(number := float(digits)):
            text = f"number out of range at line 1 column {raw.index(digits.encode()) + 310}"
            raise SerdeError(text, is_syntax=True)
        return number

    json.loads(raw, parse_int=finite)


def _explained(raw: bytes, shape: Any, error: Exception) -> SerdeError:
    """Say what serde would; msgspec found the fault, but words it otherwise."""
    end = f"at line 1 column {len(raw)}"
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return SerdeError(_syntax_fault(str(exc), len(raw)), is_syntax=True)
    if not isinstance(value, dict):
        return SerdeError(
            f"invalid type: {_unexpected(value)}, expected struct {shape.__name__} {end}",
            is_syntax=False,
        )
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for name, item in value.items():
        if name in fields and fields[name].type is str and not isinstance(item, str):
            text = f"{name}: invalid type: {_unexpected(item)}, expected a string {end}"
            return SerdeError(text, is_syntax=False)
    for name, field in fields.items():
        if name not in value and field.required:
            return SerdeError(f"missing field `{name}` {end}", is_syntax=False)
    return SerdeError(f"invalid type: {error}, {end}", is_syntax=False)


def _syntax_fault(message: str, length: int) -> str:
    found = re.search(r"\(byte (\d+)\)", message)
    if found is None:
        return f"EOF while parsing a value at line 1 column {length}"
    what = "trailing characters" if "trailing" in message else "expected value"
    return f"{what} at line 1 column {int(found[1]) + 1}"


def _unexpected(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, str):
        return f'string "{value}"'
    if isinstance(value, int | float):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    return "map" if isinstance(value, dict) else "sequence"
