"""The checks a model server makes before it runs a request."""

from typing import Any


def body_error(url: str, body: dict[str, Any]) -> str | None:
    """Return why a model server would answer 400 to ``body``, or None."""
    return _CHECKS[url](body) or _sampling_error(body)


def _chat_error(body: dict[str, Any]) -> str | None:
    return _messages_error(body.get("messages"))


def _completion_error(body: dict[str, Any]) -> str | None:
    return (
        None
        if _is_text_or_tokens(body.get("prompt"))
        else "Either prompt or prompt_embeds is required"
    )


def _embedding_error(body: dict[str, Any]) -> str | None:
    if not _is_text_or_tokens(body.get("input")):
        return "Field required: input"
    dimensions = body.get("dimensions")
    if dimensions is not None and not _is_integer(dimensions, 1, 4096):
        return "dimensions must be between 1 and 4096"
    return None


def _response_error(body: dict[str, Any]) -> str | None:
    source = body.get("input")
    is_given = isinstance(source, str) or (isinstance(source, list) and bool(source))
    return None if is_given else "Field required: input"


def _anthropic_error(body: dict[str, Any]) -> str | None:
    if body.get("max_tokens") is None:
        return "max_tokens: Field required"
    return _messages_error(body.get("messages"))


_CHECKS = {
    "/v1/chat/completions": _chat_error,
    "/v1/completions": _completion_error,
    "/v1/embeddings": _embedding_error,
    "/v1/responses": _response_error,
    "/v1/messages": _anthropic_error,
}


def _messages_error(messages: object) -> str | None:
    if not isinstance(messages, list):
        return "Field required: messages"
    if not messages:
        return "messages must not be empty"
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return f"messages.{position}.role: Field required"
        if not isinstance(message.get("content"), str | list | None):
            return f"messages.{position}.content: Input should be a valid string or list"
    return None


def _sampling_error(body: dict[str, Any]) -> str | None:
    temperature = body.get("temperature")
    if temperature is not None and not _is_number(temperature, 0, 2):
        return f"temperature must be in [0, 2], got {temperature}"
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "n"):
        if body.get(name) is not None and not _is_integer(body[name], 1, 10**9):
            return f"{name} must be at least 1, got {body[name]}"
    return None


def _is_text_or_tokens(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str | int | list) for item in value)
    return isinstance(value, str)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and low <= value <= high


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
