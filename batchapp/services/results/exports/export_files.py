"""The files of exports: requested by a person, written by a worker, deleted after some days."""

import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any, BinaryIO
from uuid import UUID

import duckdb
import msgspec
from django.conf import settings as portal_settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refused
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.models import AuditEvent, AuditKind, Batch, Export, ResultColumns, User
from batchapp.models.batches.export import RETENTION
from batchapp.models.files.upload import sha256_of
from batchapp.services.results.exports import export_links
from batchapp.services.results.exports.export_columns import UnknownColumn
from batchapp.services.results.exports.formats import FORMATS
from batchapp.services.results.exports.write_export import write_export
from batchapp.storage.blob_storage import StorageUnavailable

Status = Export.Status
CHUNK_BYTES = 256 * 1024
PROGRESS_SECONDS = 0.5  # between two updates of the progress that a polling page shows
SILENT_LEASES = 5  # before the first row all of them may have to be sorted
WAIT_FOR_COLUMNS = timedelta(seconds=1)  # between two looks at a columns file that is being built


def request_export(
    batch: Batch, user: User, code: str, settings: ExportSettings, *, submission: UUID
) -> Export:
    """Queue an export; a second request with the same ``submission`` changes nothing.

    Raises:
        NotAllowed: nothing was written.
        Refused: the answers were deleted; nothing was written.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    export = Export(
        pk=submission,
        batch=batch,
        requested_by=user,
        format=code,
        settings_fields=msgspec.to_builtins(settings),
        next_check_at=timezone.now(),
    )
    with transaction.atomic():
        stored = Export.objects.insert_once(export)
        access.require_see(user, stored.batch.project)
        if stored is export:
            _record(AuditKind.EXPORT_MADE, user, export)
    return stored


def _record(kind: AuditKind, user: User, export: Export) -> None:
    batch = export.batch
    facts = {"batch": str(batch.pk), "name": batch.name, "format": export.format}
    AuditEvent.objects.record(kind, user, batch.project, **facts)


def export_again(export: Export, user: User) -> None:
    """Queue an export again, with the same choice, for ``user``; the file before is deleted.

    Raises:
        NotAllowed: nothing was written.
        Refused: the answers were deleted; nothing was written.
        StaleRow: a worker or another person was faster.
    """
    access.require_see(user, export.batch.project)
    export.batch.require_content()
    name = export.blob.name or ""
    with transaction.atomic():
        export.move_to(
            Status.WRITING,
            **Export.NO_FILE,
            requested_by=user,
            rows=0,
            total=None,
            problem=None,
            finished_at=None,
        )
        _record(AuditKind.EXPORT_MADE, user, export)
    _delete_file(export, name)


def delete_export(export: Export, user: User) -> bool:
    """Delete an export of one's own, or any as a member; False if it was deleted already.

    A worker that has the row gets ``StaleRow``.

    Raises:
        NotAllowed: nothing was deleted.
    """
    if export.requested_by_id == user.pk:
        access.require_see(user, export.batch.project)
    else:
        access.require_write(user, export.batch.project)
    name = export.blob.name or ""
    with transaction.atomic():
        deleted, _ = Export.objects.filter(pk=export.pk).delete()
        if deleted:
            _record(AuditKind.EXPORT_DELETED, user, export)
    _delete_file(export, name)
    return bool(deleted)


def download(export: Export, user: User) -> Iterator[bytes]:
    """Return the file in pieces.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers were deleted, or the file is not in the storage any more.
        StorageUnavailable: nothing was read; try again later.
    """
    access.require_see(user, export.batch.project)
    export.batch.require_content()
    # A problem shows before the first byte is sent, when it can still be told.
    pieces = _pieces(export)
    try:
        first = next(pieces, b"")
    except FileNotFoundError as exc:
        raise export_links.lost(export) from exc
    return chain([first], pieces)


def _pieces(export: Export) -> Iterator[bytes]:
    with export.blob.open("rb") as blob:
        while piece := blob.read(CHUNK_BYTES):
            yield piece


def write_file(export: Export, columns: ResultColumns) -> None:
    """Write the file from the columns of the batch, and store it.

    If the columns file was replaced just now, the export waits for the new one.

    Raises:
        StaleRow: another worker has the row now, or it was deleted; the file is dropped.
        StorageUnavailable: nothing was stored; write the file again later.
    """
    export.renew_lease(leases=SILENT_LEASES)
    is_over = export.batch.is_over
    with tempfile.TemporaryFile(dir=portal_settings.FILE_UPLOAD_TEMP_DIR) as file:
        try:
            rows = write_export(
                columns,
                export.requested_by,
                export.format,
                export.settings,
                file,
                on_rows=_Progress(export),
            )
            if rows is None:
                export.postpone(WAIT_FOR_COLUMNS)
            else:
                _store(export, file, rows=rows, is_partial=not is_over)
        except StorageUnavailable:  # the step is run again
            raise
        except UnknownColumn as exc:
            fail(export, Problem(ProblemCode.EXPORT_COLUMN_GONE, {"column": exc.key}))
        except access.NotAllowed:
            person = {"person": str(export.requested_by)}
            fail(export, Problem(ProblemCode.EXPORT_REQUESTER_LEFT, person))
        except Refused as exc:  # the requests and answers of the batch were deleted meanwhile
            fail(export, exc.problem)
        except (OSError, duckdb.Error) as exc:
            reason = {"reason": str(exc).partition("\n")[0]}
            fail(export, Problem(ProblemCode.EXPORT_NOT_WRITTEN, reason))


def expire(export: Export) -> None:
    """Delete the file once its time is over; the row stays, and the file can be written again."""
    remaining = (export.expires_at or timezone.now()) - timezone.now()
    if remaining > timedelta():
        export.postpone(remaining)
        return
    name = export.blob.name or ""
    export.move_to(Status.EXPIRED, **Export.NO_FILE)
    _delete_file(export, name)


def fail(export: Export, problem: Problem) -> None:
    export.move_to(Status.FAILED, problem=problem, finished_at=timezone.now())


class _Progress:
    """Renews the lease and writes the progress, some times a second at most."""

    def __init__(self, export: Export) -> None:
        self._export, self._renewed_at = export, time.monotonic()

    def __call__(self, rows: int, total: int) -> None:
        if time.monotonic() - self._renewed_at > PROGRESS_SECONDS:
            self._export.renew_lease(rows=rows, total=total)
            self._renewed_at = time.monotonic()


def _store(export: Export, file: BinaryIO, **fields: Any) -> None:
    name, content = f"results{FORMATS[export.format].ending}", File(file)
    size, digest = file.tell(), sha256_of(content)
    export.renew_lease(leases=SILENT_LEASES)
    export.blob.save(name, content, save=False)
    expires_at = timezone.now() + RETENTION
    try:
        export.move_to(
            Status.READY,
            blob=export.blob.name,
            size=size,
            sha256=digest,
            total=fields["rows"],
            finished_at=timezone.now(),
            expires_at=expires_at,
            next_check_at=expires_at,
            **fields,
        )
    except BaseException:
        export.blob.delete(save=False)
        raise


def _delete_file(export: Export, name: str) -> None:
    if name:
        export.blob.storage.delete(name)
