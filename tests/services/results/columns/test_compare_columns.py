"""Batches are compared by custom_id."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import pytest

from batchapp.access import NotAllowed
from batchapp.domain.results.comparison import Agreement, ComparisonFilter, Reference
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, ResultColumns, SourceTable, Upload, User
from batchapp.pipeline import steps
from batchapp.services.files import upload_intake
from batchapp.services.results.columns.compare_accuracy import find_reference, measure_accuracy
from batchapp.services.results.columns.compare_columns import Comparison, open_comparison
from batchapp.services.tables import requests_from_table
from tests.make import (
    MODEL,
    answer_line,
    build_columns,
    error_line,
    finish,
    make_batch,
    make_table,
    make_upload,
    make_user,
    request_line,
)

pytestmark = pytest.mark.django_db
ALL = ComparisonFilter()


def make_answered(
    project: Project,
    user: User,
    answers: Mapping[int, str | None],
    *,
    parent: Batch | None = None,
    asked: str = "Question",
) -> Batch:
    """A batch with a request for each number, of which those without a text failed."""
    lines = [
        request_line(
            number,
            body={"model": MODEL, "messages": [{"role": "user", "content": f"{asked} {number}?"}]},
        )
        for number in answers
    ]
    content = "".join(f"{line}\n" for line in lines).encode()
    batch = make_batch(upload=make_upload(project, user, content=content), parent=parent)
    given = {number: text for number, text in answers.items() if text is not None}
    failed = [error_line(number) for number in answers if number not in given]
    return finish(batch, [answer_line(n, text=text) for n, text in given.items()], failed)


@contextmanager
def compare(user: User, *batches: Batch, loose: bool = False) -> Iterator[Comparison]:
    columns = [build_columns(batch) for batch in batches]
    with open_comparison(columns, user, loose=loose) as comparison:
        assert comparison
        yield comparison


def ids(comparison: Comparison, chosen: ComparisonFilter) -> list[str]:
    rows = comparison.page(chosen, start=0, size=100)
    assert len(rows) == comparison.count(chosen)
    assert [row.custom_id for row in comparison.iterate(chosen)] == [row.custom_id for row in rows]
    return [row.custom_id for row in rows]


def test_each_custom_id_is_counted_once_and_its_answers_stand_side_by_side(
    project: Project, user: User
) -> None:
    first = make_answered(project, user, {1: "late", 2: "late", 3: "late", 4: "late"})
    second = make_answered(project, user, {2: "late", 3: "Late ", 4: None, 5: "new"})

    with compare(user, first, second) as comparison:
        coverage = comparison.coverage
        assert (coverage.total, coverage.in_all, coverage.only) == (5, 3, [1, 1])
        assert coverage.counts == {
            Agreement.AGREE: 1,
            Agreement.DISAGREE: 1,
            Agreement.UNANSWERED: 1,
            Agreement.PARTIAL: 2,
        }
        assert ids(comparison, ComparisonFilter(Agreement.DISAGREE)) == ["row-3"]
        assert ids(comparison, ComparisonFilter(Agreement.AGREE)) == ["row-2"]
        assert ids(comparison, ComparisonFilter(only=0)) == ["row-1"]
        assert ids(comparison, ComparisonFilter(only=1)) == ["row-5"]
        assert ids(comparison, ComparisonFilter(outcomes=("ok", "provider_error"))) == ["row-4"]
        assert comparison.outcomes[0] == (("ok", "ok"), 2)
        (row,) = comparison.page(ComparisonFilter(Agreement.DISAGREE), start=0, size=9)
        assert row.question == "Question 3?"
        assert [result.text if result else None for result in row.results] == ["late", "Late "]
        assert comparison.page(ALL, start=4, size=9)[0].results[0] is None
    with compare(user, first, second, loose=True) as comparison:
        assert comparison.coverage.counts[Agreement.AGREE] == 2


def test_totals_are_those_of_each_batch(project: Project, user: User) -> None:
    first = make_answered(project, user, {1: "four", 2: None})
    second = make_answered(project, user, {1: "seventeen"})

    with compare(user, first, second) as comparison:
        one, other = comparison.totals

    assert (one.requests, one.answers, one.input_tokens, one.output_tokens) == (2, 1, 100, 50)
    assert (one.cost_usd, one.length, other.length) == (Decimal("0.0002"), 4, 9)


def test_other_questions_under_the_same_ids_are_counted(project: Project, user: User) -> None:
    first = make_answered(project, user, {1: "a", 2: "a"})
    second = make_answered(project, user, {1: "a", 2: "a", 3: "a"}, asked="Another")

    with compare(user, first, second) as comparison:
        assert comparison.coverage.other_questions == 2
        assert not comparison.page(ALL, start=0, size=1)[0].same_question


def test_fields_of_json_answers_are_compared_one_by_one(project: Project, user: User) -> None:
    first = make_answered(
        project, user, {1: '{"label": "a", "score": 1.0}', 2: '{"label": "b", "score": 2}'}
    )
    second = make_answered(
        project, user, {1: '{"score": 1, "label": "a"}', 2: '{"label": "c", "score": 3, "x": 1}'}
    )

    with compare(user, first, second) as comparison:
        assert [(row.label, row.agree, row.disagree) for row in comparison.field_agreements] == [
            ("label", 1, 1),
            ("score", 1, 1),
        ]
        assert comparison.coverage.counts[Agreement.AGREE] == 0
        chosen = ComparisonFilter(Agreement.DISAGREE, field="label")
        (row,) = comparison.page(chosen, start=0, size=9)
        assert [result.text for result in row.results if result] == ["b", "c"]


def test_counts_are_those_of_plain_python(project: Project, user: User) -> None:
    dice = random.Random(7)
    texts = ["Ä b", "ä  B\n", "x", "", "ZÜ\t", "zü", None, '{"k": "A"}', '{"k":"a", "n": 1.50}']
    contents = [
        {number: dice.choice(texts) for number in range(1, 40) if dice.random() < 0.8}
        for _ in range(3)
    ]
    batches = [make_answered(project, user, content) for content in contents]

    for loose in (False, True):
        expected: Counter[Agreement] = Counter()
        for number in {number for content in contents for number in content}:
            expected[agreement_of([content.get(number, ...) for content in contents], loose)] += 1
        with compare(user, *batches, loose=loose) as comparison:
            counts = comparison.coverage.counts
        assert {kind: number for kind, number in counts.items() if number} == dict(expected)


def agreement_of(answers: list[object], loose: bool) -> Agreement:
    if ... in answers:
        return Agreement.PARTIAL
    if None in answers:
        return Agreement.UNANSWERED
    if loose:
        answers = ["".join(str(answer).lower().split()) for answer in answers]
    return Agreement.AGREE if len({*answers}) == 1 else Agreement.DISAGREE


def test_a_batch_is_compared_with_its_retry_by_its_own_answers(
    project: Project, user: User
) -> None:
    first = make_answered(project, user, {1: "a", 2: None})
    retry = make_answered(project, user, {2: "mended"}, parent=first)
    other = make_answered(project, user, {1: "a", 2: "mended"})

    with compare(user, first, retry) as comparison:
        assert comparison.coverage.counts[Agreement.UNANSWERED] == 1
    with compare(user, first, other) as comparison:
        assert comparison.coverage.counts[Agreement.AGREE] == 2


def test_accuracy_is_measured_against_a_column_of_the_table(project: Project, user: User) -> None:
    table = make_table(
        project,
        user,
        content="review,label\na,good\nb,bad\nc,good\nd,\n",
        prompt_settings=PromptSettings(model=MODEL, prompt="Judge: {review}"),
    )
    upload, batches = upload_of(table, user), []
    for answers in (["good", "bad", "bad", "bad"], ["good", "ok", None, "good"]):
        batch = make_batch(upload=upload)
        lines = [json_line(number, text) for number, text in enumerate(answers, 1) if text]
        batches.append(finish(batch, lines))

    with compare(user, *batches) as comparison:
        reference = find_reference(comparison, "0.c1")
        assert reference == Reference(0, "c1")
        first, second = measure_accuracy(comparison, reference)
        (against_first,) = measure_accuracy(comparison, Reference(0))

    assert (first.total, first.right, first.unanswered) == (3, 2, 0)
    assert first.values == ["good", "bad"]
    assert [(row.value, row.total, row.right, row.answered) for row in first.classes] == [
        ("good", 2, 1, [1, 1]),
        ("bad", 1, 1, [0, 1]),
    ]
    assert (second.total, second.right, second.unanswered) == (3, 1, 1)
    assert second.values == ["good", "bad", "other values", "no answer"]
    assert [row.answered for row in second.classes] == [[1, 0, 0, 1], [0, 0, 1, 0]]
    assert (against_first.position, against_first.total, against_first.right) == (1, 4, 1)


def upload_of(table: SourceTable, user: User) -> Upload:
    requests_from_table.request_file(table, user)
    steps.make_requests_from_table(table)
    assert table.upload
    upload_intake.check_upload(table.upload)
    return table.upload


def json_line(number: int, text: str) -> bytes:
    line = json.loads(answer_line(number, text=text))
    return json.dumps(line | {"custom_id": f"row-{number:05d}"}).encode()


@pytest.mark.parametrize("text", ["", "7", "0.c9", "0.c1; DROP TABLE joined", "x", "²"])
def test_a_reference_that_is_not_there_is_none(project: Project, user: User, text: str) -> None:
    batch = make_answered(project, user, {1: "a"})

    with compare(user, batch, make_answered(project, user, {1: "a"})) as comparison:
        assert find_reference(comparison, text) is None


def test_an_outsider_compares_nothing(project: Project, user: User) -> None:
    columns = [build_columns(make_answered(project, user, {1: "a"})) for _ in range(2)]

    with pytest.raises(NotAllowed), open_comparison(columns, make_user()):
        pass


def test_a_missing_columns_file_is_no_comparison(project: Project, user: User) -> None:
    columns = [build_columns(make_answered(project, user, {1: "a"})) for _ in range(2)]
    columns[1].blob.delete(save=False)
    columns[1] = ResultColumns.objects.select_related("batch__project").get(pk=columns[1].pk)

    with open_comparison(columns, user) as comparison:
        assert comparison is None
