"""The results of a batch in columns: built from the rows and files, and asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from batchapp.access import NotAllowed
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import (
    RangeFilter,
    ResultFilter,
    Sorting,
    ValueFilter,
)
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, ResultColumns, SourceTable, Upload, User
from batchapp.pipeline import steps
from batchapp.services.files import upload_intake
from batchapp.services.results.columns import build, freshness
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE, ColumnsReader
from batchapp.services.results.columns.open_columns import open_columns
from batchapp.services.tables import requests_from_table
from batchapp.storage.blob_storage import StorageUnavailable
from tests.make import (
    MODEL,
    answer,
    answer_line,
    build_columns,
    error_line,
    finish,
    make_batch,
    make_table,
    make_upload,
    make_user,
    replace_columns,
    request_file,
)

pytestmark = pytest.mark.django_db
ALL, BY_LINE = ResultFilter(), Sorting()


@contextmanager
def reader_of(batch: Batch, user: User, *, own: bool = False) -> Iterator[ColumnsReader]:
    with open_columns(build_columns(batch), user, own=own) as reader:
        assert reader
        yield reader


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of six requests: four answers in JSON, an error, and one without a result."""
    batch = make_batch(upload=make_upload(project, user, content=request_file(6)))
    labels = ["late", "broken", "late", "<b>=1+1</b>"]
    answers = [
        answer_line(n, text=json.dumps({"label": label, "score": n / 2}), tokens=(100 * n, n))
        for n, label in enumerate(labels, start=1)
    ]
    return finish(batch, reversed(answers), [error_line(5, "Overloaded, try 17 times.")])


def lines(reader: ColumnsReader, chosen: ResultFilter, sorting: Sorting = BY_LINE) -> list[int]:
    return [row["line"] for row in reader.page(chosen, sorting, ["line"], start=0, size=50)]


def test_every_request_is_a_row_in_the_order_of_the_file(batch: Batch, user: User) -> None:
    with reader_of(batch, user) as reader:
        names = ["line", "custom_id", "outcome", "question", "input_tokens", "cost_usd"]
        rows = reader.page(ALL, Sorting(), names, start=0, size=50)

    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[1] == {
        "line": 2,
        "custom_id": "row-2",
        "outcome": Outcome.OK,
        "question": "Question 2?",
        "input_tokens": 200,
        "cost_usd": Decimal("0.000204"),
    }
    assert [row["outcome"] for row in rows[4:]] == [Outcome.PROVIDER_ERROR, Outcome.MISSING]
    assert rows[5]["cost_usd"] is None


def test_the_fields_of_json_answers_are_columns(batch: Batch, user: User) -> None:
    with reader_of(batch, user) as reader:
        columns = [
            (column.label, column.kind, column.filled) for column in reader.columns.values()
        ]
        rows = list(reader.iterate(ALL, ["field:label", "field:score"]))

    assert columns == [("label", "text", 4), ("score", "number", 4)]
    assert rows[0] == ("late", "0.5")
    assert rows[3] == ("<b>=1+1</b>", "2.0")
    assert rows[4] == (None, None)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (ResultFilter(outcome="failed"), [5]),
        (ResultFilter(outcome="ok", text="BROKEN"), [2]),
        (ResultFilter(text="question 3"), [3]),
        (ResultFilter(text="row-4"), [4]),
        (ResultFilter(text="17 times"), [5]),
        (ResultFilter(text="rucksack"), []),
        (ResultFilter(values=(ValueFilter("field:label", "late"),)), [1, 3]),
        (ResultFilter(values=(ValueFilter("field:label", None),)), [5, 6]),
        (ResultFilter(ranges=(RangeFilter("input_tokens", 200, 300),)), [2, 3]),
        (ResultFilter(ranges=(RangeFilter("field:score", low=1.5),)), [3, 4]),
        (ResultFilter(ranges=(RangeFilter("field:score", 0.5, 1.5, is_open=True),)), [1, 2]),
        (ResultFilter(values=(ValueFilter("field:label", "' OR 1=1 --"),)), []),
    ],
)
def test_a_filter_chooses_results(
    batch: Batch, user: User, chosen: ResultFilter, found: list[int]
) -> None:
    with reader_of(batch, user) as reader:
        assert lines(reader, chosen) == found
        assert reader.count(chosen) == len(found)
        assert [line for (line,) in reader.iterate(chosen, ["line"])] == found


def test_results_are_sorted_by_any_column_with_missing_values_last(
    batch: Batch, user: User
) -> None:
    with reader_of(batch, user) as reader:
        by_tokens = lines(reader, ALL, Sorting("input_tokens", is_descending=True))
        by_line = lines(reader, ALL, Sorting("line", is_descending=True))

    assert by_tokens == [4, 3, 2, 1, 5, 6]
    assert by_line == [6, 5, 4, 3, 2, 1]


def test_a_page_in_the_middle_has_the_rows_that_belong_there(batch: Batch, user: User) -> None:
    with reader_of(batch, user) as reader:
        for sorting, expected in [
            (Sorting(), [3, 4]),
            (Sorting("line", is_descending=True), [4, 3]),
            (Sorting("output_tokens"), [3, 4]),
        ]:
            page = reader.page(ALL, sorting, ["line"], start=2, size=2)
            assert [row["line"] for row in page] == expected


def test_the_field_of_numbers_is_sorted_by_number(project: Project, user: User) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)))
    texts = ['{"score": 9}', '{"score": 10}', '{"score": null}']
    finish(batch, [answer_line(n, text=text) for n, text in enumerate(texts, start=1)])

    with reader_of(batch, user) as reader:
        by_score = lines(reader, ALL, Sorting("field:score"))

    assert by_score == [1, 2, 3]


def test_neighbours_are_those_of_the_filter_and_the_order(batch: Batch, user: User) -> None:
    late = ResultFilter(values=(ValueFilter("field:label", "late"),))
    by_tokens = Sorting("input_tokens", is_descending=True)
    with reader_of(batch, user) as reader:
        assert reader.neighbours(1, ALL, BY_LINE) == (None, 2)
        assert reader.neighbours(6, ALL, BY_LINE) == (5, None)
        assert reader.neighbours(1, late, BY_LINE) == (None, 3)
        assert reader.neighbours(3, ALL, by_tokens) == (4, 2)
        assert reader.neighbours(2, late, BY_LINE) == (1, 3)  # though it is none of them
        assert reader.neighbours(2, late, by_tokens) == (None, None)
        assert reader.neighbours(99, ALL, BY_LINE) == (None, None)


def test_the_place_of_a_line_is_the_number_of_results_before_it(batch: Batch, user: User) -> None:
    answered = ResultFilter(values=(ValueFilter("field:label", "late"),))
    with reader_of(batch, user) as reader:
        assert [reader.place_of(line, ALL) for line in (1, 3, 99)] == [0, 2, 6]
        assert [reader.place_of(line, answered) for line in (1, 3, 99)] == [0, 1, 2]


def test_the_file_knows_how_many_different_texts_a_column_holds(batch: Batch, user: User) -> None:
    with reader_of(batch, user) as reader:
        counts = {name: figures for (_, name), figures in reader.statistics.items()}

    assert (counts["custom_id"].distinct, counts["f0"].distinct) == (6, 3)
    assert (counts["f1"].filled, counts["f1"].numbers) == (4, 4)
    assert (counts["error_message"].filled, counts["error_message"].numbers) == (1, 0)


def test_a_name_that_is_no_column_is_refused(batch: Batch, user: User) -> None:
    with reader_of(batch, user) as reader, pytest.raises(KeyError):
        reader.page(ALL, Sorting("line; DROP TABLE results"), ["line"], start=0, size=1)


def test_the_columns_of_the_table_stand_beside_the_answers(project: Project, user: User) -> None:
    table = make_table(
        project,
        user,
        content="review,stars\nlate,1\n,2\n=1+1,3\n",
        prompt_settings=PromptSettings(model=MODEL, prompt="Judge: {review}", empty="skip"),
    )
    batch = finish_from(table, user)

    with reader_of(batch, user) as reader:
        columns = {column.label: column.name for column in reader.columns.values()}
        names = ["custom_id", "source_row", columns["review"], columns["stars"]]
        rows = list(reader.iterate(ALL, names))
        chosen = ResultFilter(values=(ValueFilter(columns["stars"], "3"),))

        assert {column.origin for column in reader.columns.values()} == {SOURCE}
        assert [column.kind for column in reader.columns.values()] == ["text", "number"]
        assert rows == [("row-00001", 1, "late", "1"), ("row-00003", 3, "=1+1", "3")]
        assert lines(reader, chosen) == [2]
        assert lines(reader, ALL, Sorting(columns["stars"], is_descending=True)) == [2, 1]


def test_answers_of_a_retry_count_unless_only_the_own_are_wanted(batch: Batch, user: User) -> None:
    retry = make_batch(
        upload=make_upload(batch.project, user, content=request_file(6)), parent=batch
    )
    finish(retry, [answer_line(5, text='{"label": "mended", "why": "x"}')])

    with reader_of(batch, user) as reader:
        (row,) = reader.page(
            ResultFilter(values=(ValueFilter("field:label", "mended"),)),
            Sorting(),
            ["line", "attempt", "outcome"],
            start=0,
            size=9,
        )
    with reader_of(batch, user, own=True) as reader:
        failed = lines(reader, ResultFilter(outcome="failed"))

    assert row == {"line": 5, "attempt": retry.pk.hex, "outcome": Outcome.OK}
    assert failed == [5]


def test_a_running_batch_has_columns_and_later_answers_make_them_out_of_date(
    project: Project, user: User
) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)))
    answer(batch, [answer_line(1, text="first")])
    columns = build_columns(batch)
    assert freshness.is_current(columns, batch)

    answer(batch, [answer_line(1, text="first"), answer_line(2, text="second")])

    assert not freshness.is_current(columns, batch)
    ResultColumns.objects.update(built_at=batch.created_at.replace(year=2020))
    with reader_of(batch, user) as reader:
        assert lines(reader, ResultFilter(text="second")) == [2]


def test_a_file_that_was_replaced_or_is_unused_is_deleted_from_storage(
    batch: Batch, user: User
) -> None:
    first = build_columns(batch)
    storage, old = first.blob.storage, first.blob.name
    ResultColumns.objects.update(built_from="")
    second = build_columns(batch)

    assert old
    assert not storage.exists(old)
    assert second.blob.name
    assert storage.exists(second.blob.name)

    ResultColumns.objects.update(used_at=batch.created_at.replace(year=2020))
    columns = ResultColumns.objects.claim(batch.pk, ResultColumns.Status.READY)
    assert columns
    build.delete_if_unused(columns)

    assert not storage.exists(second.blob.name)
    with open_columns(ResultColumns.objects.get(), user) as reader:
        assert reader is None
    with reader_of(batch, user) as reader:
        assert reader.count(ALL) == 6


@pytest.mark.parametrize("damage", ["gone", "empty", "other bytes", "cut", "another version"])
def test_a_damaged_file_is_built_again(
    batch: Batch, user: User, damage: str, tmp_path: Path
) -> None:
    columns = build_columns(batch)
    with columns.blob.open("rb") as file:
        content = file.read()
    if damage == "another version":
        path = tmp_path / "columns.duckdb"
        path.write_bytes(content)
        with duckdb.connect(str(path)) as connection:
            connection.execute("DROP TABLE statistics")
        replace_columns(columns, path.read_bytes())
    elif damage == "gone":
        columns.blob.storage.delete(columns.blob.name)
    else:
        damaged = {"empty": b"", "cut": content[: len(content) // 2]}
        replace_columns(columns, damaged.get(damage, b"x" * 9_999))

    with suppress(StorageUnavailable), open_columns(columns, user) as reader:
        assert reader is None or lines(reader, ResultFilter(text="late"))

    assert freshness.require_columns(batch).status == ResultColumns.Status.BUILDING
    with reader_of(batch, user) as reader:
        assert lines(reader, ResultFilter(text="late")) == [1, 3]


def test_a_file_from_before_the_first_retry_has_the_own_answers(batch: Batch, user: User) -> None:
    columns = build_columns(batch)
    make_batch(upload=batch.upload, parent=batch)

    with open_columns(columns, user, own=True) as reader:
        assert reader
        assert lines(reader, ResultFilter(outcome="failed")) == [5]


def test_hostile_answers_are_kept_as_text(project: Project, user: User) -> None:
    texts = [
        "a\x00b",
        "\ud83d",
        "\u202edesrever",
        "x" * 2_000_000,
        '{"a":' * 500,
        "=cmd|' /C calc'!A0",
    ]
    batch = make_batch(upload=make_upload(project, user, content=request_file(len(texts))))
    finish(batch, [answer_line(n, text=text) for n, text in enumerate(texts, start=1)])

    with reader_of(batch, user) as reader:
        rows = [text for (text,) in reader.iterate(ALL, ["answer"])]
        lengths = [length for (length,) in reader.iterate(ALL, ["answer_length"])]

    assert rows[0] == "a�b"
    assert rows[3] == "x" * 1_000_000
    assert lengths[3] == 2_000_000
    assert rows[5] == texts[5]


def test_more_fields_than_columns_are_left_in_the_answer(project: Project, user: User) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(2)))
    texts = [json.dumps({f"k{n}-{i}": i for i in range(30)}) for n in (1, 2)]
    finish(batch, [answer_line(n, text=text) for n, text in enumerate(texts, start=1)])

    with reader_of(batch, user) as reader:
        names = [column.name for column in reader.columns.values() if column.origin == FIELD]

    assert names == [f"field:k1-{i}" for i in range(30)] + [f"field:k2-{i}" for i in range(10)]


def test_an_outsider_reads_nothing(batch: Batch) -> None:
    columns = build_columns(batch)

    with pytest.raises(NotAllowed), open_columns(columns, make_user()):
        pass
    with pytest.raises(NotAllowed):
        freshness.request_columns(batch, make_user())


def finish_from(table: SourceTable, user: User) -> Batch:
    """Return a finished batch of the requests of ``table``, made as a worker makes them."""
    requests_from_table.request_file(table, user)
    claimed = SourceTable.objects.claim(table.pk, SourceTable.Status.MAKING)
    assert claimed
    (upload,) = steps.make_requests_from_table(claimed) or ()
    row = Upload.objects.claim(upload.pk, Upload.Status.CHECKING)
    assert row
    upload_intake.check_upload(row)
    batch = make_batch(upload=Upload.objects.get(pk=upload.pk))
    ids = batch_ids(batch)
    return finish(batch, [answer_line(0).replace(b"row-0", name.encode()) for name in ids])


def batch_ids(batch: Batch) -> list[str]:
    content = b"".join(batch.upload.chunks()).splitlines()
    return [json.loads(line)["custom_id"] for line in content]
