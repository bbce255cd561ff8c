"""What a request says, turn by turn, for people who do not read JSON."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from batchapp.domain.results.answer_bodies import mapping, text_of

NOT_TEXT = "[{}]"
"""Stands for a part that is no text; its type says what it is."""


class Turn(NamedTuple):
    """``role`` as the request names it ("system", "user"), or "input" where there are no roles."""

    role: str
    text: str


def turns(line: bytes) -> list[Turn]:
    """The turns of a request line; none if it is cut short or says nothing that we know."""
    try:
        body = mapping(mapping(json.loads(line)).get("body"))
    except (ValueError, RecursionError):
        return []
    found = [
        Turn("system", text)
        for name in ("system", "instructions")
        if (text := _text(body.get(name)))
    ]
    messages = body.get("messages")
    said = body.get("input", body.get("prompt"))
    if not isinstance(messages, list) and isinstance(said, list) and _are_turns(said):
        messages = said
    if isinstance(messages, list):
        return found + list(_messages(messages))
    return [*found, *(Turn("input", text) for each in _as_list(said) if (text := _text(each)))]


def _are_turns(values: list[object]) -> bool:
    return any(isinstance(value, dict) and "role" in value for value in values)


def _messages(messages: list[object]) -> Iterator[Turn]:
    for message in messages:
        fields = mapping(message)
        calls = [_call(each) for each in _as_list(fields.get("tool_calls"))]
        text = "\n".join(filter(None, [_text(fields.get("content")), *calls]))
        if text:
            yield Turn(text_of(fields.get("role")) or "message", text)


def _call(value: object) -> str:
    function = mapping(mapping(value).get("function"))
    return f"{text_of(function.get('name'))}({text_of(function.get('arguments'))})"


def _text(content: object) -> str:
    """A string as it is; of parts the texts, and for the others what they are."""
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
