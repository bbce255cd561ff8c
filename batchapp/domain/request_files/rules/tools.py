"""Find tools, and choices of a tool, in another shape than the url takes them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.rules.parameters import CHAT, MESSAGES, RESPONSES

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME_WORDS = "a name of at most 64 letters, digits, _ or -"
MAX_ECHO = 24  # characters of a name in a message


class ToolShape(NamedTuple):
    """The tools of one url: an example of a tool, and the fields that its choice has.

    ``words`` are the choices without a name: as texts, or as types of an object.
    """

    example: str
    words: tuple[str, ...]
    choice: str


SHAPES = {
    CHAT: ToolShape(
        '{"type": "function", "function": {"name": …, "parameters": {…}}}',
        ("none", "auto", "required"),
        '{"type": "function", "function": {"name": …}}',
    ),
    RESPONSES: ToolShape(
        '{"type": "function", "name": …, "parameters": {…}}',
        ("none", "auto", "required"),
        '{"type": "function", "name": …}',
    ),
    MESSAGES: ToolShape(
        '{"name": …, "input_schema": {…}}',
        ("none", "auto", "any"),
        '{"type": "tool", "name": …}',
    ),
}


def find_wrong_tools(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    """Yield the findings of ``tools`` and ``tool_choice``, and of the calls in a conversation."""
    shape = SHAPES.get(url)
    if shape is None:
        return
    tools = body.get("tools")
    if tools is not None:
        problem = _find_wrong_tool(tools, url, shape)
        if problem:
            yield _finding("bad_tool", problem)
            return
    choice = body.get("tool_choice")
    if choice is not None and (problem := _find_wrong_choice(choice, tools, url, shape)):
        yield _finding("bad_tool_choice", problem)


def _finding(code: str, problem: str) -> RequestFinding:
    what, _, advice = problem.partition("; ")
    return RequestFinding(code, f"{what}, so this request will fail; {advice}.")


def _find_wrong_tool(tools: object, url: str, shape: ToolShape) -> str:
    if not isinstance(tools, list):
        return f"tools is no list; write [{shape.example}]"
    if not tools:
        return "tools is an empty list; leave it out, or add a tool"
    for number, tool in enumerate(tools, 1):
        if words := _describe_wrong_tool(tool, url):
            advice = words if ";" in words else f"{words}; write {shape.example}"
            return f"Tool {number:,} {advice}"
    return ""


def _describe_wrong_tool(tool: object, url: str) -> str:
    """Say what is wrong with one tool; "" if nothing is."""
    if not isinstance(tool, dict):
        return "is no object"
    kind = tool.get("type")
    words = ""
    if url == MESSAGES:
        words = "" if _is_own(kind) else _describe_wrong_function(tool, "input_schema")
    elif "input_schema" in tool:
        words = "has the shape of Anthropic's API"
    elif url == RESPONSES and kind == "function" and "function" in tool and "name" not in tool:
        words = "has the shape of chat completions"
    elif kind == "function":
        function = tool.get("function") if url == CHAT else tool
        words = "has no function"
        if isinstance(function, dict):
            words = _describe_wrong_function(function, "")
    elif not isinstance(kind, str):
        words = "has no type"
    elif url == CHAT and kind != "custom":
        words = "has a type that is not function"
    return words


def _is_own(kind: object) -> bool:
    """Return True for a tool of Anthropic's own, such as web_search_20250305."""
    return isinstance(kind, str) and kind not in {"custom", "function"}


def _describe_wrong_function(function: dict[str, Any], schema: str) -> str:
    name = function.get("name")
    if schema and ("function" in function or function.get("type") == "function"):
        return "has the shape of OpenAI's API"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"has no valid name; give it {NAME_WORDS}"
    if schema and not isinstance(function.get(schema), dict):
        return f"has no {schema}"
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        return "has parameters that are no JSON schema"
    return ""


def _find_wrong_choice(choice: object, tools: object, url: str, shape: ToolShape) -> str:
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if not tools:
        return "" if kind == "none" else "tool_choice needs tools; add them, or leave it out"
    is_object = isinstance(choice, dict) and isinstance(kind, str)
    is_word = isinstance(kind, str) and kind in shape.words
    if is_word and is_object == (url == MESSAGES):
        return ""
    if not is_object:
        words = (
            shape.words if url != MESSAGES else (f'{{"type": "{name}"}}' for name in shape.words)
        )
        return f"tool_choice is none of {', '.join(words)}; write one of them, or {shape.choice}"
    if kind in {"function", "tool"}:
        return _find_wrong_name(choice, kind, tools, url, shape)
    return ""


def _find_wrong_name(choice: Any, kind: object, tools: object, url: str, shape: ToolShape) -> str:
    """Check a choice of one tool by its name."""
    holder = choice.get("function") if url == CHAT else choice
    name = holder.get("name") if isinstance(holder, dict) else None
    if not isinstance(name, str) or kind != ("tool" if url == MESSAGES else "function"):
        return f"tool_choice names no tool; write {shape.choice}"
    if name not in _names(tools, url):
        shown = presentable(name, MAX_ECHO)
        return f"tool_choice names “{shown}”, which tools does not have; name one of them"
    return ""


def _names(tools: object, url: str) -> set[object]:
    """Return the names of ``tools``, which are in the shape of ``url``."""
    names: set[object] = set()
    for tool in tools if isinstance(tools, list) else ():
        holder = tool.get("function") if url == CHAT else tool
        name = holder.get("name") if isinstance(holder, dict) else None
        names.add(name if isinstance(name, str) else None)
    return names


def find_wrong_calls(messages: object) -> Iterator[RequestFinding]:
    """Yield findings of the calls of tools and their results in a conversation of a chat."""
    for number, message in enumerate(messages if isinstance(messages, list) else (), 1):
        if not isinstance(message, dict):
            continue
        if message.get("role") == "tool" and not isinstance(message.get("tool_call_id"), str):
            yield _finding(
                "bad_tool_call",
                f"Message {number:,} has the role tool and no tool_call_id; name the call there",
            )
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            arguments = function.get("arguments") if isinstance(function, dict) else None
            if not isinstance(arguments, str):
                yield _finding(
                    "bad_tool_call",
                    f"Message {number:,} calls a tool without arguments as text; write "
                    '{"id": …, "type": "function", "function": {"name": …, "arguments": "{…}"}}',
                )
                break
