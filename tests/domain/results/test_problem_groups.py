"""Requests without a good answer are grouped by what their messages have in common."""

import time

import pytest

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.problem_groups import (
    MAX_GROUPS,
    MAX_SAMPLES,
    Grouper,
    Problems,
    kind_of,
)
from batchapp.domain.results.signatures import MAX_LENGTH, signature_of


@pytest.mark.parametrize(
    ("messages", "signature"),
    [
        (["Request 7f3a9c timed out after 600 s", "Request req_81 timed out after 1,200.5 s"],
         "Request … timed out after … s"),
        (["The host of https://a.b/c?d=1 said 403", "The host of http://x said 401"],
         "The host of … said …"),
        (["The model `a/b` is unknown", "The model “c” is unknown", 'The model "d" is unknown'],
         "The model … is unknown"),
        (["At label: 'good' is no choice", "At label: 'it''s' is no choice"],
         "At label: … is no choice"),
        (["id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id abcdefab-cdef-abcd-efab-cdefabcdefab"],
         "id …"),
        (["lines 1, 2, 3 fail", "lines 4 fail"], "lines … fail"),
        (["This model's context isn't long"], "This model's context isn't long"),
    ],
)  # fmt: skip
def test_messages_that_differ_in_what_varies_have_one_signature(
    messages: list[str], signature: str
) -> None:
    assert {signature_of(message) for message in messages} == {signature}


@pytest.mark.parametrize(
    "text", ["'", '"', "a" * 20, "1", "a-", "http://", "…", "“", "\u202e", "\ud7ff", "1, "]
)
def test_a_hostile_message_takes_no_longer_than_others(text: str) -> None:
    message = (text * 1_000)[:1_000]
    started = time.process_time()

    assert len(signature_of(message)) <= MAX_LENGTH

    assert time.process_time() - started < 1


def added(*rows: tuple[str, int | None, str, int, int, int]) -> Problems:
    grouper = Grouper()
    for outcome, status, message, number, first, last in rows:
        grouper.add(outcome, status, "", message, number=number, first=first, last=last)
    return grouper.problems()


def test_a_group_has_its_count_its_lines_and_its_first_samples() -> None:
    problems = added(
        ("provider_error", 500, "Broke at 12:01", 3, 40, 90),
        ("provider_error", 500, "Broke at 12:02", 1, 7, 7),
        ("provider_error", 503, "Broke at 12:03", 1, 2, 2),
    )

    first, second = problems.groups
    assert (first.number, first.first, first.last) == (4, 7, 90)
    assert [sample.line for sample in first.samples] == [7, 40, 90][:MAX_SAMPLES]
    assert first.samples[0].message == "Broke at 12:02"
    assert (second.kind.status_code, second.number) == (503, 1)
    assert problems.total == 5
    assert problems.find(second.kind.key) is second
    assert problems.find("other") is None


def test_answers_are_one_group_whatever_their_status() -> None:
    problems = added(("truncated", 200, "", 2, 1, 2), ("truncated", 201, "", 1, 3, 3))

    assert [group.number for group in problems.groups] == [3]


def test_rare_groups_are_only_counted() -> None:
    def word(number: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in str(number))

    rows = [("provider_error", 500, word(n), 1, n, n) for n in range(MAX_GROUPS + 50)]

    problems = added(*rows)

    assert len(problems.groups) == MAX_GROUPS
    assert (problems.others, problems.total) == (50, MAX_GROUPS + 50)


def test_without_a_message_the_error_code_tells_groups_apart() -> None:
    timeout, other = (kind_of("provider_error", None, code, "") for code in ("Timeout", "Other"))
    assert timeout != other
    assert kind_of(Outcome.EMPTY, 200, "", "").signature == ""
