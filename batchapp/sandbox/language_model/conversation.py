"""The parts of a request that its answer depends on, the same for all four text APIs."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

JsonObject = dict[str, Any]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 765


@dataclass(slots=True)
class PromptSize:
    """The parts of a prompt, or of its beginning, that its tokens depend on."""

    characters: int = 0
    messages: int = 0
    images: int = 0

    @property
    def tokens(self) -> int:
        text = -(-self.characters // CHARACTERS_PER_TOKEN)
        return text + self.messages * TOKENS_PER_MESSAGE + self.images * TOKENS_PER_IMAGE

    def add_part(self, part: object) -> None:
        """Add a part of a message's content: a text, an image, or the result of a tool."""
        text = part if isinstance(part, str) else _object(part).get("text")
        kind = str(_object(part).get("type", ""))
        if isinstance(text, str):
            self.characters += len(text)
        elif "image" in kind:
            self.images += 1
        elif kind == "tool_use":
            self.add_json(_object(part).get("input"))
        elif kind == "tool_result":
            content = _object(part).get("content")
            for item in content if isinstance(content, list) else [content]:
                self.add_part(item)

    def add_json(self, value: object) -> None:
        """Add a value that the model receives as JSON, such as the definition of a tool."""
        self.characters += len(msgspec.json.encode(value))


@dataclass(slots=True)
class Tool:
    name: str
    parameters: JsonObject


@dataclass(slots=True)
class Conversation:
    system: str = ""
    prompt: str = ""  # the last message of the user
    last_role: str = "user"
    size: PromptSize = field(default_factory=PromptSize)
    tools: list[Tool] = field(default_factory=list)
    required_tool: str | None = None
    schema: JsonObject | None = None  # the JSON schema of the answer
    wants_json: bool = False
    max_tokens: int | None = None
    choices: int = 1


def parse_conversation(url: str, body: JsonObject) -> Conversation:
    """Read ``body`` as a request to ``url`` and ignore fields of a wrong type."""
    conversation = Conversation()
    _READERS[url](conversation, body)
    return conversation


def _read_chat(conversation: Conversation, body: JsonObject) -> None:
    _read_messages(conversation, body.get("messages"))
    response_format = _object(body.get("response_format"))
    _read_format(conversation, response_format, _object(response_format.get("json_schema")))
    functions = [_object(tool).get("function") for tool in _list(body.get("tools"))]
    _read_tools(conversation, body, functions)
    completion_limit = _positive(body.get("max_completion_tokens"))
    conversation.max_tokens = completion_limit or _positive(body.get("max_tokens"))
    conversation.choices = min(_positive(body.get("n")) or 1, 16)


def _read_completion(conversation: Conversation, body: JsonObject) -> None:
    prompt = body.get("prompt")
    texts = prompt if isinstance(prompt, list) else [prompt]
    for text in texts:
        _read_message(conversation, "user", text if isinstance(text, str) else "")
    conversation.max_tokens = _positive(body.get("max_tokens")) or 16
    conversation.choices = len(texts) * min(_positive(body.get("n")) or 1, 16)


def _read_response(conversation: Conversation, body: JsonObject) -> None:
    if isinstance(body.get("instructions"), str):
        _read_message(conversation, "system", body["instructions"])
    if isinstance(body.get("input"), str):
        _read_message(conversation, "user", body["input"])
    else:
        _read_messages(conversation, body.get("input"))
    response_format = _object(_object(body.get("text")).get("format"))
    _read_format(conversation, response_format, response_format)
    _read_tools(conversation, body, _list(body.get("tools")))
    conversation.max_tokens = _positive(body.get("max_output_tokens"))


def _read_anthropic(conversation: Conversation, body: JsonObject) -> None:
    if body.get("system"):
        _read_message(conversation, "system", body["system"])
    _read_messages(conversation, body.get("messages"))
    _read_tools(conversation, body, _list(body.get("tools")))
    conversation.max_tokens = _positive(body.get("max_tokens"))


_READERS = {
    "/v1/chat/completions": _read_chat,
    "/v1/completions": _read_completion,
    "/v1/responses": _read_response,
    "/v1/messages": _read_anthropic,
}


def _read_messages(conversation: Conversation, messages: object) -> None:
    for message in _list(messages):
        item = _object(message)
        role = item.get("role")
        if item.get("type") == "function_call_output":
            role = "tool"
        _read_message(conversation, role if isinstance(role, str) else "user", item.get("content"))
        calls = item.get("tool_calls")
        for call in calls if role == "assistant" and isinstance(calls, list) else []:
            conversation.size.add_json(without_marker(call))


def _read_message(conversation: Conversation, role: str, content: object) -> None:
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        text = part if isinstance(part, str) else _object(part).get("text")
        if isinstance(text, str):
            texts.append(text)
        elif _object(part).get("type") == "tool_result":
            role = "tool"
        conversation.size.add_part(part)
    text = "\n".join(texts)
    conversation.size.messages += 1
    conversation.last_role = role
    if role in {"system", "developer"}:
        conversation.system = text
    elif role == "user":
        conversation.prompt = text


def _read_format(
    conversation: Conversation, response_format: JsonObject, schema_parent: JsonObject
) -> None:
    kind = response_format.get("type")
    conversation.wants_json = kind in {"json_object", "json_schema"}
    if kind == "json_schema" and isinstance(schema_parent.get("schema"), dict):
        conversation.schema = schema_parent["schema"]


def _read_tools(conversation: Conversation, body: JsonObject, tools: list[Any]) -> None:
    for tool in tool_list(body):
        conversation.size.add_json(without_marker(tool))
    choice = body.get("tool_choice")
    if choice == "none" or _object(choice).get("type") == "none":
        return
    for tool in map(_object, tools):
        parameters = tool.get("parameters", tool.get("input_schema"))
        if isinstance(tool.get("name"), str):
            conversation.tools.append(Tool(tool["name"], _object(parameters)))
    required = _object(choice).get("name", _object(_object(choice).get("function")).get("name"))
    conversation.required_tool = required if isinstance(required, str) else None


def tool_list(body: JsonObject) -> list[Any]:
    return _list(body.get("tools"))


def message_list(url: str, body: JsonObject) -> list[JsonObject]:
    """Return the messages of a chat request; ``system`` of ``/v1/messages`` becomes the first."""
    messages = [_object(message) for message in _list(body.get("messages"))]
    if url == "/v1/messages" and body.get("system"):
        return [{"role": "system", "content": body["system"]}, *messages]
    return messages


def without_marker(value: Any) -> Any:
    """Return a block or tool as the model receives it: without the marker for the cache."""
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name != "cache_control"}


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _positive(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value > 0 else None  # type: ignore[operator,return-value]
