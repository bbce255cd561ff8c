"""Failures that are known say their cause, and what mends them."""

import re

import pytest

from batchapp.domain.results.known_causes import (
    KNOWN_CAUSES,
    OUTCOME_CAUSES,
    SCHEMA_CAUSES,
    NextStep,
    cause_of,
)
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import ADVICE

REQUEST, PROVIDER = Outcome.INVALID_REQUEST, Outcome.PROVIDER_ERROR

# As providers say it.
MESSAGES = [
    (REQUEST, 400, "context_length_exceeded", "Too long.", "context of the model"),
    (REQUEST, 400, "", "This model's maximum context length is 8192 tokens.", "context of"),
    (REQUEST, 400, "", "max_tokens must be at most 4096", "max_tokens is more than"),
    (REQUEST, 400, "", "403, message='Forbidden', url='https://a.b/c.png'", "hand it out"),
    (REQUEST, 400, "", "Error fetching image: HTTP 403 from host", "hand it out"),
    (REQUEST, 400, "", "Failed to download image from https://a.b/c.png", "could not be fetched"),
    (REQUEST, 400, "", "cannot identify image file <_io.BytesIO>", "cannot read an image"),
    (REQUEST, 400, "", "Invalid schema for response_format 'x'", "JSON schema"),
    (REQUEST, 400, "content_filter", "Blocked.", "content filter"),
    (PROVIDER, 404, "model_not_found", "The model `x` does not exist", "offer the model"),
    (PROVIDER, 429, "rate_limit_exceeded", "Slow down", "more at a time"),
    (PROVIDER, None, "Timeout", "The model did not answer in time", "in time"),
    (PROVIDER, 503, "", "Service Unavailable", "overloaded"),
    (PROVIDER, 529, "overloaded_error", "Overloaded", "overloaded"),
    (REQUEST, 400, "", "Unsupported parameter: 'logprobs'", "does not take a parameter"),
    (PROVIDER, 500, "", "Internal server error", "broke off"),
    (Outcome.INVALID_SCHEMA, 200, "", 'At label: "x" is not one of "a" or "b"', "list of choices"),
    (Outcome.INVALID_SCHEMA, 200, "", '"a" is a required property', "is missing"),
    (Outcome.INVALID_SCHEMA, 200, "", "3 is not of type", "does not follow its schema"),
    (Outcome.TRUNCATED, 200, "", "", "max_tokens"),
]


@pytest.mark.parametrize(("outcome", "status", "code", "message", "sentence"), MESSAGES)
def test_a_known_message_has_its_cause(
    outcome: Outcome, status: int | None, code: str, message: str, sentence: str
) -> None:
    assert sentence in cause_of(outcome, status, code, message).sentence


def test_every_row_of_the_tables_is_reached_by_a_message_of_a_provider() -> None:
    causes = [cause_of(outcome, *values) for outcome, *values, _ in MESSAGES]
    not_json = cause_of(Outcome.INVALID_SCHEMA, 200, "", "The answer is not JSON, though")

    assert {known.cause for known in (*KNOWN_CAUSES, *SCHEMA_CAUSES)} <= {*causes, not_json}


def test_an_unknown_message_says_nothing_and_is_mended_as_its_outcome_is() -> None:
    assert cause_of(PROVIDER, None, "", "Kaputt.") == ("", NextStep.RETRY)
    assert cause_of(REQUEST, 400, "", "Kaputt.") == ("", NextStep.CORRECT)


def test_a_request_that_would_fail_again_is_not_said_to_pass() -> None:
    assert (
        cause_of(REQUEST, 400, "", "Request timed out in validation").next_step is NextStep.CORRECT
    )


def test_every_outcome_that_can_be_retried_has_a_cause() -> None:
    assert OUTCOME_CAUSES.keys() == ADVICE.keys()


def test_patterns_are_in_lower_case_and_take_no_time_for_a_long_message() -> None:
    for known in (*KNOWN_CAUSES, *SCHEMA_CAUSES):
        for pattern in known.patterns:
            assert re.sub(r"\\[A-Z]", "", pattern).islower()
    for text in ("image ", "max_tokens ", "invalid ", "model ", "a"):
        assert cause_of(REQUEST, 400, "", (text * 1_000)[:1_000])
