"""The results of a batch become a table for a second batch."""

import json
import uuid

import pytest

from batchapp.domain.problem import ProblemCode
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, ResultColumns, SourceTable, User
from batchapp.services.results import newest_answers
from batchapp.services.tables import answer_tables, requests_from_table, table_import
from tests.make import (
    MODEL,
    answer_line,
    build_columns,
    error_line,
    finish,
    join,
    make_batch,
    make_table,
    make_upload,
    make_user,
    request_file,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db

GOOD = ResultFilter(outcome="ok")
HOSTILE = "=cmd|' /C calc'!A0 <script>alert(1)</script> \u202e 007 1.50 {name} \ud800\0 \"q\"\r\n"


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of four requests: two answers in JSON, a hostile one, and a failure."""
    batch = make_batch(upload=make_upload(project, user, content=request_file(4)), name="Reviews")
    answers = ['{"label": "late", "score": 1.50}', '{"label": "new", "why": null}', HOSTILE]
    lines = [answer_line(number, text=text) for number, text in enumerate(answers, start=1)]
    return finish(batch, lines, [error_line(4)])


def table_of(batch: Batch, user: User, chosen: ResultFilter = GOOD) -> SourceTable:
    """Make the table as workers do: first the columns of the batch, then the rows."""
    table = answer_tables.request_table(batch, user, chosen, submission=uuid.uuid4())
    advance(table)
    if table.status == SourceTable.Status.READING:
        build_columns(batch)
        SourceTable.objects.update(next_check_at=table.created_at)
        table.refresh_from_db()
        advance(table)
    table.refresh_from_db()
    return table


def test_a_row_has_the_answer_its_fields_and_its_outcome(batch: Batch, user: User) -> None:
    table = table_of(batch, user)

    assert (table.status, table.name, table.rows) == ("kept", "Answers of Reviews", 3)
    assert table.columns == [
        *("custom_id", "question", "answer", "label", "score", "why", "outcome")
    ]
    first, second, third = table.open_rows()
    assert first == {
        "custom_id": "row-1",
        "question": "Question 1?",
        "answer": '{"label": "late", "score": 1.50}',
        "label": "late",
        "score": "1.50",
        "why": "",
        "outcome": "Answered",
    }
    assert second["why"] == ""
    assert third["answer"] == HOSTILE.replace("\ud800", "?").replace("\0", "\ufffd")


def test_the_columns_of_the_first_table_come_along(project: Project, user: User) -> None:
    first = make_table(
        project,
        user,
        content="answer,stars\nlate,007\n",
        prompt_settings=PromptSettings(model=MODEL, prompt="Judge: {answer}"),
    )
    requests_from_table.request_file(first, user)
    advance(first)
    first.refresh_from_db()
    assert first.upload
    advance(first.upload)
    first.upload.refresh_from_db()
    line = json.loads(answer_line(1, text="bad")) | {"custom_id": "row-00001"}
    batch = finish(make_batch(upload=first.upload), [json.dumps(line).encode()])

    table = table_of(batch, user)

    (row,) = table.open_rows()
    assert [*row] == ["custom_id", "question", "answer", "answer (2)", "stars", "outcome"]
    assert [*row.values()] == ["row-00001", "Judge: late", "bad", "late", "007", "Answered"]


def test_the_same_form_makes_one_table(batch: Batch, user: User) -> None:
    submission = uuid.uuid4()

    tables = {
        answer_tables.request_table(batch, user, GOOD, submission=submission) for _ in range(2)
    }

    assert len(tables) == SourceTable.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [(GOOD, 3), (ResultFilter(), 4), (ResultFilter(outcome="ok", text="late"), 1)],
)
def test_the_filter_chooses_the_rows(
    batch: Batch, user: User, chosen: ResultFilter, rows: int
) -> None:
    assert table_of(batch, user, chosen).rows == rows


def test_no_results_are_no_table(batch: Batch, user: User) -> None:
    table = table_of(batch, user, ResultFilter(text="rucksack"))

    assert table.status == SourceTable.Status.REFUSED
    assert table.problem
    assert table.problem.code == ProblemCode.NO_SUCH_ANSWERS


def test_a_person_who_left_meanwhile_gets_no_table(batch: Batch, project: Project) -> None:
    leaver = join(make_user(), project)
    table = answer_tables.request_table(batch, leaver, GOOD, submission=uuid.uuid4())
    leaver.memberships.all().delete()

    advance(table)

    table.refresh_from_db()
    assert table.problem
    assert table.problem.code == ProblemCode.TABLE_REQUESTER_LEFT


def test_answers_that_were_deleted_meanwhile_are_said(batch: Batch, user: User) -> None:
    table = answer_tables.request_table(batch, user, GOOD, submission=uuid.uuid4())
    Batch.objects.update(purged_at=batch.created_at)

    advance(table)

    table.refresh_from_db()
    assert table.problem
    assert table.problem.code == ProblemCode.ANSWERS_DELETED


def test_columns_that_cannot_be_built_are_said(batch: Batch, user: User) -> None:
    build_columns(batch)
    ResultColumns.objects.update(status=ResultColumns.Status.FAILED, blob="")

    table = table_of(batch, user)

    assert table.problem
    assert table.problem.code == ProblemCode.ANSWERS_NOT_READABLE


def test_newer_answers_of_a_retry_are_counted_and_read_again(batch: Batch, user: User) -> None:
    table = table_of(batch, user, ResultFilter())
    assert table.newest_chunk is not None
    assert newest_answers.count_newer(batch, user, table.newest_chunk) == 0

    retry = make_batch(
        upload=make_upload(batch.project, user, content=request_file(4)), parent=batch
    )
    finish(retry, [answer_line(4, text="mended")], [error_line(1)])

    assert newest_answers.count_newer(batch, user, table.newest_chunk) == 1
    again = table_import.read_again(table, user, table.read_options)
    build_columns(batch)
    advance(again)
    again.refresh_from_db()
    assert [row["answer"] for row in again.open_rows()][3] == "mended"
