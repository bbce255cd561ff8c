"""Show a request turn by turn, for people who do not read JSON."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from batchapp.domain.results.answer_bodies import mapping, text_of

ASKING = {"user", "input", "message", ""}  # roles of turns in which a question may be
NOT_TEXT = "[{}]"  # replaces a part of a message that is no text, with the part's type


class Turn(NamedTuple):
    """One text; ``role`` as in the request ("system", "user"), or "input" without roles."""

    role: str
    text: str


class _Message(msgspec.Struct):
    role: str
    content: str
    tool_calls: msgspec.Raw | None = None


class _Body(msgspec.Struct):
    messages: list[_Message]


class _Request(msgspec.Struct):
    body: _Body


_decode_plain = msgspec.json.Decoder(_Request).decode


def turns(line: bytes) -> list[Turn]:
    """Return the turns of a request line; none if it is cut short or of an unknown shape."""
    try:
        body = mapping(mapping(json.loads(line)).get("body"))
    except (ValueError, RecursionError):
        return []
    system_texts = [_text(body.get(name)) for name in ("system", "instructions")]
    system_turns = [Turn("system", text) for text in system_texts if text]
    messages = body.get("messages")
    content = body.get("input", body.get("prompt"))
    if not isinstance(messages, list) and isinstance(content, list) and _are_turns(content):
        messages = content
    if isinstance(messages, list):
        return system_turns + list(_messages(messages))
    texts = map(_text, _as_list(content))
    return [*system_turns, *(Turn("input", text) for text in texts if text)]


def last_question(line: bytes) -> str:
    """Return what the user said last in a request line; "" if it cannot be told."""
    try:  # most requests have texts only, and are read in a third of the time
        for message in reversed(_decode_plain(line).body.messages):
            if message.role in ASKING and message.content and message.tool_calls is None:
                return message.content
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    questions = [turn.text for turn in turns(line) if turn.role in ASKING]
    return questions[-1] if questions else ""


def _are_turns(values: list[object]) -> bool:
    return any(isinstance(value, dict) and "role" in value for value in values)


def _messages(messages: list[object]) -> Iterator[Turn]:
    for message in messages:
        fields = mapping(message)
        calls = map(_call, _as_list(fields.get("tool_calls")))
        if text := "\n".join(filter(None, [_text(fields.get("content")), *calls])):
            yield Turn(text_of(fields.get("role")) or "message", text)


def _call(value: object) -> str:
    function = mapping(mapping(value).get("function"))
    return f"{text_of(function.get('name'))}({text_of(function.get('arguments'))})"


def _text(content: object) -> str:
    """Return a string as it is, and a list of parts as lines: their texts, else their types."""
    if isinstance(content, str):
        return content
    parts = []
    for part in _as_list(content):
        fields = mapping(part)
        kind = text_of(fields.get("type")) or "part"
        text = part if isinstance(part, str) else fields.get("text")
        parts.append(text if isinstance(text, str) else NOT_TEXT.format(kind))
    return "\n".join(parts)


def _as_list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
