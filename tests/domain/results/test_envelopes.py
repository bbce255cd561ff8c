"""Result lines in the envelopes of many providers and lenient gateways."""

import json
from typing import Any

import pytest

from batchapp.domain.results.envelopes import same_name
from batchapp.domain.results.outcome import (
    UNKNOWN_FORM,
    MalformedLine,
    Outcome,
    answer_text,
    read_answer,
    read_end,
)

CHAT = {
    "model": "m",
    "choices": [{"message": {"content": "A pear."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
MESSAGE = {
    "type": "message",
    "model": "claude",
    "content": [{"type": "text", "text": "A pear."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
CANDIDATES = {
    "candidates": [
        {
            "content": {"parts": [{"text": "hm", "thought": True}, {"text": "A pear."}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1, "thoughtsTokenCount": 2},
}

ANSWERED: dict[str, dict[str, Any]] = {
    "status as text": {"custom_id": "q", "response": {"status_code": "200", "body": CHAT}},
    "no status": {"custom_id": "q", "response": {"body": CHAT}, "error": None},
    "the body in the response": {"custom_id": "q", "response": CHAT, "error": {}},
    "the body beside the id": {"custom_id": "q", "body": CHAT},
    "no wrapping at all": {"custom_id": "q", **CHAT},
    "Anthropic": {"custom_id": "q", "result": {"type": "succeeded", "message": MESSAGE}},
    "Bedrock": {"recordId": "q", "modelInput": {"x": 1}, "modelOutput": MESSAGE},
    "Gemini": {"key": "q", "response": CANDIDATES},
}


@pytest.mark.parametrize("form", ANSWERED)
def test_a_paid_answer_is_read_in_every_envelope(form: str) -> None:
    line = json.dumps(ANSWERED[form]).encode()

    answer = read_answer(line)

    assert (answer.custom_id, answer.outcome) == ("q", Outcome.OK)
    assert (answer.input_tokens, answer.output_tokens) == (7, 3)
    assert answer.error_message == ""
    assert answer_text(line) == answer.preview == "A pear."
    assert read_end(line).outcome is Outcome.OK


ENDED: list[tuple[dict[str, Any], Outcome, str]] = [
    ({"result": {"type": "expired"}}, Outcome.EXPIRED, "before the batch expired"),
    ({"result": {"type": "canceled"}}, Outcome.CANCELLED, "was cancelled"),
    (
        {
            "result": {
                "type": "errored",
                "error": {"type": "error", "error": {"type": "billing_error", "message": "Pay."}},
            }
        },
        Outcome.UNPAID,
        "Pay.",
    ),
    (
        {"result": {"type": "errored", "error": {"type": "overloaded_error", "message": "Busy."}}},
        Outcome.PROVIDER_ERROR,
        "Busy.",
    ),
    (
        {
            "result": {
                "type": "errored",
                "error": {"error": {"type": "invalid_request_error", "message": "Bad."}},
            }
        },
        Outcome.INVALID_REQUEST,
        "Bad.",
    ),
    ({"response": {"error": {"message": "Broke."}}}, Outcome.PROVIDER_ERROR, "Broke."),
    ({"response": {"status_code": "429", "body": "Slow."}}, Outcome.PROVIDER_ERROR, "Slow."),
    ({"response": {"body": {"error": "Broke."}}}, Outcome.PROVIDER_ERROR, "Broke."),
    ({"response": None, "error": None}, Outcome.PROVIDER_ERROR, "No reason was given."),
]


@pytest.mark.parametrize(("fields", "outcome", "reason"), ENDED)
def test_a_failure_keeps_its_reason_in_every_envelope(
    fields: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    answer = read_answer(json.dumps({"custom_id": "q"} | fields).encode())

    assert answer.outcome is outcome
    assert reason in answer.error_message


@pytest.mark.parametrize(
    "fields",
    [{"reply": {"words": ["A", "pear"]}}, {"result": {"kind": "fruit"}}, {"answer": "A pear."}],
)
def test_an_answer_in_an_unknown_form_is_kept_as_json_and_named_so(
    fields: dict[str, Any],
) -> None:
    line = json.dumps({"custom_id": "q", "id": "7", "error": None} | fields).encode()

    answer = read_answer(line)

    assert (answer.outcome, answer.error_code) == (Outcome.OK, UNKNOWN_FORM)
    assert "a form that this portal does not know" in answer.error_message
    assert json.loads(answer_text(line))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"choices": {"message": {"content": "A pear."}, "finish_reason": "stop"}}, "A pear."),
        ({"choices": {"0": {"message": {"content": "A pear."}}}}, "A pear."),
        ({"choices": [{"message": {"content": None, "audio": {"transcript": "Hi"}}}]}, "Hi"),
        (
            {"data": [{"index": 0, "score": 0.5}]},
            '{"data":[{"index":0,"score":0.5}]}',
        ),
        ({"data": [{"b64_json": "aGk="}]}, '{"data":[{"b64_json":"aGk="}]}'),
    ],
)
def test_answers_of_other_kinds_have_a_text(body: dict[str, Any], text: str) -> None:
    line = json.dumps({"custom_id": "q", "response": {"status_code": 200, "body": body}}).encode()

    assert (read_answer(line).outcome, answer_text(line)) == (Outcome.OK, text)


@pytest.mark.parametrize(("said", "custom_id"), [(12, "12"), (12.0, "12"), ("q", "q")])
def test_an_id_that_became_a_number_is_a_text_again(said: object, custom_id: str) -> None:
    line = json.dumps({"custom_id": said, "response": {"status_code": 200, "body": CHAT}})

    assert read_answer(line.encode()).custom_id == custom_id


@pytest.mark.parametrize("said", [None, True, 1.5, ["q"], {}])
def test_a_line_without_a_name_is_malformed(said: object) -> None:
    with pytest.raises(MalformedLine):
        read_answer(json.dumps({"custom_id": said, "response": None}).encode())


def test_what_servers_make_of_an_id_has_the_same_name() -> None:
    for original, changed in [("007", "7"), (" row 1 ", "row 1"), ("a\tb", "a b"), ("000", "0")]:
        assert same_name(original) == same_name(changed)
    assert same_name("row-01") != same_name("row-1")
