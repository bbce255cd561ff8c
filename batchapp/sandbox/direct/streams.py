"""The events of a streamed answer, made from the whole answer."""

from collections.abc import Iterator
from typing import Any

import msgspec

PIECES = 12  # of a text, at most


def events_of(url: str, answer: dict[str, Any], body: dict[str, Any]) -> list[bytes]:
    """Return the server-sent events of ``answer``, in the format of the API ``url``."""
    if url == "/v1/responses":
        return list(_response_events(answer))
    if url != "/v1/chat/completions":
        return [_data(answer), _DONE]
    options = body.get("stream_options")
    has_usage = isinstance(options, dict) and options.get("include_usage") is True
    return list(_chunks(answer, has_usage=has_usage))


def _chunks(answer: dict[str, Any], *, has_usage: bool) -> Iterator[bytes]:
    """Yield chunks of text; with ``has_usage`` one more before the end, which has no choices."""
    head = {name: answer[name] for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    if has_usage:
        head["usage"] = None
    for choice in answer["choices"]:
        index, message = choice["index"], choice["message"]
        yield _data(head | {"choices": [_delta(index, {"role": "assistant", "content": ""})]})
        for piece in _pieces(message["content"] or ""):
            yield _data(head | {"choices": [_delta(index, {"content": piece})]})
        rest = {name: message[name] for name in ("tool_calls", "refusal") if message.get(name)}
        yield _data(head | {"choices": [_delta(index, rest, choice["finish_reason"])]})
    if has_usage:
        yield _data(head | {"choices": [], "usage": answer["usage"]})
    yield _DONE


def _response_events(answer: dict[str, Any]) -> Iterator[bytes]:
    begun = answer | {"status": "in_progress", "output": [], "usage": None}
    yield _event({"type": "response.created", "response": begun})
    for item in answer["output"]:
        for part in item.get("content", []):
            for piece in _pieces(part.get("text", "")):
                yield _event(
                    {"type": "response.output_text.delta", "item_id": item["id"], "delta": piece}
                )
    end = "response.incomplete" if answer["status"] == "incomplete" else "response.completed"
    yield _event({"type": end, "response": answer})


def _delta(index: int, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": reason, "logprobs": None}


def _pieces(text: str) -> Iterator[str]:
    size = max(1, -(-len(text) // PIECES))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _data(content: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


def _event(content: dict[str, Any]) -> bytes:
    return f"event: {content['type']}\n".encode() + _data(content)


_DONE = b"data: [DONE]\n\n"
