"""Requests of Anthropic's messages API, as chat completions.

Source: Anthropic's reference of ``/v1/messages``. Left out are ``cache_control`` and
``anthropic_version``: marks for that service, which carry no text.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from batchapp.domain.request_files.formats.lossless import (
    CannotConvert,
    image_part,
    joined,
    objects,
    refuse_others,
    text_part,
)

SAME_FIELDS = ("model", "max_tokens", "temperature", "top_p", "top_k", "stream")
OTHER_FIELDS = ("messages", "system", "stop_sequences", "tools", "tool_choice", "metadata")
LEFT_OUT = ("cache_control", "anthropic_version")
TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def to_chat(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a chat completion that asks the same.

    Raises:
        CannotConvert: ``params`` has something that a chat completion has no place for.
    """
    refuse_others(params, (*SAME_FIELDS, *OTHER_FIELDS, *LEFT_OUT), "params")
    body = {name: params[name] for name in SAME_FIELDS if name in params}
    body["messages"] = [*_system(params.get("system")), *_messages(params.get("messages"))]
    if "stop_sequences" in params:
        body["stop"] = params["stop_sequences"]
    if "tools" in params:
        body["tools"] = [_tool(tool) for tool in objects(params["tools"], "tools")]
    if "tool_choice" in params:
        body["tool_choice"] = _tool_choice(params["tool_choice"])
    if metadata := params.get("metadata"):
        refuse_others(metadata if isinstance(metadata, dict) else {}, ("user_id",), "metadata")
        body["user"] = metadata["user_id"] if isinstance(metadata, dict) else metadata
    return body


def _system(system: Any) -> Iterator[dict[str, Any]]:
    if system is None:
        return
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    parts = [_part(block, "system") for block in objects(blocks, "system")]
    yield {"role": "system", "content": joined(parts)}


def _messages(messages: Any) -> Iterator[dict[str, Any]]:
    for message in objects(messages, "messages"):
        refuse_others(message, ("role", "content"), "a message")
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "system"):
            raise CannotConvert("a message has a role that is neither user nor assistant")
        if isinstance(content, str):
            yield {"role": role, "content": content}
        elif role == "assistant":
            yield _assistant(objects(content, "content"))
        else:
            yield from _user(role, objects(content, "content"))


def _assistant(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    parts = [_part(block, "content") for block in blocks if block.get("type") != "tool_use"]
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    message: dict[str, Any] = {"role": "assistant", "content": joined(parts) if parts else None}
    return message | ({"tool_calls": calls} if calls else {})


def _user(role: str, blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block.get("type") == "tool_result":
            yield _tool_result(block)
    parts = [_part(block, "content") for block in blocks if block.get("type") != "tool_result"]
    if parts:
        yield {"role": role, "content": joined(parts)}


def _tool_call(block: dict[str, Any]) -> dict[str, Any]:
    refuse_others(block, ("type", "id", "name", "input", *LEFT_OUT), "tool_use")
    arguments = msgspec.json.encode(block.get("input")).decode()
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def _tool_result(block: dict[str, Any]) -> dict[str, Any]:
    refuse_others(block, ("type", "tool_use_id", "content", *LEFT_OUT), "tool_result")
    content = block.get("content", "")
    if not isinstance(content, str):
        content = joined([_part(part, "tool_result") for part in objects(content, "tool_result")])
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}


def _part(block: dict[str, Any], place: str) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "text":
        refuse_others(block, ("type", "text", *LEFT_OUT), place)
        return text_part(block.get("text"), place)
    source = block.get("source")
    if kind != "image" or not isinstance(source, dict):
        raise CannotConvert(f"{place} has a part that is neither text nor an image")
    if source.get("type") == "url" and isinstance(source.get("url"), str):
        return image_part(source["url"])
    data, media = source.get("data"), source.get("media_type")
    if source.get("type") != "base64" or not isinstance(data, str) or not isinstance(media, str):
        raise CannotConvert(f"{place} has an image that is neither an address nor base64")
    return image_part(f"data:{media};base64,{data}")


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    refuse_others(tool, ("name", "description", "input_schema", "type", *LEFT_OUT), "tools")
    if tool.get("type", "custom") != "custom":
        raise CannotConvert("tools has a tool that only Anthropic runs")
    function: dict[str, Any] = {}
    for name in ("name", "description"):
        if name in tool:
            function[name] = tool[name]
    if "input_schema" in tool:
        function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}


def _tool_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        raise CannotConvert("tool_choice is not an object")
    refuse_others(choice, ("type", "name"), "tool_choice")
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    if not isinstance(kind, str) or kind not in TOOL_CHOICES:
        raise CannotConvert("tool_choice has a type that is not known")
    return TOOL_CHOICES[kind]
