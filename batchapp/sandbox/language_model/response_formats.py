"""The response formats of the four text APIs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from batchapp.sandbox.prompt_cache.reuse import CachedTokens


@dataclass(slots=True)
class Choice:
    """One text, or one call of ``tool``."""

    text: str
    is_truncated: bool = False
    is_refusal: bool = False
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    thoughts: str = ""  # of a model that thinks before it answers


@dataclass(slots=True)
class Reply:
    choices: list[Choice]
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int | None = None  # part of the completion; None without thoughts
    cached: CachedTokens | None = None

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


# Takes a reply, the name of the model, a hexadecimal id and Unix seconds; returns a response body.
Formatter = Callable[[Reply, str, str, int], dict[str, Any]]


def _chat_completion(reply: Reply, model: str, response_id: str, created: int) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": _chat_message(choice, f"{response_id}{index}"),
            "finish_reason": _finish_reason(choice),
            "logprobs": None,
        }
        for index, choice in enumerate(reply.choices)
    ]
    return {
        "id": f"chatcmpl-{response_id}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": _usage(reply) | _cached_usage(reply.cached),
    }


def _chat_message(choice: Choice, call_id: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.is_refusal:
        message.update(content=None, refusal=choice.text)
    if choice.tool is not None:
        function = {"name": choice.tool, "arguments": _encode(choice.arguments)}
        call = {"id": f"call_{call_id}", "type": "function", "function": function}
        message.update(content=None, tool_calls=[call])
    if choice.thoughts:
        message["reasoning_content"] = choice.thoughts
    return message


def _completion(reply: Reply, model: str, response_id: str, created: int) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "text": choice.text,
            "finish_reason": _finish_reason(choice),
            "logprobs": None,
        }
        for index, choice in enumerate(reply.choices)
    ]
    return {
        "id": f"cmpl-{response_id}",
        "object": "text_completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": _usage(reply),
    }


def _response(reply: Reply, model: str, response_id: str, created: int) -> dict[str, Any]:
    choice = reply.choices[0]
    output: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{response_id}",
        "role": "assistant",
        "status": "incomplete" if choice.is_truncated else "completed",
        "content": [{"type": "output_text", "text": choice.text, "annotations": []}],
    }
    if choice.is_refusal:
        output["content"] = [{"type": "refusal", "refusal": choice.text}]
    if choice.tool is not None:
        output = {
            "type": "function_call",
            "id": f"fc_{response_id}",
            "call_id": f"call_{response_id}",
            "name": choice.tool,
            "arguments": _encode(choice.arguments),
            "status": "completed",
        }
    return {
        "id": f"resp_{response_id}",
        "object": "response",
        "created_at": created,
        "model": model,
        "status": "incomplete" if choice.is_truncated else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if choice.is_truncated else None,
        "output": [output],
        "usage": _response_usage(reply),
    }


def _message(reply: Reply, model: str, response_id: str, _created: int) -> dict[str, Any]:
    choice = reply.choices[0]
    content: dict[str, Any] = {"type": "text", "text": choice.text}
    stop_reason = "max_tokens" if choice.is_truncated else "end_turn"
    if choice.is_refusal:
        stop_reason = "refusal"
    if choice.tool is not None:
        call_id = f"toolu_{response_id}"
        content = {"type": "tool_use", "id": call_id, "name": choice.tool}
        content["input"] = choice.arguments
        stop_reason = "tool_use"
    return {
        "id": f"msg_{response_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [content],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _message_usage(reply),
    }


FORMATTERS: dict[str, Formatter] = {
    "/v1/chat/completions": _chat_completion,
    "/v1/completions": _completion,
    "/v1/responses": _response,
    "/v1/messages": _message,
}


def _finish_reason(choice: Choice) -> str:
    if choice.tool is not None:
        return "tool_calls"
    return "length" if choice.is_truncated else "stop"


def _encode(arguments: dict[str, Any]) -> str:
    return msgspec.json.encode(arguments).decode()


def _usage(reply: Reply) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.total_tokens,
    }
    if reply.reasoning_tokens is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": reply.reasoning_tokens}
    return usage


def _response_usage(reply: Reply) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "input_tokens": reply.prompt_tokens,
        "output_tokens": reply.completion_tokens,
        "total_tokens": reply.total_tokens,
    }
    if reply.reasoning_tokens is not None:
        usage["output_tokens_details"] = {"reasoning_tokens": reply.reasoning_tokens}
    return usage


def _cached_usage(cached: CachedTokens | None) -> dict[str, Any]:
    """Return the fields of the prompt cache, also with the value 0; the prompt includes them."""
    if cached is None:
        return {}
    return {
        "prompt_tokens_details": {"cached_tokens": cached.read},
        "cache_read_input_tokens": cached.read,
        "cache_creation_input_tokens": cached.written,
        "cache_creation": _written_by_lifetime(cached),
    }


def _message_usage(reply: Reply) -> dict[str, Any]:
    """Return tokens as ``/v1/messages`` counts them: what was cached is not in the input."""
    cached = reply.cached or CachedTokens()
    written = {name: tokens for name, tokens in _written_by_lifetime(cached).items() if tokens}
    fields = {
        "cache_read_input_tokens": cached.read,
        "cache_creation_input_tokens": cached.written,
        "cache_creation": written,
    }
    return {
        "input_tokens": reply.prompt_tokens - cached.read - cached.written,
        "output_tokens": reply.completion_tokens,
    } | {name: value for name, value in fields.items() if value}


def _written_by_lifetime(cached: CachedTokens) -> dict[str, int]:
    return {
        "ephemeral_5m_input_tokens": cached.written_5m,
        "ephemeral_1h_input_tokens": cached.written_1h,
        "ephemeral_24h_input_tokens": cached.written_24h,
    }
