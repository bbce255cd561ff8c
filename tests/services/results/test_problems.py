"""The requests of a batch without a good answer, grouped and kept."""

import json

import pytest

from batchapp.access import NotAllowed
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, BatchProblems, Project, User
from batchapp.services.results import problems
from batchapp.services.results.problems import group_at_end, list_few_problems, list_problems
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_upload,
    make_user,
    request_file,
)

pytestmark = pytest.mark.django_db


def cut_line(number: int) -> bytes:
    return answer_line(number).replace(b'"stop"', b'"length"')


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of eight requests: one good, two cut short, four failed, one lost."""
    upload = make_upload(project, user, content=request_file(8))
    timeouts = [error_line(n, f"Request {n}f3 timed out after {n} s") for n in (4, 5, 6)]
    lines = [answer_line(1), cut_line(2), cut_line(3)]
    return finish(make_batch(upload=upload), lines, [*timeouts, error_line(7, "Broken.")])


def found(batch: Batch, user: User) -> list[tuple[str, str, int]]:
    groups = list_problems(batch, user).groups
    return [(group.kind.outcome, group.kind.signature, group.number) for group in groups]


def test_failures_and_bad_answers_are_grouped_and_the_largest_group_comes_first(
    batch: Batch, user: User
) -> None:
    assert found(batch, user) == [
        (Outcome.PROVIDER_ERROR, "Request … timed out after … s", 3),
        (Outcome.TRUNCATED, "", 2),
        (Outcome.PROVIDER_ERROR, "Broken.", 1),
        (Outcome.MISSING, "", 1),
    ]
    first = list_problems(batch, user).groups[0]
    assert (first.first, first.last) == (4, 6)
    assert [sample.line for sample in first.samples] == [4, 5, 6]


@pytest.mark.parametrize(("few", "lines"), [(1_000, [2, 3, 4]), (0, [2, 3, 9])])
def test_three_samples_are_known_also_of_requests_with_one_message(
    project: Project, user: User, monkeypatch: pytest.MonkeyPatch, few: int, lines: list[int]
) -> None:
    monkeypatch.setattr(problems, "FEW", few)
    upload = make_upload(project, user, content=request_file(9))
    batch = finish(make_batch(upload=upload), [], [error_line(n) for n in range(2, 10)])

    group, _ = list_problems(batch, user).groups

    assert [sample.line for sample in group.samples] == lines


def test_groups_are_made_once_and_again_when_a_retry_has_answered(
    batch: Batch, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = found(batch, user)
    assert not BatchProblems.objects.exists()
    monkeypatch.setattr(problems, "FEW", 0)
    assert found(batch, user) == few
    before = found(batch, user)
    built_at = BatchProblems.objects.get().built_at
    assert found(batch, user) == before
    assert BatchProblems.objects.get().built_at == built_at

    content = b"".join(request_file(8).splitlines(keepends=True)[3:6])
    retry = make_batch(upload=make_upload(project=batch.project, content=content), parent=batch)
    finish(retry, [answer_line(4), answer_line(5)], [error_line(6, "Request 6 timed out")])

    assert sum(number for *_, number in found(batch, user)) == 5


def test_a_page_need_not_wait_for_very_many(
    batch: Batch, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "FEW", 0)
    assert list_few_problems(batch, user, most=6) is None
    assert list_few_problems(batch, user, most=7) == list_problems(batch, user)
    assert list_few_problems(batch, user, most=6) is not None  # they are here by now


def test_many_are_grouped_as_soon_as_the_batch_ends(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    group_at_end(batch)
    assert not BatchProblems.objects.exists()
    monkeypatch.setattr(problems, "GROUPED_AT_END", 7)

    group_at_end(batch)

    assert BatchProblems.objects.get().batch == batch


def test_an_answer_off_the_list_of_choices_is_a_group_of_its_own(
    project: Project, user: User
) -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["good", "bad"]}}}
    json_schema = {"name": "answer", "schema": schema}
    body = {
        "model": "org/Model-1",
        "messages": [{"role": "user", "content": "?"}],
        "max_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": json_schema},
    }
    lines = [
        {"custom_id": f"row-{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n in (1, 2, 3)
    ]
    content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    upload = make_upload(project, user, content=content)
    answers = [
        answer_line(n, text=json.dumps({"label": label}))
        for n, label in enumerate(["good", "fine", "so-so"], 1)
    ]

    batch = finish(make_batch(upload=upload), answers)

    assert found(batch, user) == [(Outcome.INVALID_SCHEMA, "At label: … is not one of … or …", 2)]


def test_outsiders_are_told_nothing(batch: Batch) -> None:
    outsider = make_user("outsider@example.com")

    with pytest.raises(NotAllowed):
        list_problems(batch, outsider)
    with pytest.raises(NotAllowed):
        list_few_problems(batch, outsider, most=1)
