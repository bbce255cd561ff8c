"""What a request asks for, whichever of the four text APIs it is written for."""

from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 765


@dataclass(slots=True)
class Tool:
    name: str
    parameters: JsonObject


@dataclass(slots=True)
class Conversation:
    """The parts of a request an answer depends on."""

    system: str = ""
    prompt: str = ""
    """The last thing the user said."""
    last_role: str = "user"
    characters: int = 0
    messages: int = 0
    images: int = 0
    tools: list[Tool] = field(default_factory=list)
    required_tool: str | None = None
    schema: JsonObject | None = None
    """What the answer must be valid against."""
    wants_json: bool = False
    max_tokens: int | None = None
    choices: int = 1

    @property
    def prompt_tokens(self) -> int:
        text = -(-self.characters // CHARACTERS_PER_TOKEN)
        return text + self.messages * TOKENS_PER_MESSAGE + self.images * TOKENS_PER_IMAGE


def conversation(url: str, body: JsonObject) -> Conversation:
    """Read ``body`` as a request to ``url``; whatever makes no sense is passed over."""
    talk = Conversation()
    _READERS[url](talk, body)
    return talk


def _read_chat(talk: Conversation, body: JsonObject) -> None:
    _read_messages(talk, body.get("messages"))
    wanted = _object(body.get("response_format"))
    _read_format(talk, wanted, _object(wanted.get("json_schema")))
    _read_tools(talk, body, [_object(tool).get("function") for tool in _list(body.get("tools"))])
    talk.max_tokens = _positive(body.get("max_completion_tokens")) or _positive(
        body.get("max_tokens")
    )
    talk.choices = min(_positive(body.get("n")) or 1, 16)


def _read_completion(talk: Conversation, body: JsonObject) -> None:
    prompt = body.get("prompt")
    texts = prompt if isinstance(prompt, list) else [prompt]
    for text in texts:
        _read_message(talk, "user", text if isinstance(text, str) else "")
    talk.max_tokens = _positive(body.get("max_tokens")) or 16
    talk.choices = len(texts) * min(_positive(body.get("n")) or 1, 16)


def _read_response(talk: Conversation, body: JsonObject) -> None:
    if isinstance(body.get("instructions"), str):
        _read_message(talk, "system", body["instructions"])
    if isinstance(body.get("input"), str):
        _read_message(talk, "user", body["input"])
    else:
        _read_messages(talk, body.get("input"))
    wanted = _object(_object(body.get("text")).get("format"))
    _read_format(talk, wanted, wanted)
    _read_tools(talk, body, _list(body.get("tools")))
    talk.max_tokens = _positive(body.get("max_output_tokens"))


def _read_anthropic(talk: Conversation, body: JsonObject) -> None:
    if body.get("system"):
        _read_message(talk, "system", body["system"])
    _read_messages(talk, body.get("messages"))
    _read_tools(talk, body, _list(body.get("tools")))
    talk.max_tokens = _positive(body.get("max_tokens"))


_READERS = {
    "/v1/chat/completions": _read_chat,
    "/v1/completions": _read_completion,
    "/v1/responses": _read_response,
    "/v1/messages": _read_anthropic,
}


def _read_messages(talk: Conversation, messages: object) -> None:
    for message in _list(messages):
        item = _object(message)
        role = item.get("role")
        if item.get("type") == "function_call_output":
            role = "tool"
        _read_message(talk, role if isinstance(role, str) else "user", item.get("content"))


def _read_message(talk: Conversation, role: str, content: object) -> None:
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        text = part if isinstance(part, str) else _object(part).get("text")
        kind = str(_object(part).get("type", ""))
        if isinstance(text, str):
            texts.append(text)
        elif "image" in kind:
            talk.images += 1
        elif kind == "tool_result":
            role = "tool"
    text = "\n".join(texts)
    talk.characters += len(text)
    talk.messages += 1
    talk.last_role = role
    if role in {"system", "developer"}:
        talk.system = text
    elif role == "user":
        talk.prompt = text


def _read_format(talk: Conversation, wanted: JsonObject, holder: JsonObject) -> None:
    talk.wants_json = wanted.get("type") in {"json_object", "json_schema"}
    if wanted.get("type") == "json_schema" and isinstance(holder.get("schema"), dict):
        talk.schema = holder["schema"]


def _read_tools(talk: Conversation, body: JsonObject, tools: list[Any]) -> None:
    choice = body.get("tool_choice")
    if choice == "none" or _object(choice).get("type") == "none":
        return
    for tool in map(_object, tools):
        parameters = tool.get("parameters", tool.get("input_schema"))
        if isinstance(tool.get("name"), str):
            talk.tools.append(Tool(tool["name"], _object(parameters)))
    required = _object(choice).get("name", _object(_object(choice).get("function")).get("name"))
    talk.required_tool = required if isinstance(required, str) else None


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _positive(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value > 0 else None  # type: ignore[operator,return-value]
