import json
from typing import Any

import pytest

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from tests.domain.request_lines import LIMITS, check_bytes, make_body, make_line

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
NOTHING: dict[str, Any] = {}


def corrected(url: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields as the correction writes them; None if it changes nothing."""
    base = make_body() if url != RESPONSES else {"model": "m", "input": "a"}
    if url == "/v1/completions":
        base["prompt"] = base.pop("messages")[0]["content"]
    line = make_line(url=url, body=base | fields) + b"\n"
    corrector = Corrector(Choice(frozenset({CorrectionKind.SET_REASONING_EFFORT})), LIMITS)
    new = b"".join(corrector.run(lambda: [line]))
    assert (new == line) == (not corrector.changed)
    if new == line:
        return None
    assert check_bytes(new).is_valid
    body = json.loads(new)["body"]
    assert {name: body.pop(name) for name in base} == base
    return body


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        ({"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "none"}),
        ({"chat_template_kwargs": {"enable_thinking": True}}, {"reasoning_effort": "medium"}),
        ({"chat_template_kwargs": {"thinking": False}}, {"reasoning_effort": "none"}),
        ({"chat_template_kwargs": {}}, NOTHING),
        ({"chat_template_kwargs": None}, NOTHING),
        ({"enable_thinking": False}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 900}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "adaptive"}}, {"reasoning_effort": "medium"}),
        ({"thinking": "disabled"}, {"reasoning_effort": "none"}),
        ({"thinking_token_budget": 8_192}, {"reasoning_effort": "medium"}),
        ({"thinking_token_budget": 20_000}, {"reasoning_effort": "high"}),
        ({"thinking_token_budget": -1}, {"reasoning_effort": "medium"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
        ({"reasoning_effort": " Extra High "}, {"reasoning_effort": "xhigh"}),
        ({"reasoning_effort": False}, {"reasoning_effort": "none"}),
        ({"thinking": True, "reasoning_effort": "high"}, {"reasoning_effort": "high"}),
    ],
)
def test_fields_of_a_chat_become_the_effort_that_means_the_same(fields, new):
    assert corrected(CHAT, fields) == new


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        (
            {"thinking": False, "reasoning": {"summary": "auto"}},
            {"reasoning": {"summary": "auto", "effort": "none"}},
        ),
        ({"reasoning": {"effort": "off"}}, {"reasoning": {"effort": "none"}}),
        ({"reasoning": "high"}, {"reasoning": {"effort": "high"}}),
        ({"chat_template_kwargs": {}}, NOTHING),
    ],
)
def test_the_responses_api_gets_its_effort_in_an_object(fields, new):
    assert corrected(RESPONSES, fields) == new


def test_a_completion_loses_what_it_cannot_have():
    assert corrected("/v1/completions", {"reasoning_effort": "low", "thinking": None}) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"chat_template_kwargs": {"language": "en"}},
        {"chat_template_kwargs": {"enable_thinking": False, "language": "en"}},
        {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "high"},
        {"reasoning_effort": "hard"},
        {"reasoning": {"exclude": True}},
        {"thinking_token_budget": "many"},
        {"reasoning_effort": "low"},
        {"temperature": 1},
    ],
)
def test_a_request_without_a_certain_meaning_stays_as_it_is(fields):
    assert corrected(CHAT, fields) is None
