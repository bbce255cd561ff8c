"""Each problem has one sentence with the next step; the provider's words are quoted."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal, Refused
from batchapp.presenters.problem_text import SENTENCES, problem_facts, problem_text
from batchapp.providers.errors import Reason
from tests.fixtures import Clock
from tests.presenters.facts_in_code import members_used

REJECTIONS = {ProblemCode(reason.value) for reason in Reason}
REJECTED = {"connection": "Acme", "said": "", "is_sent": False}


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    assert set(SENTENCES) == {*ProblemCode, *Refusal}


def test_every_code_is_used_by_a_service_or_is_a_reason_of_a_provider_or_an_old_sentence() -> None:
    used = {ProblemCode[name] for name in members_used("ProblemCode")}

    assert used | REJECTIONS | {ProblemCode.TEXT} == set(ProblemCode)


def test_no_problem_is_no_sentence() -> None:
    assert problem_text(None) == ""
    assert problem_facts(None) is None


@pytest.mark.parametrize("code", ["no_such_code", ProblemCode.NO_SLOT], ids=["code", "fact"])
def test_a_problem_of_another_version_is_told_by_its_code(code: str) -> None:
    assert f"cannot explain “{code}”" in problem_text(Problem(code))
    assert f"“{code}”" in problem_facts(Problem(code))["text"]


def test_a_refusal_that_a_row_keeps_has_its_own_sentence() -> None:
    refused = Refused(Refusal.IN_PORTAL_ALREADY)

    assert problem_text(refused.problem).startswith("This batch is in the portal already.")


def test_json_has_the_code_the_facts_and_the_sentence_of_a_problem() -> None:
    problem = Problem(ProblemCode.FILE_UNREADABLE, {"reason": "No disk"})

    assert problem_facts(problem) == {
        "code": "file_unreadable",
        "data": {"reason": "No disk"},
        "text": problem_text(problem),
    }
    assert "could not be read (No disk)" in problem_text(problem)


@pytest.mark.parametrize("code", sorted(REJECTIONS))
def test_a_rejection_says_what_to_do_and_quotes_the_provider(code: ProblemCode) -> None:
    advice = problem_text(Problem(code, REJECTED))
    quoted = problem_text(Problem(code, REJECTED | {"said": "We {closed}."}))

    assert "Acme" in advice
    assert quoted == f"{advice} (Acme said: We {{closed}}.)"


@pytest.mark.parametrize(
    "code",
    [
        ProblemCode.NO_ANSWER,
        ProblemCode.NO_ANSWER_AND_CLOSED,
        ProblemCode.NO_ANSWER_FOR_LONG,
        ProblemCode.NO_ANSWER_TO_CANCEL,
        ProblemCode.REFUSED_FOR_NOW,
    ],
)
def test_an_answer_that_helps_nobody_is_quoted_in_brackets_within_the_sentence(
    code: ProblemCode,
) -> None:
    error = "asking for the batch: HTTP 429: Verify {your} account."

    data = {"connection": "Acme", "error": error, "minutes": 1}
    data |= {"until": "2026-11-28T20:00:00+00:00"}

    text = problem_text(Problem(code, data))

    assert "(asking for the batch: HTTP 429: Verify {your} account)." in text
    assert text.startswith("Acme ")
    assert "1 minutes" not in text


def test_the_time_until_a_person_is_asked_is_counted_from_now(clock: Clock) -> None:
    clock.stop()
    until = (timezone.now() + timedelta(minutes=9)).isoformat()
    data = {"connection": "Acme", "error": "creating the batch: HTTP 401", "until": until}
    refused = Problem(ProblemCode.REFUSED_FOR_NOW, data)

    assert "If this lasts 9 more minutes, you are asked" in problem_text(refused)
    clock.advance(minutes=8)
    assert "If this lasts 1 more minute, you are asked" in problem_text(refused)


@pytest.mark.parametrize("code", [ProblemCode.FORBIDDEN, ProblemCode.INVALID])
def test_nobody_is_told_to_correct_a_file_that_the_provider_has(code: ProblemCode) -> None:
    before = problem_text(Problem(code, REJECTED))
    after = problem_text(Problem(code, REJECTED | {"is_sent": True}))

    assert "Correct the" in before
    assert "Correct the" not in after


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (None, "Its file could not be checked. Try again."),
        (
            {"code": "file_unreadable", "data": {"reason": "No disk"}},
            "could not be read (No disk)",
        ),
    ],
)
def test_an_import_says_why_its_file_could_not_be_checked(own: object, says: str) -> None:
    refused = Refused(Refusal.IMPORT_FILE_UNCHECKED, problem=own)

    assert says in problem_text(refused.problem)
