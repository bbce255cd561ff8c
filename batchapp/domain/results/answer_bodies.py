"""Read the text and the finish reason of an answer's body, in any known shape."""

import base64
import binascii
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

CUT_SHORT = {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"}
DECLINED = {"content_filter", "refusal"}
GEMINI_REASONS = {
    "MAX_TOKENS": "length",
    **dict.fromkeys(("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"), "content_filter"),
}


class Content(NamedTuple):
    """The whole answer as ``text``, and the ``finish_reason`` as the model gave it."""

    text: str
    finish_reason: str = ""
    is_refusal: bool = False

    @property
    def is_declined(self) -> bool:
        return self.is_refusal or self.finish_reason.lower() in DECLINED

    @property
    def is_cut_short(self) -> bool:
        return self.finish_reason.lower() in CUT_SHORT


NOTHING = Content("")


def content(body: object) -> Content:
    """Return the first answer of a body; a body of unknown shape becomes JSON text."""
    if isinstance(body, str):
        return Content(body)
    fields = mapping(body)
    for field, read in READERS.items():
        if field in fields:
            return read(fields)
    return NOTHING if not body or fields.get("error") else Content(as_json(body))


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_json(value: object) -> str:
    """Return ``value`` as JSON, even with half surrogates and huge numbers of a lenient reader."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError):
        pass
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return "…"


def _of_choices(body: Mapping[str, Any]) -> Content:
    """Read a body of chat completions or completions."""
    choices = body["choices"]  # an object where a server has one choice, or names them
    first = mapping(_first([choices] if _is_choice(choices) else choices))
    reason = text_of(first.get("finish_reason"))
    if isinstance(first.get("text"), str):
        return Content(first["text"], reason)
    message = mapping(first.get("message"))
    refusal = text_of(message.get("refusal"))
    spoken = text_of(mapping(message.get("audio")).get("transcript"))
    texts = [_of_parts(message.get("content")) or refusal or spoken]
    calls = [*_list(message.get("tool_calls")), {"function": message.get("function_call")}]
    texts.extend(_call(mapping(mapping(call).get("function"))) for call in calls)
    return Content(" ".join(filter(None, texts)), reason, is_refusal=bool(refusal))


def _is_choice(value: object) -> bool:
    return bool({"message", "text", "delta"} & mapping(value).keys())


def _of_candidates(body: Mapping[str, Any]) -> Content:
    """Read a body of Gemini."""
    first = mapping(_first(body["candidates"]))
    reason = GEMINI_REASONS.get(text_of(first.get("finishReason")), "stop")
    parts = _list(mapping(first.get("content")).get("parts"))
    texts = [part for part in parts if not mapping(part).get("thought")]
    return Content(_of_parts(texts), reason)


def _of_response(body: Mapping[str, Any]) -> Content:
    """Read a body of the responses API: messages and calls; its thoughts are not shown."""
    texts = []
    is_refusal = False
    for item in map(mapping, _list(body["output"])):
        if item.get("type") == "function_call":
            texts.append(_call(item))
        elif item.get("type") == "custom_tool_call":
            texts.append(_call({"name": item.get("name"), "arguments": item.get("input")}))
        elif item.get("type") == "message":
            parts = _list(item.get("content"))
            texts.append(_of_parts(parts))
            is_refusal = is_refusal or any(mapping(p).get("type") == "refusal" for p in parts)
    reason = mapping(body.get("incomplete_details")).get("reason") or body.get("status")
    return Content(" ".join(filter(None, texts)), text_of(reason), is_refusal)


def _of_message(body: Mapping[str, Any]) -> Content:
    """Read a body of Anthropic's messages API."""
    return Content(_of_parts(body["content"]), text_of(body.get("stop_reason")))


def _of_parts(parts: object) -> str:
    """Return the text of a string, or of a list of texts, refusals and Anthropic's tool calls."""
    if isinstance(parts, str):
        return parts
    return " ".join(filter(None, _texts(_list(parts))))


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        fields = mapping(part)
        if fields.get("type") == "tool_use":
            yield _call({"name": fields.get("name"), "arguments": fields.get("input")})
        else:
            yield text_of(fields.get("text")) or text_of(fields.get("refusal"))


def _call(function: Mapping[str, Any]) -> str:
    """Return a tool call as "name(arguments)"."""
    name, arguments = text_of(function.get("name")), function.get("arguments")
    if not name:
        return ""
    if arguments is None:
        return f"{name}()"
    return f"{name}({arguments if isinstance(arguments, str) else as_json(arguments)})"


def _of_embeddings(body: Mapping[str, Any]) -> Content:
    """Describe embeddings: one list of numbers for each text of the request."""
    data = _list(body["data"])
    embedding = mapping(_first(data)).get("embedding")
    size = _floats_in(embedding) if isinstance(embedding, str) else len(_list(embedding))
    if not size:  # scores and images are lists of the same name
        return Content(as_json(body)) if data and embedding is None else NOTHING
    numbers = "1 number" if size == 1 else f"{size:,} numbers"
    return Content(numbers if len(data) == 1 else f"{len(data):,} lists of {numbers}")


def embeddings(body: object) -> list[list[float]]:
    """Return the numbers of each embedding of a body; none if it is not one of embeddings."""
    lists = [mapping(item).get("embedding") for item in _list(mapping(body).get("data"))]
    numbers = [
        _floats(embedding) if isinstance(embedding, str) else _list(embedding)
        for embedding in lists
    ]
    are_numbers = all(
        isinstance(number, int | float) and not isinstance(number, bool)
        for embedding in numbers
        for number in embedding
    )
    return numbers if are_numbers and all(numbers) else []


def _floats_in(text: str) -> int:
    """Return the count of 32-bit floats in base64, the form of ``encoding_format: base64``."""
    return len(_bytes(text)) // 4


def _floats(text: str) -> list[float]:
    content = _bytes(text)
    return list(struct.unpack(f"<{len(content) // 4}f", content[: len(content) // 4 * 4]))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(value: object) -> object:
    return next(iter(value.values() if isinstance(value, dict) else _list(value)), None)


# The field that shows a body's shape -> its reader.
READERS: dict[str, Callable[[Mapping[str, Any]], Content]] = {
    "choices": _of_choices,
    "candidates": _of_candidates,
    "output": _of_response,
    "content": _of_message,
    "data": _of_embeddings,
}
