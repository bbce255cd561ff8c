"""Reasoning parameters that the provider refuses at the upload."""

import pytest

from batchapp.sandbox.files.reasoning_rules import reasoning_error
from tests.sandbox.api_client import CHAT_MODEL, EMBEDDING_MODEL, chat, line

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
COMPLETIONS, MESSAGES = "/v1/completions", "/v1/messages"
EXPECTED = "Expected one of: none, minimal, low, medium, high, xhigh, max."


@pytest.mark.parametrize(
    ("url", "parameters", "error"),
    [
        (CHAT, {"chat_template_kwargs": {}}, "chat_template_kwargs"),
        (
            CHAT,
            {"thinking": None, "chat_template_kwargs": {"a": 1, "enable_thinking": False}},
            "chat_template_kwargs.enable_thinking",
        ),
        (CHAT, {"chat_template_kwargs": ["thinking"]}, "chat_template_kwargs"),
        (CHAT, {"reasoning": {}, "thinking": {"type": "enabled"}}, "thinking"),
        (CHAT, {"thinking_token_budget": 5}, "thinking_token_budget"),
        (CHAT, {"reasoning": {"effort": "low"}}, "reasoning"),
        (RESPONSES, {"chat_template_kwargs": {"thinking": 1}}, "chat_template_kwargs.thinking"),
        (RESPONSES, {"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_a_parameter_of_another_api_is_refused(url, parameters, error):
    name = "reasoning_effort" if url == CHAT else "reasoning.effort"

    assert reasoning_error(url, parameters) == f"Unsupported parameter '{error}'; use '{name}'."


@pytest.mark.parametrize(
    ("url", "parameters", "error"),
    [
        (
            CHAT,
            {"reasoning_effort": "Low"},
            f"Invalid value 'Low' for 'reasoning_effort'. {EXPECTED}",
        ),
        (CHAT, {"reasoning_effort": 1}, "Invalid type for 'reasoning_effort'. Expected a string."),
        (
            RESPONSES,
            {"reasoning": {"effort": "huge"}},
            f"Invalid value 'huge' for 'reasoning.effort'. {EXPECTED}",
        ),
        (
            RESPONSES,
            {"reasoning": {"effort": ["low"]}},
            "Invalid type for 'reasoning.effort'. Expected a string.",
        ),
        (RESPONSES, {"reasoning": "low"}, "Invalid type for 'reasoning'. Expected an object."),
        (RESPONSES, {"reasoning": []}, "Invalid type for 'reasoning'. Expected an object."),
    ],
)
def test_an_effort_that_the_provider_does_not_know_is_refused(url, parameters, error):
    assert reasoning_error(url, parameters) == error


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        (CHAT, {}),
        *((CHAT, {"reasoning_effort": effort}) for effort in ("none", "minimal", "xhigh", None)),
        *((RESPONSES, {"reasoning": value}) for value in (None, {}, {"effort": "max"})),
        (RESPONSES, {"reasoning": {"effort": None, "summary": "auto"}}),
        (COMPLETIONS, {"max_tokens": 5}),
        (MESSAGES, {"thinking": {"type": "enabled"}, "reasoning_effort": 5}),
        ("/v1/embeddings", {"reasoning": 1}),
    ],
)
def test_other_reasoning_parameters_are_accepted(url, parameters):
    assert reasoning_error(url, parameters) is None


@pytest.mark.parametrize(
    "name",
    ["reasoning_effort", "reasoning", "thinking", "thinking_token_budget", "chat_template_kwargs"],
)
def test_completions_have_no_reasoning_parameters(name):
    assert reasoning_error(COMPLETIONS, {name: None}) == (
        f"Parameter '{name}' is not supported by /v1/completions."
        " Use /v1/chat/completions or /v1/responses."
    )


def test_an_upload_is_refused_with_the_first_reasoning_error(api):
    bad = line("bad", **chat(chat_template_kwargs={"thinking": True}))

    response = api.upload(f"{line()}\n{bad}\n{line('worse', **chat(thinking=1))}")

    assert (response.status_code, response.text) == (
        400,
        "Line 2: Unsupported parameter 'chat_template_kwargs.thinking'; use 'reasoning_effort'.",
    )


def test_reasoning_is_checked_after_the_model_and_before_the_size(sandbox_with):
    api = sandbox_with(line_body_bytes=100).api()
    no_chat_model = line(model=EMBEDDING_MODEL, thinking=1)
    too_long = line(model=CHAT_MODEL, thinking=1, input="x" * 200)

    assert "is a EMBEDDINGS model" in api.upload(no_chat_model).text
    assert "Unsupported parameter 'thinking'" in api.upload(too_long).text
