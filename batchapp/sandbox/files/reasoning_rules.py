"""The checks of reasoning parameters in an uploaded body, with the error texts of the provider.

Source: the provider's server, control-layer 10.13, ``onwards/src/reasoning.rs``.
"""

from typing import Any

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
COMPLETIONS = "/v1/completions"

# The parameters that each endpoint refuses, in the order of the provider's checks.
_TEMPLATE_FIELDS = ("chat_template_kwargs", "thinking", "thinking_token_budget")
_UNSUPPORTED = {
    "/v1/chat/completions": (*_TEMPLATE_FIELDS, "reasoning"),
    "/v1/responses": (*_TEMPLATE_FIELDS, "reasoning_effort"),
    COMPLETIONS: ("reasoning_effort", "reasoning", *reversed(_TEMPLATE_FIELDS)),
}
_EFFORT_NAMES = {
    "/v1/chat/completions": "reasoning_effort",
    "/v1/responses": "reasoning.effort",
}


def reasoning_error(url: str, body: dict[str, Any]) -> str | None:
    """Return why the provider refuses the reasoning parameters of ``body``, or None."""
    unsupported = next((name for name in _UNSUPPORTED.get(url, ()) if name in body), None)
    if url == COMPLETIONS and unsupported is not None:
        return (
            f"Parameter '{unsupported}' is not supported by /v1/completions."
            " Use /v1/chat/completions or /v1/responses."
        )
    effort_name = _EFFORT_NAMES.get(url)
    if effort_name is None:
        return None
    if unsupported is not None:
        parameter = _innermost_name(unsupported, body[unsupported])
        return f"Unsupported parameter '{parameter}'; use '{effort_name}'."
    reasoning = body.get("reasoning")
    if reasoning is not None and not isinstance(reasoning, dict):
        return "Invalid type for 'reasoning'. Expected an object."
    effort = reasoning.get("effort") if reasoning else body.get("reasoning_effort")
    return _effort_error(effort, effort_name)


def _innermost_name(name: str, value: Any) -> str:
    """Return the name of a known field of ``chat_template_kwargs``, which the message names."""
    if name == "chat_template_kwargs" and isinstance(value, dict):
        for field in ("thinking", "enable_thinking"):
            if field in value:
                return f"{name}.{field}"
    return name


def _effort_error(effort: Any, name: str) -> str | None:
    if effort is None or effort in EFFORTS:
        return None
    if not isinstance(effort, str):
        return f"Invalid type for '{name}'. Expected a string."
    return f"Invalid value '{effort}' for '{name}'. Expected one of: {', '.join(EFFORTS)}."
