"""The same answer in the four shapes the text APIs have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(slots=True)
class Choice:
    """One answer: a text, or a call of ``tool``."""

    text: str
    is_cut: bool = False
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


Shape = Callable[[Reply, str, str, int], dict[str, Any]]
"""From a reply, the model's name, a hexadecimal id and Unix seconds to a response body."""


def _chat_completion(reply: Reply, model: str, answer_id: str, created: int) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": _chat_message(choice, f"{answer_id}{index}"),
            "finish_reason": _finish_reason(choice),
            "logprobs": None,
        }
        for index, choice in enumerate(reply.choices)
    ]
    return {
        "id": f"chatcmpl-{answer_id}",
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
        function = {"name": choice.tool, "arguments": _encoded(choice.arguments)}
        call = {"id": f"call_{call_id}", "type": "function", "function": function}
        message.update(content=None, tool_calls=[call])
    return message


def _completion(reply: Reply, model: str, answer_id: str, created: int) -> dict[str, Any]:
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
        "id": f"cmpl-{answer_id}",
        "object": "text_completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": _usage(reply),
    }


def _response(reply: Reply, model: str, answer_id: str, created: int) -> dict[str, Any]:
    choice = reply.choices[0]
    output: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{answer_id}",
        "role": "assistant",
        "status": "incomplete" if choice.is_cut else "completed",
        "content": [{"type": "output_text", "text": choice.text, "annotations": []}],
    }
    if choice.is_refusal:
        output["content"] = [{"type": "refusal", "refusal": choice.text}]
    if choice.tool is not None:
        output = {
            "type": "function_call",
            "id": f"fc_{answer_id}",
            "call_id": f"call_{answer_id}",
            "name": choice.tool,
            "arguments": _encoded(choice.arguments),
            "status": "completed",
        }
    return {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": created,
        "model": model,
        "status": "incomplete" if choice.is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if choice.is_cut else None,
        "output": [output],
        "usage": {
            "input_tokens": reply.prompt_tokens,
            "output_tokens": reply.completion_tokens,
            "total_tokens": reply.total_tokens,
        },
    }


def _message(reply: Reply, model: str, answer_id: str, _created: int) -> dict[str, Any]:
    choice = reply.choices[0]
    content: dict[str, Any] = {"type": "text", "text": choice.text}
    stop_reason = "max_tokens" if choice.is_cut else "end_turn"
    if choice.is_refusal:
        stop_reason = "refusal"
    if choice.tool is not None:
        call_id = f"toolu_{answer_id}"
        content = {"type": "tool_use", "id": call_id, "name": choice.tool}
        content["input"] = choice.arguments
        stop_reason = "tool_use"
    return {
        "id": f"msg_{answer_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [content],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens},
    }


SHAPES: dict[str, Shape] = {
    "/v1/chat/completions": _chat_completion,
    "/v1/completions": _completion,
    "/v1/responses": _response,
    "/v1/messages": _message,
}


def _finish_reason(choice: Choice) -> str:
    if choice.tool is not None:
        return "tool_calls"
    return "length" if choice.is_cut else "stop"


def _encoded(arguments: dict[str, Any]) -> str:
    return msgspec.json.encode(arguments).decode()


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.total_tokens,
    }
