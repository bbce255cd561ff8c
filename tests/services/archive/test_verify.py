"""Verifying names exactly what differs, and nothing where all is right."""

import errno
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from batchapp.models import Batch, Project, Result, ResultChunk, SourceTable, Upload
from batchapp.presenters.verify_text import difference_text
from batchapp.services.archive import verify
from batchapp.services.archive.verify import Difference, DifferenceCode, Progress
from batchapp.storage.blob_storage import StorageUnavailable
from tests.make import (
    answer,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_project,
    make_table,
    set_state,
)
from tests.storage.failing import FailingStorage

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> Batch:
    """Three requests: two answers in one file, and an error in another."""
    return finish(make_batch(), [answer_line(1), answer_line(2), b"nonsense"], [error_line(3)])


def verified(project: Project | None = None, progress: Progress | None = None) -> list[Difference]:
    progress = progress or Progress()
    return [
        *verify.verify_files(project, progress),
        *verify.verify_results(project, progress),
        *verify.verify_orphans(),
    ]


def only(differences: list[Difference]) -> tuple[DifferenceCode, str]:
    (difference,) = differences
    return difference.code, difference_text(difference)


def path_of(stored: Path, batch: Batch, kind: str = "output") -> Path:
    chunk = ResultChunk.objects.get(provider_batch__batch=batch, kind=kind)
    return stored / str(chunk.blob)


def test_nothing_differs_where_all_is_right(batch: Batch) -> None:
    make_table()
    make_batch()
    progress = Progress()

    assert verified(progress=progress) == []
    assert (progress.files, progress.batches, progress.results) == (6, 2, 6)
    assert progress.unrecorded == 0


def test_a_batch_that_was_cancelled_before_it_was_prepared_is_right() -> None:
    cancelled = make_batch()
    set_state(cancelled, status="cancelled")
    Batch.objects.filter(pk=cancelled.pk).update(status="cancelled", cancelled=3)

    assert verified() == []


def test_a_missing_file_is_named_once_for_all_its_results(batch: Batch, stored: Path) -> None:
    path = path_of(stored, batch)
    path.unlink()

    code, text = only(verified())

    assert code == DifferenceCode.FILE_MISSING
    assert text == f"{path.relative_to(stored)} is missing (result chunk of batch {batch.pk})."


def test_a_file_whose_row_goes_meanwhile_is_not_missing(batch: Batch, stored: Path) -> None:
    path_of(stored, batch, "error").unlink()

    def delete_rows(progress: Progress) -> None:
        if progress.files == 2:  # the second of the two files of results is next
            ResultChunk.objects.all().delete()

    assert list(verify.verify_files(None, Progress(on_change=delete_rows))) == []


def test_a_storage_that_refuses_several_files_in_a_row_ends_the_verification(
    batch: Batch, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_batch()
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "tests.storage.failing.FailingStorage"}
    }
    away = StorageUnavailable(errno.EIO, "The object storage cannot be used")
    monkeypatch.setattr(FailingStorage, "error", away)
    differences = verify.verify_files(None, Progress())

    named = [next(differences).code for _ in range(2)]
    with pytest.raises(StorageUnavailable):
        next(differences)
    with pytest.raises(CommandError, match="cannot be used, so that not everything"):
        call_command("verify", stdout=StringIO())

    assert named == [DifferenceCode.FILE_UNREADABLE] * 2


def test_changed_bytes_of_the_same_length_are_found(batch: Batch, stored: Path) -> None:
    path = path_of(stored, batch)
    path.write_bytes(path.read_bytes().replace(b"Answer 2", b"Answer 9"))

    code, text = only(verified())

    assert code == DifferenceCode.FILE_CHANGED
    assert "its bytes are not those that were stored" in text


def test_a_file_that_was_cut_is_changed_and_the_results_in_the_rest_are_named(
    batch: Batch, stored: Path
) -> None:
    path = path_of(stored, batch)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100])

    texts = [difference_text(difference) for difference in verified()]

    assert f"it has 100 bytes instead of {size:,}" in texts[0]
    assert [text.split(":")[0] for text in texts[1:]] == [
        f"Batch {batch.pk}, line 1",
        f"Batch {batch.pk}, line 2",
        f"Batch {batch.pk}, an unmatched line",
    ]


def test_a_changed_request_file_is_named_with_its_requests(batch: Batch, stored: Path) -> None:
    path = stored / str(batch.upload.blob)
    path.write_bytes(path.read_bytes().replace(b"row-2", b"row-8"))

    changed, differs = verified()

    assert changed.code == DifferenceCode.FILE_CHANGED
    assert difference_text(changed).endswith(f"(upload {batch.upload.pk}, “questions.jsonl”).")
    assert differs.code == DifferenceCode.REQUEST_DIFFERS
    assert (differs.data["line"], differs.data["custom_id"]) == (2, "row-2")


@pytest.mark.parametrize(
    "change",
    [
        {"custom_id": "row-7"},
        {"outcome": "refused"},
        {"input_tokens": 1},
        {"answer_at": 3},
        {"answer_bytes": 10},
        {"result_chunk": None},
    ],
)
def test_a_row_that_does_not_say_what_its_answer_says_is_named(
    batch: Batch, change: dict[str, object]
) -> None:
    Result.objects.filter(batch=batch, line=2).update(**change)

    differing = [each for each in verified() if each.code == DifferenceCode.ANSWER_DIFFERS]

    assert [each.data["line"] for each in differing] == [2]


def test_a_lost_row_shows_in_the_counts_of_its_batch(batch: Batch) -> None:
    Result.objects.filter(batch=batch, line=2).delete()

    code, text = only(verified())

    assert code == DifferenceCode.RESULTS_DIFFER
    assert text == (
        f"Batch {batch.pk}, “{batch.name}”: its results say 2 requests instead of 3, 1 succeeded "
        "instead of 2."
    )


def test_a_batch_that_still_runs_has_no_counts_to_compare() -> None:
    answer(make_batch(), [answer_line(1)])

    assert verified() == []


def test_many_rows_of_one_batch_are_counted_rather_than_named(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_ROWS_NAMED", 1)
    Result.objects.filter(batch=batch).update(request_at=1)

    first, more = verified()

    assert first.data["line"] == 1
    assert difference_text(more) == f"Batch {batch.pk}: 2 more rows like this."


def test_another_project_is_left_out(batch: Batch, stored: Path) -> None:
    path_of(stored, batch).unlink()
    progress = Progress()

    assert verified(make_project(), progress) == []
    assert (progress.files, progress.batches) == (0, 0)


def test_checksums_of_an_earlier_version_are_counted_and_recorded_on_request(
    batch: Batch, stored: Path
) -> None:
    Upload.objects.update(sha256="")
    ResultChunk.objects.update(sha256="")
    progress = Progress()
    assert list(verify.verify_files(None, progress)) == []
    assert (progress.unrecorded, progress.recorded) == (3, 0)

    progress = Progress()
    list(verify.verify_files(None, progress, record=True))

    assert (progress.unrecorded, progress.recorded) == (0, 3)
    path = path_of(stored, batch)
    path.write_bytes(path.read_bytes().replace(b"Answer 2", b"Answer 9"))
    assert only(verified())[0] == DifferenceCode.FILE_CHANGED


def test_the_rows_of_a_table_are_proven_as_well(stored: Path) -> None:
    table = make_table()
    (stored / str(table.cells)).write_bytes(b'["t-1"]\n')

    code, text = only(verified())

    assert code == DifferenceCode.FILE_CHANGED
    assert f"source table {table.pk}, “tickets.csv”" in text
    assert SourceTable.objects.get().cells_sha256 == table.cells_sha256
