"""Read the fields of an answer that is a JSON object."""

import json
import re
from typing import NamedTuple

import msgspec

from batchapp.domain.results.outcome import storable_text

MAX_CHARACTERS = 256 * 1024  # of an answer that is read as JSON; a longer one stays a text
MAX_FIELDS = 200  # of one answer
MAX_NAME_LENGTH = 100  # characters
FENCE = re.compile(r"\A\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


class AnswerField(NamedTuple):
    """A field of an answer: its ``kind`` and its value as text, None for JSON's null.

    ``kind`` is "text", "number", "boolean", "null", or "json" for lists and objects. A number is
    written as the answer has it.
    """

    kind: str
    text: str | None


def answer_fields(text: str) -> dict[str, AnswerField]:
    """Return the fields of an answer that is one JSON object, else none.

    A fence of Markdown around the object, which models like to write, does not count. Characters
    that cannot be stored are replaced, in names as well.
    """
    if len(text) > MAX_CHARACTERS:
        return {}
    if text.lstrip().startswith("```") and (fenced := FENCE.match(text)):
        text = fenced[1]
    if not text.lstrip().startswith("{"):
        return {}
    return {storable_text(name): _field(raw) for name, raw in _read(text).items()}


def _read(text: str) -> dict[str, bytes]:
    """Return the names and values of the object ``text``, as they are written; {} for none."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        raw = {name: bytes(value) for name, value in fields.items()}
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raw = _read_leniently(text)
    names = [name for name in raw if len(name) <= MAX_NAME_LENGTH][:MAX_FIELDS]
    return {name: raw[name] for name in names}


def _read_leniently(text: str) -> dict[str, bytes]:
    """Do as ``_read`` for half surrogate pairs, which the first reader refuses; written anew."""
    if "\\u" not in text:
        return {}
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {name: json.dumps(value).encode() for name, value in fields.items()}


def _field(raw: bytes) -> AnswerField:
    first = raw[:1]
    if first == b'"':
        return AnswerField("text", storable_text(_string(raw)))
    if first in {b"{", b"["}:
        return AnswerField("json", _plain(raw))
    if first == b"n":
        return AnswerField("null", None)
    return AnswerField("boolean" if first in {b"t", b"f"} else "number", raw.decode())


def _string(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeError):
        value: str = json.loads(raw)  # half of a surrogate pair, which the first reader refuses
        return value


def _plain(raw: bytes) -> str:
    """Return JSON on one line, its values as they are written."""
    try:
        return msgspec.json.format(raw, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return raw.decode(errors="replace")
