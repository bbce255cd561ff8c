"""Print tools and tool calls as Qwen's chat templates do.

Source: vLLM's ``ChatCompletionToolsParam`` for the order of a tool's fields, its
``_postprocess_messages`` for calls, and the ``tojson`` of transformers for the JSON itself.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError

MAX_CACHED_BYTES = 65_536  # of the JSON of a request's tools; longer tools are printed every time


def tool_calls(message: Message) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the arguments of each call, which travel as JSON text."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise UnfamiliarError
    pairs = []
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
        pairs.append((name, arguments))
    return pairs


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def printed_tools(body: Message, prompt: Prompt) -> Sequence[str]:
    """Return each tool as JSON; the parameters are sorted, because the provider stores them so."""
    tools = body.get("tools")
    if not tools:
        return ()
    encoded = msgspec.json.encode(tools)
    is_short = len(encoded) <= MAX_CACHED_BYTES
    lines, is_plain = (_printed_tools if is_short else _printed_tools.__wrapped__)(encoded)
    if not is_plain or body.get("tool_choice") == "none":
        prompt.is_exact = False
    return lines


@lru_cache(maxsize=16)
def _printed_tools(encoded: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the lines, and True if no release of the server leaves out any of their fields."""
    tools = msgspec.json.decode(encoded)
    lines = []
    is_plain = True
    if not isinstance(tools, list):
        raise UnfamiliarError
    for tool in tools:
        if not isinstance(tool, dict) or not isinstance(function := tool.get("function"), dict):
            raise UnfamiliarError
        fields = {name: function.get(name) for name in ("name", "description", "parameters")}
        unusual = {name: function[name] for name in sorted(function.keys() - fields.keys())}
        is_plain = is_plain and not unusual and tool.keys() <= {"type", "function"}
        text = ", ".join(
            f"{to_json(name)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
            for name, value in (fields | unusual).items()
        )
        lines.append(f'{{"type": "function", "function": {{{text}}}}}')
    return tuple(lines), is_plain
