"""Read the text, finish reason and token counts of an answer's body, in any known shape."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

CUT_SHORT = {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"}
DECLINED = {"content_filter", "refusal"}
MAX_TOKENS = 2**31 - 1  # a larger count is no real count, and does not fit a 32-bit column


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


def usage(body: object) -> tuple[int | None, int | None]:
    """Return all input and output tokens, cached input included; None without such a count.

    ``prompt_tokens``, and ``input_tokens`` of the responses API, include cached input, also where
    fields in Anthropic's style stand beside them; ``input_tokens`` of the messages API leaves it
    out. Source: https://platform.openai.com/docs/guides/prompt-caching and
    https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
    """
    fields = mapping(body)
    counts = mapping(fields.get("usage"))
    input_tokens = token_count(counts.get("prompt_tokens"))
    if input_tokens is None and "prompt_tokens" not in counts:
        input_tokens = token_count(counts.get("input_tokens"))
        is_other_api = fields.keys() & {"choices", "output", "data"}
        if input_tokens is not None and not is_other_api and "input_tokens_details" not in counts:
            input_tokens += _cached_apart(counts)
    output_tokens = token_count(counts.get("completion_tokens", counts.get("output_tokens")))
    if output_tokens is None and input_tokens is not None and "data" in fields:
        output_tokens = 0  # an embedding has no output, and its body no count of output
    return token_count(input_tokens), output_tokens


def _cached_apart(counts: Mapping[str, Any]) -> int:
    """Return the cached input tokens that the messages API counts beside ``input_tokens``."""
    fields = ("cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(token_count(counts.get(field)) or 0 for field in fields)


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def token_count(value: object) -> int | None:
    """Return a whole number that fits a column, also if it is written as 12.0; else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


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
    first = mapping(_first(body["choices"]))
    reason = text_of(first.get("finish_reason"))
    if isinstance(first.get("text"), str):
        return Content(first["text"], reason)
    message = mapping(first.get("message"))
    refusal = text_of(message.get("refusal"))
    texts = [_of_parts(message.get("content")) or refusal]
    calls = [*_list(message.get("tool_calls")), {"function": message.get("function_call")}]
    texts.extend(_call(mapping(mapping(call).get("function"))) for call in calls)
    return Content(" ".join(filter(None, texts)), reason, is_refusal=bool(refusal))


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


def _floats_in(text: str) -> int:
    """Return the count of 32-bit floats in base64, the form of ``encoding_format: base64``."""
    try:
        return len(base64.b64decode(text, validate=True)) // 4
    except (binascii.Error, ValueError):
        return 0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(value: object) -> object:
    return next(iter(_list(value)), None)


# The field that shows a body's shape -> its reader.
READERS: dict[str, Callable[[Mapping[str, Any]], Content]] = {
    "choices": _of_choices,
    "output": _of_response,
    "content": _of_message,
    "data": _of_embeddings,
}
