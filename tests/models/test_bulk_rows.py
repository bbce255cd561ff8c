"""Write many rows at once, on each database by a statement of its own."""

import pytest
from django.db import DataError, IntegrityError, transaction

from batchapp.models import Batch, Result, ResultChunk, bulk_rows
from tests.make import make_batch

pytestmark = pytest.mark.django_db

FIELDS = ("line", "custom_id", "model", "request_at", "request_bytes")
HOSTILE = 'it\'s "100%s" \\N \t\n{0} $1 ?, \u202eright\u202c to left 🎉 ' + "w" * 20_000


@pytest.fixture
def batch() -> Batch:
    return make_batch()


def insert(batch: Batch, *rows: bulk_rows.Row) -> None:
    same = {"batch": batch.pk, "provider_batch": batch.provider_batches.get().pk}
    same |= {name: value for name, value in Result.NO_ANSWER.items() if value is not None}
    bulk_rows.insert_new(Result, FIELDS, rows, same)


def row(number: int, custom_id: str = "") -> bulk_rows.Row:
    return number, custom_id or f"row-{number}", "Qwen/Qwen3-30B", 2**40 + number, 100


def stored(batch: Batch) -> list[tuple[int, str]]:
    return list(batch.results.order_by("line").values_list("line", "custom_id"))


def test_every_field_of_an_inserted_row_is_stored(batch: Batch) -> None:
    insert(batch, row(1))

    result = Result.objects.get()
    assert (result.batch, result.provider_batch) == (batch, batch.provider_batches.get())
    assert (result.line, result.custom_id, result.model) == (1, "row-1", "Qwen/Qwen3-30B")
    assert (result.request_at, result.request_bytes) == (2**40 + 1, 100)
    assert {name: getattr(result, name) for name in Result.NO_ANSWER} == Result.NO_ANSWER


def test_rows_that_a_unique_constraint_refuses_are_left_out(batch: Batch) -> None:
    insert(batch, row(1), row(2))

    insert(batch, row(2, "other"), row(3, "row-1"), row(4))

    assert stored(batch) == [(1, "row-1"), (2, "row-2"), (4, "row-4")]


def test_of_two_new_rows_with_the_same_custom_id_the_first_is_written(batch: Batch) -> None:
    insert(batch, row(1, "twice"), row(2, "twice"))

    assert stored(batch) == [(1, "twice")]


def test_rows_that_are_wrong_in_another_way_are_refused_all_together(batch: Batch) -> None:
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        insert(batch, row(1), row(-2))

    assert stored(batch) == []


def test_texts_are_stored_as_they_are(batch: Batch) -> None:
    insert(batch, row(1))
    pk = Result.objects.get().pk

    bulk_rows.update(Result, ["error_message", "preview"], [(pk, HOSTILE, "")], {"line_id": "%s"})

    result = Result.objects.get()
    assert (result.error_message, result.preview, result.line_id) == (HOSTILE, "", "%s")


def test_an_update_changes_the_named_rows_and_fields_alone(batch: Batch) -> None:
    insert(batch, row(1), row(2), row(3))
    first, _, third = batch.results.order_by("line")
    chunk = ResultChunk.objects.create(
        provider_batch=first.provider_batch, kind="output", blob="x", lines=1, size=1
    )

    bulk_rows.update(
        Result,
        ["outcome", "input_tokens"],
        [(third.pk, "ok", 7), (first.pk, "empty", None), (0, "ok", 1)],
        {"result_chunk": chunk.pk},
    )

    rows = batch.results.order_by("line")
    assert list(rows.values_list("outcome", "input_tokens", "result_chunk", "custom_id")) == [
        ("empty", None, chunk.pk, "row-1"),
        ("pending", None, None, "row-2"),
        ("ok", 7, chunk.pk, "row-3"),
    ]


def test_no_rows_are_no_work(batch: Batch) -> None:
    insert(batch)
    bulk_rows.update(Result, ["outcome"], [], {"line_id": "x"})

    assert stored(batch) == []
