"""Requests of Amazon Bedrock: Claude's, Nova's and Llama's, as far as their fields tell.

Source: Bedrock's inference parameters of each model family.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from batchapp.domain.request_files.formats import anthropic
from batchapp.domain.request_files.formats.lossless import (
    CannotConvert,
    joined,
    objects,
    refuse_others,
    text_part,
)

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
COMPLETIONS = "/v1/completions"

NOVA_FIELDS = ("messages", "system", "inferenceConfig", "schemaVersion")
NOVA_SETTINGS = {
    "maxTokens": "max_tokens",
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "top_p": "top_p",
    "topK": "top_k",
    "top_k": "top_k",
    "stopSequences": "stop",
}
PROMPT_SETTINGS = {"max_gen_len": "max_tokens", "max_tokens": "max_tokens", "stop": "stop"}
PROMPT_SETTINGS |= {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}


def to_request(line: Mapping[str, Any], url: str) -> tuple[str, dict[str, Any]]:
    """Return the url and the body of the request; the model is missing if the line names none.

    Raises:
        CannotConvert: the line has something that a request has no place for.
    """
    refuse_others(line, ("recordId", "modelInput", "modelId", "custom_id", "id"), "the line")
    fields = line["modelInput"]
    model = {"model": line["modelId"]} if isinstance(line.get("modelId"), str) else {}
    if "anthropic_version" in fields:
        params = {name: value for name, value in fields.items() if name != "anthropic_version"}
        if url == CHAT:
            return CHAT, model | anthropic.to_chat(params)
        return MESSAGES, model | params
    if isinstance(fields.get("messages"), list):
        return CHAT, model | _from_nova(fields)
    if isinstance(fields.get("prompt"), str):
        refuse_others(fields, ("prompt", *PROMPT_SETTINGS), "modelInput")
        settings = {PROMPT_SETTINGS[name]: fields[name] for name in fields if name != "prompt"}
        return COMPLETIONS, model | {"prompt": fields["prompt"]} | settings
    raise CannotConvert("modelInput has neither messages nor a prompt")


def _from_nova(fields: Mapping[str, Any]) -> dict[str, Any]:
    refuse_others(fields, NOVA_FIELDS, "modelInput")
    body: dict[str, Any] = {"messages": list(_messages(fields))}
    settings = fields.get("inferenceConfig", {})
    if not isinstance(settings, dict):
        raise CannotConvert("inferenceConfig is not an object")
    refuse_others(settings, NOVA_SETTINGS, "inferenceConfig")
    return body | {NOVA_SETTINGS[name]: value for name, value in settings.items()}


def _messages(fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if system := fields.get("system"):
        yield {"role": "system", "content": joined(_texts(system, "system"))}
    for message in objects(fields["messages"], "messages"):
        refuse_others(message, ("role", "content"), "a message")
        content = message.get("content")
        texts = content if isinstance(content, str) else joined(_texts(content, "content"))
        yield {"role": message.get("role"), "content": texts}


def _texts(blocks: Any, place: str) -> list[dict[str, Any]]:
    parts = []
    for block in objects(blocks, place):
        refuse_others(block, ("text",), place)
        parts.append(text_part(block.get("text"), place))
    return parts
