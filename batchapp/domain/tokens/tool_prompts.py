"""Tools, and calls of them, as Qwen's chat templates print them.

Source: vLLM's ``ChatCompletionToolsParam`` for the order of a tool's fields, its
``_postprocess_messages`` for calls, and the ``tojson`` of transformers for the JSON itself.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError

LONGEST_REMEMBERED = 65_536
"""Bytes of tools that are not printed anew for the next request."""


def tool_calls(message: Message) -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of each, which travel as JSON in a text."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise UnfamiliarError
    found = []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
            raise UnfamiliarError
        arguments = function.get("arguments") or {}
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except (ValueError, RecursionError):
                raise UnfamiliarError from None
        if not isinstance(arguments, dict):
            raise UnfamiliarError
        found.append((name, arguments))
    return found


def printed(value: object) -> str:
    """JSON as the templates print it."""
    return json.dumps(value, ensure_ascii=False)


def printed_tools(body: Message, prompt: Prompt) -> Sequence[str]:
    """Each tool as JSON, its parameters sorted as the provider stores them."""
    tools = body.get("tools")
    if not tools:
        return ()
    encoded = msgspec.json.encode(tools)
    short = len(encoded) <= LONGEST_REMEMBERED
    lines, is_plain = (_printed_tools if short else _printed_tools.__wrapped__)(encoded)
    if not is_plain or body.get("tool_choice") == "none":
        prompt.is_exact = False
    return lines


@lru_cache(maxsize=16)
def _printed_tools(encoded: bytes) -> tuple[tuple[str, ...], bool]:
    """The lines, and whether there is nothing in them that a release may leave out."""
    tools = msgspec.json.decode(encoded)
    lines = []
    is_plain = True
    if not isinstance(tools, list):
        raise UnfamiliarError
    for tool in tools:
        if not isinstance(tool, dict) or not isinstance(function := tool.get("function"), dict):
            raise UnfamiliarError
        fields = {name: function.get(name) for name in ("name", "description", "parameters")}
        others = {name: function[name] for name in sorted(function.keys() - fields.keys())}
        is_plain = is_plain and not others and tool.keys() <= {"type", "function"}
        shown = ", ".join(
            f"{printed(name)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
            for name, value in (fields | others).items()
        )
        lines.append(f'{{"type": "function", "function": {{{shown}}}}}')
    return tuple(lines), is_plain
