from typing import Any

import pytest

from batchapp.domain.request_files.check_file import Limits
from tests.domain.request_lines import check_bytes, codes, make_body, make_line

DOUBLEWORD = Limits(max_bytes=10**6, provider="Doubleword")
OTHER = Limits(max_bytes=10**6, reasoning_effort_only=False)
RESPONSES = {"model": "m", "input": "a", "max_output_tokens": 5}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chat_template_kwargs": {"enable_thinking": False}}, '"reasoning_effort": "none".'),
        ({"chat_template_kwargs": {"thinking": True}}, '"reasoning_effort": "medium".'),
        ({"chat_template_kwargs": {}}, "leave it out."),
        ({"chat_template_kwargs": {"language": "en"}}, "write reasoning_effort instead."),
        ({"thinking": {"type": "disabled"}}, '"reasoning_effort": "none".'),
        ({"thinking_token_budget": 0}, '"reasoning_effort": "none".'),
        ({"thinking_token_budget": 5_000}, '"medium", the nearest effort, which may think'),
        ({"reasoning": {"max_tokens": 90_000}}, '"high", the nearest effort, which may think'),
        ({"reasoning_effort": "x-high"}, '"reasoning_effort": "xhigh".'),
        ({"reasoning_effort": "hard"}, "choose one of them."),
    ],
)
def test_a_refused_field_is_an_error_that_names_the_effort_to_write(
    fields: dict[str, Any], words: str
):
    report = check_bytes(make_line(body=make_body(**fields)), DOUBLEWORD)

    (finding,) = report.findings
    assert (finding.severity, finding.is_portal_only) == ("error", False)
    assert "Doubleword" in finding.message
    assert words in finding.message
    assert next(iter(fields)) in finding.message


def test_a_sentence_begins_with_a_capital_whoever_the_provider_is():
    (finding,) = check_bytes(make_line(body=make_body(thinking=False))).findings

    assert finding.message.startswith("The provider refuses thinking")


def test_the_responses_api_takes_the_effort_in_an_object():
    def message(**fields: Any) -> str:
        line = make_line(url="/v1/responses", body=RESPONSES | fields)
        return check_bytes(line, DOUBLEWORD).findings[0].message

    assert '"reasoning": {"effort": "none"}' in message(thinking=False)
    assert '"reasoning": {"effort": "low"}' in message(reasoning_effort="low")
    assert '"reasoning": {"effort": "low"}' in message(reasoning="low")


@pytest.mark.parametrize(
    "fields",
    [
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"thinking": {"type": "disabled"}},
        {"thinking_token_budget": 100},
        {"reasoning": {"effort": "low"}},
        {"reasoning_effort": "auto"},
        {"enable_thinking": False},
    ],
)
def test_a_connection_to_another_provider_takes_its_own_fields(fields: dict[str, Any]):
    assert codes(make_line(body=make_body(**fields)), OTHER) == {}


def test_a_long_value_is_not_repeated():
    line = make_line(body=make_body(reasoning_effort="x" * 10_000, thinking={"y" * 10_000: 1}))

    assert all(len(finding.message) < 200 for finding in check_bytes(line).findings)
