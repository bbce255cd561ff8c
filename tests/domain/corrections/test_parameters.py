import json
from typing import Any

import pytest

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from tests.domain.request_lines import LIMITS, make_line

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"


def corrected(url: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the body as the correction writes it; None if it keeps the line as it is."""
    line = make_line(url=url, body=body) + b"\n"
    corrector = Corrector(Choice(frozenset({CorrectionKind.FIT_PARAMETERS})), LIMITS)
    new = b"".join(corrector.run(lambda: [line]))
    assert (new == line) == (not corrector.changed)
    return None if new == line else json.loads(new)["body"]


@pytest.mark.parametrize(
    ("url", "body", "new"),
    [
        (RESPONSES, {"max_tokens": 5}, {"max_output_tokens": 5}),
        (RESPONSES, {"system": "a"}, {"instructions": "a"}),
        (CHAT, {"maxTokens": "5"}, {"max_tokens": 5}),
        (CHAT, {"stop_sequences": ["a"]}, {"stop": ["a"]}),
        (MESSAGES, {"stop": "a"}, {"stop_sequences": ["a"]}),
        (COMPLETIONS, {"max_completion_tokens": 5}, {"max_tokens": 5}),
        (EMBEDDINGS, {"texts": ["a"]}, {"input": ["a"]}),
        (CHAT, {"temperature": "0.5", "seed": " 7 "}, {"temperature": 0.5, "seed": 7}),
        (CHAT, {"stream": "False", "logprobs": "TRUE"}, {"stream": False, "logprobs": True}),
        (CHAT, {"max_tokens": 100.0}, {"max_tokens": 100}),
        (CHAT, {"max_tokens": 5, "max_output_tokens": 5}, {"max_tokens": 5}),
        (CHAT, {"max_tokens": "100"}, {"max_tokens": 100}),
    ],
)
def test_parameters_are_written_as_the_endpoint_takes_them(url, body, new):
    result = corrected(url, body)

    assert result == new
    assert [*map(type, result.values())] == [*map(type, new.values())]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, {"temperature": "hot"}),
        (CHAT, {"temperature": "3"}),
        (CHAT, {"user": "5", "stop": "1"}),
        (CHAT, {"max_tokens": "many"}),
        (CHAT, {"max_tokens": "9" * 5_000}),
        (CHAT, {"max_tokens": 5, "max_output_tokens": 6}),
        (CHAT, {"maxTokens": 5, "max_new_tokens": 6}),
        (CHAT, {"instructions": "a"}),
        (CHAT, {"text": {}}),
        (RESPONSES, {"response_format": {}}),
        (RESPONSES, {"messages": [{"role": "user", "content": "a"}]}),
        (COMPLETIONS, {"messages": [{"role": "user", "content": "a"}]}),
        ("/v1/other", {"max_output_tokens": "5"}),
    ],
)
def test_what_may_mean_something_else_stays_as_it_is(url, body):
    assert corrected(url, body) is None


def test_the_order_of_the_fields_stays():
    assert [*corrected(RESPONSES, {"a": 1, "max_tokens": 5, "b": 2})] == [
        *("a", "max_output_tokens", "b")
    ]
