"""A portal is upgraded while tables and the files that were made of them are still there."""

from typing import Any

from batchapp.models import Event, SourceTable, Upload
from tests.make import make_batch, make_table, make_upload
from tests.migrations.conftest import Migrate

BEFORE = "0004_billed_answers"


def test_files_of_tables_that_are_still_there_know_their_table(migrate: Migrate) -> None:
    table = make_table()
    made, other = make_upload(table.project), make_upload(table.project)
    correction = make_upload(table.project)
    retry_of_correction = make_batch(table.project).upload
    Upload.objects.filter(pk=correction.pk).update(made_from=made)
    Upload.objects.filter(pk=retry_of_correction.pk).update(made_from=correction)
    Event.objects.all().delete()
    old: Any = migrate(BEFORE).get_model("batchapp", "SourceTable")
    old.objects.update(upload=made.pk)

    migrate("newest")

    assert {*SourceTable.objects.get().uploads.all()} == {made, correction, retry_of_correction}
    assert SourceTable.objects.get().has_batches
    assert Upload.objects.get(pk=other.pk).table is None
