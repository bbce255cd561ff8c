"""A portal is upgraded while tables and the files that were made of them are still there."""

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0004_billed_answers", "0005_table_of_file"


def test_files_of_tables_that_are_still_there_know_their_table(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    made, other = old.make_upload(), old.make_upload()
    correction = old.make_upload(made_from=made)
    retry_of_correction = old.make_upload(made_from=correction)
    batch = old.make_batch(upload=retry_of_correction)
    of_project = {"project": old.project, "created_by": old.user}
    old.create("SourceTable", **of_project, name="a.csv", size=1, status="ready", upload=made)

    new = Rows(migrate(AFTER))

    table = new.model("SourceTable").objects.get()
    files = set(table.uploads.values_list("pk", flat=True))
    assert files == {made.pk, correction.pk, retry_of_correction.pk}
    assert new.model("Batch").objects.get(upload__table=table).pk == batch.pk
    assert new.model("Upload").objects.get(pk=other.pk).table is None
