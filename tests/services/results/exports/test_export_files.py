"""The files of exports: written once, kept for a week, and written again."""

import errno
import hashlib
import uuid
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.domain.problem import ProblemCode
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.models import Batch, Export, Project, Purge, ResultColumns, StaleRow, User
from batchapp.pipeline import steps
from batchapp.pipeline.runner import run_step
from batchapp.pipeline.states import step_of
from batchapp.services.archive.stored_files import stored_files
from batchapp.services.results.columns import freshness
from batchapp.services.results.exports import export_files
from batchapp.services.results.exports.formats import FORMATS
from batchapp.services.results.exports.write_export import write_export
from batchapp.storage.blob_storage import StorageUnavailable
from tests.make import (
    VIEWER,
    answer,
    answer_line,
    build_columns,
    finish,
    join,
    make_batch,
    make_upload,
    make_user,
    replace_columns,
    request_file,
)
from tests.storage.failing import FailingStorage

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    return finish(make_batch(upload=make_upload(project, user, content=request_file(2))))


def request(batch: Batch, user: User, code: str = "csv", **settings: Any) -> Export:
    return export_files.request_export(
        batch, user, code, ExportSettings(**settings), submission=uuid.uuid4()
    )


def run(export: Export) -> Export:
    """Run the step that ``export`` is due for, as a worker does."""
    stored = Export.objects.get(pk=export.pk)
    step = step_of(stored)
    assert step
    run_step(stored, step)
    return Export.objects.get(pk=export.pk)


def write(export: Export) -> Export:
    build_columns(export.batch)
    return run(export)


def files(batch: Batch) -> list[str]:
    """Return the names of the stored files of exports of ``batch``."""
    folder = f"exports/{batch.pk}"
    try:
        return [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]]
    except FileNotFoundError:  # none was ever stored
        return []


def test_a_form_that_is_sent_twice_makes_one_export(batch: Batch, user: User) -> None:
    submission = uuid.uuid4()

    exports = [
        export_files.request_export(batch, user, "csv", ExportSettings(), submission=submission)
        for _ in range(2)
    ]

    assert exports[0].pk == exports[1].pk == submission
    assert Export.objects.count() == 1


def test_an_export_waits_until_the_columns_of_its_batch_are_built(
    batch: Batch, user: User
) -> None:
    export = request(batch, user)
    claimed = Export.objects.claim(export.pk, Status.WRITING)
    assert claimed

    (columns,) = steps.write_export(claimed) or ()

    assert isinstance(columns, ResultColumns)
    assert columns.status == ResultColumns.Status.BUILDING
    assert columns.next_check_at
    assert claimed.status == Status.WRITING
    assert claimed.next_check_at
    assert claimed.next_check_at > timezone.now()
    assert write(claimed).status == Status.READY


def test_the_file_is_stored_with_its_checksum_and_the_day_of_its_end(
    batch: Batch, user: User
) -> None:
    export = write(request(batch, user, columns=("custom_id",), has_bom=False))

    content = b"".join(export_files.download(export, user))

    assert content == b"custom_id\r\nrow-1\r\nrow-2\r\n"
    assert (export.rows, export.total, export.size) == (2, 2, len(content))
    assert export.sha256 == hashlib.sha256(content).hexdigest()
    assert export.expires_at == export.next_check_at
    assert export.expires_at
    assert timedelta(days=6) < export.expires_at - timezone.now() <= timedelta(days=7)
    assert export.blob.name in {file.name for file in stored_files(batch.project)}


def test_a_file_is_deleted_after_a_week_and_can_be_written_again(batch: Batch, user: User) -> None:
    export = write(request(batch, user))
    assert len(files(batch)) == 1
    kept = run(export)
    Export.objects.update(expires_at=timezone.now(), next_check_at=timezone.now())

    expired = run(export)

    assert kept.status == Status.READY
    assert expired.status == Status.EXPIRED
    assert files(batch) == []
    assert expired.next_check_at is None

    viewer = join(make_user(), batch.project, VIEWER)
    export_files.export_again(expired, viewer)
    again = run(expired)

    assert again.status == Status.READY
    assert again.requested_by == viewer
    assert len(files(batch)) == 1


def test_a_file_that_is_written_again_replaces_the_one_before(
    project: Project, user: User
) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(2)))
    answer(batch, [answer_line(1)])
    early = write(request(batch, user, chosen=ResultFilter("ok")))
    assert early.is_partial
    finish(batch)

    export_files.export_again(Export.objects.get(), user)
    late = write(early)

    assert (early.rows, late.rows) == (1, 2)
    assert not late.is_partial
    assert files(batch) == [late.blob.name]


def test_an_export_that_was_deleted_while_it_was_written_leaves_no_file(
    batch: Batch, user: User
) -> None:
    columns = build_columns(batch)
    export = request(batch, user)
    claimed = Export.objects.claim(export.pk, Status.WRITING)
    assert claimed

    assert export_files.delete_export(export, user)
    with pytest.raises(StaleRow):
        export_files.write_file(claimed, columns)

    assert files(batch) == []
    assert not export_files.delete_export(export, user)


def test_a_worker_whose_lease_ran_out_stores_nothing(batch: Batch, user: User) -> None:
    columns = build_columns(batch)
    export = request(batch, user)
    slow = Export.objects.claim(export.pk, Status.WRITING)
    assert slow
    Export.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    fast = run(export)
    with pytest.raises(StaleRow):
        export_files.write_file(slow, columns)

    assert fast.status == Status.READY
    assert files(batch) == [fast.blob.name]


def test_a_deleted_export_takes_its_file_with_it(batch: Batch, user: User) -> None:
    export = write(request(batch, user))
    viewer = join(make_user(), batch.project, VIEWER)

    with pytest.raises(NotAllowed):
        export_files.delete_export(export, viewer)
    export_files.delete_export(export, join(make_user(), batch.project))

    assert files(batch) == []
    assert not Export.objects.exists()


def test_a_person_who_left_the_project_gets_no_file(batch: Batch) -> None:
    leaver = join(make_user(), batch.project)
    export = request(batch, leaver)
    leaver.memberships.all().delete()

    failed = write(export)

    assert failed.status == Status.FAILED
    assert failed.problem
    assert failed.problem.code == ProblemCode.EXPORT_REQUESTER_LEFT
    assert files(batch) == []


def test_a_column_that_the_results_lack_ends_the_export(batch: Batch, user: User) -> None:
    failed = write(request(batch, user, columns=("source:gone",)))

    assert failed.problem
    assert failed.problem.data == {"column": "source:gone"}


def test_a_result_file_that_is_gone_ends_the_export(batch: Batch, user: User) -> None:
    build_columns(batch)
    export = request(batch, user, "joined")
    batch.upload.blob.storage.delete(batch.upload.blob.name or "")

    failed = run(export)

    assert failed.problem
    assert failed.problem.code == ProblemCode.EXPORT_NOT_WRITTEN


def test_without_columns_there_is_no_export(batch: Batch, user: User) -> None:
    columns = freshness.require_columns(batch)
    columns.move_to(ResultColumns.Status.FAILED, built_from=freshness.state_of(batch))

    failed = run(request(batch, user))

    assert failed.problem
    assert failed.problem.code == ProblemCode.EXPORT_WITHOUT_COLUMNS


def test_an_export_of_deleted_results_says_so(batch: Batch, user: User) -> None:
    build_columns(batch)
    export = request(batch, user)
    Purge.objects.create(batch=batch, days=30)
    Batch.objects.update(purged_at=timezone.now())

    failed = run(export)

    assert failed.problem
    assert failed.problem.code == Refusal.BATCH_PURGED
    with pytest.raises(Refused):
        request(Batch.objects.get(), user)


@pytest.fixture
def storage(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[FailingStorage]:
    backend = {"BACKEND": "tests.storage.failing.FailingStorage"}
    settings.STORAGES = settings.STORAGES | {"default": backend}
    monkeypatch.setattr(FailingStorage, "error", None)
    return FailingStorage


def test_an_export_waits_for_a_storage_that_is_away(
    storage: type[FailingStorage], batch: Batch, user: User
) -> None:
    build_columns(batch)
    export = request(batch, user)
    storage.error = StorageUnavailable(errno.EIO, "The object storage cannot be used")

    waiting = run(export)
    storage.error = None
    Export.objects.update(next_check_at=timezone.now())

    assert (waiting.status, waiting.leased_until) == (Status.WRITING, None)
    assert run(export).status == Status.READY


def test_an_export_that_the_storage_has_no_room_for_fails_and_says_so(
    storage: type[FailingStorage], batch: Batch, user: User
) -> None:
    build_columns(batch)
    export = request(batch, user)
    storage.error = OSError(errno.ENOSPC, "No space left on device")

    failed = run(export)

    assert failed.problem
    assert failed.problem.code == ProblemCode.EXPORT_NOT_WRITTEN
    assert "No space left" in failed.problem.data["reason"]


def test_a_file_that_is_gone_from_the_storage_is_told_before_the_download_begins(
    batch: Batch, user: User
) -> None:
    export = write(request(batch, user))
    export.blob.storage.delete(export.blob.name or "")

    with pytest.raises(Refused) as refused:
        export_files.download(export, user)

    assert refused.value.code == Refusal.EXPORT_LOST


@pytest.mark.parametrize("damage", ["delete", "overwrite"])
def test_an_export_has_a_lost_or_damaged_columns_file_built_anew(
    batch: Batch, user: User, damage: str
) -> None:
    columns = build_columns(batch)
    if damage == "delete":
        columns.blob.storage.delete(columns.blob.name)
    else:
        replace_columns(columns, b"nonsense" * 999)
    export = request(batch, user)

    waiting = run(export)
    Export.objects.update(next_check_at=timezone.now())

    assert waiting.status == Status.WRITING
    run(export)
    assert ResultColumns.objects.get().status == ResultColumns.Status.BUILDING
    Export.objects.update(next_check_at=timezone.now())
    assert write(export).status == Status.READY


@pytest.mark.parametrize("code", list(FORMATS))
def test_an_export_that_is_broken_off_leaves_no_temporary_file(
    batch: Batch, user: User, code: str, settings: Any, tmp_path: Path
) -> None:
    columns = build_columns(batch)
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()

    def die(_written: int, _total: int) -> None:
        raise StaleRow

    with pytest.raises(StaleRow):
        write_export(columns, user, code, ExportSettings(), BytesIO(), on_rows=die)

    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == []
