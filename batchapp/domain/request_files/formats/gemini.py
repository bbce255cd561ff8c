"""Requests of Vertex AI and Gemini, as chat completions.

Source: the reference of ``generateContent``. Left out are ``safetySettings`` and ``labels``, which
belong to that service.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from batchapp.domain.request_files.formats.lossless import (
    CannotConvert,
    image_part,
    joined,
    objects,
    refuse_others,
    text_part,
)

SETTINGS = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
LEFT_OUT = ("safetySettings", "safety_settings", "labels")
CONTENTS = ("contents", "model", "systemInstruction", "system_instruction")
GENERATION = ("generationConfig", "generation_config")
ROLES = {"user": "user", "model": "assistant", None: "user"}


def to_chat(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a chat completion; the model is missing if the line names none.

    Raises:
        CannotConvert: the line has something that a chat completion has no place for.
    """
    inner = line.get("request", line)
    if inner is line:
        inner = {name: value for name, value in line.items() if name not in ("key", "custom_id")}
    else:
        refuse_others(line, ("request", "key", "custom_id", "id", "model"), "the line")
    refuse_others(inner, (*CONTENTS, *GENERATION, *LEFT_OUT), "request")
    body: dict[str, Any] = {}
    model = inner.get("model", line.get("model"))
    if isinstance(model, str):
        body["model"] = model.removeprefix("models/")
    body["messages"] = list(_messages(inner))
    for name in GENERATION:
        if isinstance(inner.get(name), dict):
            body |= _settings(inner[name])
    return body


def _messages(inner: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("systemInstruction", "system_instruction"):
        instruction = inner.get(name)
        if isinstance(instruction, str):
            yield {"role": "system", "content": instruction}
        elif instruction:
            yield {"role": "system", "content": joined(list(_parts(instruction)))}
    for content in objects(inner.get("contents"), "contents"):
        role = content.get("role")
        if not isinstance(role, str | None) or role not in ROLES:
            raise CannotConvert("contents has a role that is neither user nor model")
        yield {"role": ROLES[role], "content": joined(list(_parts(content)))}


def _parts(content: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(content, dict):
        raise CannotConvert("contents has something that is not an object")
    refuse_others(content, ("role", "parts"), "contents")
    for part in objects(content.get("parts"), "parts"):
        refuse_others(part, ("text", "inlineData", "inline_data"), "parts")
        if "text" in part:
            yield text_part(part["text"], "parts")
        for name in ("inlineData", "inline_data"):
            if name in part:
                yield _image(part[name])


def _image(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise CannotConvert("inlineData is not an object")
    kind, content = data.get("mimeType", data.get("mime_type")), data.get("data")
    if not isinstance(kind, str) or not kind.startswith("image/") or not isinstance(content, str):
        raise CannotConvert("inlineData is not an image in base64")
    return image_part(f"data:{kind};base64,{content}")


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    snake = {_snake(name): name for name in SETTINGS}
    fields: dict[str, Any] = {}
    for name, value in config.items():
        camel = snake.get(name, name)
        if camel in SETTINGS:
            fields[SETTINGS[camel]] = value
        elif name in ("responseMimeType", "response_mime_type") and value == "text/plain":
            continue
        elif name in ("responseMimeType", "response_mime_type") and value == "application/json":
            fields["response_format"] = {"type": "json_object"}
        else:
            refuse_others({name: value}, (), "generationConfig")
    return fields


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
