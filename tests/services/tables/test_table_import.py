"""How long a table is kept: with its batches, or for some days after its last use."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.results.retry_selection import Outcome, Selection
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.table_reader import ReadOptions
from batchapp.models import SourceTable, Upload
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.results import retry_file
from batchapp.services.tables import requests_from_table, table_import
from tests.make import MODEL, error_line, finish, make_batch, make_table
from tests.steps import advance

pytestmark = pytest.mark.django_db

PROMPT = PromptSettings(model=MODEL, prompt="Say {text}", max_tokens=20)


@pytest.fixture
def table() -> SourceTable:
    return make_table(prompt_settings=PROMPT)


def file_of(table: SourceTable) -> Upload:
    """Make the file of requests of ``table``, as a worker does, and check it."""
    requests_from_table.request_file(table, table.created_by)
    advance(table)
    table.refresh_from_db()
    assert table.upload
    advance(table.upload)
    return Upload.objects.get(pk=table.upload_id)


def pass_days(table: SourceTable, days: int) -> None:
    """Let ``table`` be unused for so long, and run its step if it is due by then."""
    since = timedelta(days=days)
    row = SourceTable.objects.get(pk=table.pk)
    SourceTable.objects.filter(pk=table.pk).update(
        used_at=row.used_at - since, next_check_at=(row.next_check_at or row.used_at) - since
    )
    if SourceTable.objects.due(timezone.now()).filter(pk=table.pk).exists():
        advance(row)


def is_stored(table: SourceTable) -> bool:
    row = SourceTable.objects.filter(pk=table.pk).exists()
    content = [table.blob.storage.exists(file.name) for file in (table.blob, table.cells)]
    assert set(content) == {row}, "the row and its bytes are there, or neither"
    return row


def test_a_table_that_nobody_used_for_days_is_deleted_with_its_bytes(
    table: SourceTable,
) -> None:
    fresh = make_table(table.project, table.created_by)
    SourceTable.objects.filter(pk=table.pk).update(used_at=timezone.now() - timedelta(days=8))
    SourceTable.objects.update(next_check_at=timezone.now())

    for each in (table, fresh):
        advance(each)

    assert list(table.project.tables.all()) == [fresh]
    assert fresh.cells.storage.exists(fresh.cells.name)
    assert not table.blob.storage.exists(table.blob.name)
    assert not table.cells.storage.exists(table.cells.name)


def test_a_table_is_kept_as_long_as_its_batch(table: SourceTable) -> None:
    batch = make_batch(upload=file_of(table))

    pass_days(table, 8)
    pass_days(table, 300)

    assert is_stored(table)
    batch.delete()
    pass_days(table, 8)
    assert not is_stored(table)


def test_a_table_whose_file_was_never_ordered_goes_after_its_days(table: SourceTable) -> None:
    upload = file_of(table)

    pass_days(table, 6)
    assert is_stored(table)
    pass_days(table, 2)

    assert not is_stored(table)
    assert Upload.objects.get(pk=upload.pk).table is None


def test_a_table_goes_at_once_with_its_last_file_if_its_days_are_over(table: SourceTable) -> None:
    upload = file_of(table)
    batch = make_batch(upload=upload)
    pass_days(table, 30)
    batch.delete()

    upload_intake.remove(upload, table.created_by)

    pass_days(table, 0)
    assert not is_stored(table)


def test_a_table_that_was_just_used_stays_when_its_file_is_deleted(table: SourceTable) -> None:
    upload_intake.remove(file_of(table), table.created_by)

    pass_days(table, 6)

    assert is_stored(table)


def test_a_correction_of_the_file_keeps_the_table_also_when_the_file_is_gone(
    table: SourceTable,
) -> None:
    upload = file_of(table)
    choice = correct_file.Choice(frozenset(), max_tokens=50)
    corrected = correct_file.request_correction(
        upload, table.created_by, choice, submission=table.pk
    )
    advance(corrected)
    upload_intake.remove(upload, table.created_by)
    make_batch(upload=Upload.objects.get(pk=corrected.pk))

    pass_days(table, 100)

    assert is_stored(table)


def test_a_retry_keeps_the_table_of_its_batch(table: SourceTable) -> None:
    batch = finish(make_batch(upload=file_of(table)), [], [error_line(1), error_line(2)])

    retry = retry_file.request_retry_file(
        batch,
        table.created_by,
        Selection(outcomes=frozenset({Outcome.PROVIDER_ERROR}), parent=batch.name),
        submission=table.pk,
    )

    assert retry.table == table


def test_the_rows_of_a_file_stay_as_they_are_when_the_table_is_read_differently(
    table: SourceTable,
) -> None:
    make_batch(upload=file_of(table))
    columns, cells = table.columns, table.cells.name

    copy = table_import.read_again(table, table.created_by, ReadOptions(separator=";"))
    advance(copy)

    copy.refresh_from_db()
    table.refresh_from_db()
    assert copy.pk != table.pk
    assert copy.columns == ["id,name,text"]
    assert copy.prompt_settings == PROMPT
    assert (table.columns, table.cells.name) == (columns, cells)
    assert table.has_batches
    assert not copy.has_batches


def test_a_table_without_a_file_is_read_again_in_its_place(table: SourceTable) -> None:
    again = table_import.read_again(table, table.created_by, ReadOptions(separator=";"))

    assert again.pk == table.pk
    assert SourceTable.objects.count() == 1
