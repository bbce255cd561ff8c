"""The response formats of the four text APIs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(slots=True)
class Choice:
    """One text, or one call of ``tool``."""

    text: str
    is_truncated: bool = False
    is_refusal: bool = False
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Reply:
    choices: list[Choice]
    prompt_tokens: int
    completion_tokens: int

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
        "usage": _usage(reply),
    }


def _chat_message(choice: Choice, call_id: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.is_refusal:
        message.update(content=None, refusal=choice.text)
    if choice.tool is not None:
        function = {"name": choice.tool, "arguments": _encode(choice.arguments)}
        call = {"id": f"call_{call_id}", "type": "function", "function": function}
        message.update(content=None, tool_calls=[call])
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
        "usage": {
            "input_tokens": reply.prompt_tokens,
            "output_tokens": reply.completion_tokens,
            "total_tokens": reply.total_tokens,
        },
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
        "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens},
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


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.total_tokens,
    }
