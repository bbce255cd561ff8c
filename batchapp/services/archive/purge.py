"""Delete the requests and answers of batches; what is counted, paid and told of them stays."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.models import (
    Batch,
    BatchProblems,
    Event,
    EventKind,
    Export,
    FileOrigin,
    OutcomeCounts,
    Project,
    ProviderBatch,
    Purge,
    RequestDigests,
    Result,
    ResultChunk,
    ResultColumns,
    RetentionRule,
    ReusedRequests,
    SourceTable,
    UnmatchedLine,
    Upload,
    User,
)
from batchapp.models.batches import lineage
from batchapp.models.batches.purge import CHECK_INTERVAL, DOWNLOAD_GRACE
from batchapp.services.archive import retention
from batchapp.services.archive.retention import Outdated

FAMILIES_AT_ONCE = 100
RESULTS_AT_ONCE = 1_000
CHUNKS_AT_ONCE = 50
BLOCKS_PER_STEP = 100  # of results or chunks, so that other rows get a worker between two steps


class _ChangedMeanwhile(Exception):
    """A batch runs again, is on hold, or others reuse more of its answers by now."""


def hold(batch: Batch, user: User) -> bool:
    """Keep the requests and answers of ``batch`` whatever the rule says; False if they are held.

    Raises:
        NotAllowed: nothing was written.
        Refused: they were deleted; nothing was written.
    """
    access.require_manage(user, batch.project)
    with transaction.atomic():
        rows = Batch.objects.filter(pk=batch.pk, purged_at=None)
        if rows.filter(held_at=None).update(held_at=timezone.now()):
            Event.objects.create(batch=batch, actor=user, kind=EventKind.HELD)
            return True
    batch.refresh_from_db()
    batch.require_content()
    return False


def end_hold(batch: Batch, user: User) -> bool:
    """Keep the requests and answers of ``batch`` as long as others; False if they are not held.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage(user, batch.project)
    with transaction.atomic():
        if not Batch.objects.filter(pk=batch.pk, held_at__isnull=False).update(held_at=None):
            return False
        Event.objects.create(batch=batch, actor=user, kind=EventKind.HOLD_ENDED)
    return True


def purge_outdated(rule: RetentionRule) -> list[Purge]:
    """Delete what the project of ``rule`` has kept long enough, and look again in an hour.

    Returns the deletions that were begun. The rule of a deleted project ends with its content.

    Raises:
        StaleRow: another worker has the rule; what was begun goes on.
    """
    outdated = retention.find_outdated(rule.project, rule.days)
    purges: list[Purge] = []
    for family in outdated.families[:FAMILIES_AT_ONCE]:
        purges += start_purge(family, days=rule.days, reused=0, leaving=outdated.batches)
        rule.renew_lease()
    for pk in outdated.unused[:FAMILIES_AT_ONCE]:
        _delete_unused_file(rule.project, pk)
        rule.renew_lease()
    if rule.project.deleted_at and not _has_content(rule.project):
        rule.delete()
        return purges
    is_more = max(len(outdated.families), len(outdated.unused)) > FAMILIES_AT_ONCE
    rule.postpone(timedelta() if is_more else CHECK_INTERVAL)
    return purges


def _has_content(project: Project) -> bool:
    """Return True while a batch or file of ``project`` is left that its rule has to delete."""
    rows = Batch.objects.filter(project=project, purged_at=None)
    return rows.exists() or Upload.objects.filter(project=project, purged_at=None).exists()


def _delete_unused_file(project: Project, pk: UUID) -> None:
    """Delete a file that no batch needs; its table goes once nobody uses it."""
    uploads = retention.unused_files(project).filter(pk=pk)
    tables = list(uploads.exclude(table=None).values_list("table", flat=True))
    with suppress(IntegrityError):  # a batch of this file was submitted at this very moment
        uploads.delete_with_content()
    SourceTable.objects.filter(pk__in=tables).without_batches().resume_retention()


def purgeable_family(batch: Batch) -> list[Batch]:
    """Return ``batch`` and its retries, if all can be deleted now; else none.

    None can while a worker writes requests of them into another file, as for a retry. Those that
    were deleted already are left out.
    """
    family = [row for row in lineage.batch_and_retries(batch) if row.purged_at is None]
    if not family or not all(row.is_over and not row.held_at for row in family):
        return []
    busy = retention.batches_in_use(batch.project)
    return family if busy.isdisjoint(row.pk for row in family) else []


def purge_now(batch: Batch, user: User, *, reused: int = 0) -> list[Purge]:
    """Begin to delete the requests and answers of ``batch`` and its retries at once.

    Returns the deletions; none if one of the batches runs, is on hold, or was deleted already, or
    if other batches reuse more than ``reused`` of the answers.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage(user, batch.project)
    family = purgeable_family(batch)
    return start_purge(family, requested_by=user, reused=reused) if family else []


def start_purge(
    family: Sequence[Batch],
    *,
    days: int | None = None,
    requested_by: User | None = None,
    reused: int | None = None,
    leaving: Iterable[Batch] = (),
) -> list[Purge]:
    """Hide the content of ``family`` from all pages, and have a worker delete it a little later.

    All batches of the family, or none if one of them runs again or is on hold by now, or if other
    batches than those ``leaving`` reuse more than ``reused`` of the answers. Files that other
    batches use stay.
    """
    now, pks = timezone.now(), [batch.pk for batch in family]
    try:
        with transaction.atomic():
            files = retention.files_only_of(family)
            size = {batch.pk: retention.size_of(Outdated([[batch]])) for batch in family}
            _hide_batches(pks)
            if reused is not None:
                _require_reused(family, leaving, reused)
            ProviderBatch.objects.filter(batch__in=pks).update(next_check_at=None)
            _hide_files(files)
            purges = [
                Purge(
                    batch=batch,
                    days=days,
                    requested_by=requested_by,
                    files=size[batch.pk].files,
                    bytes=size[batch.pk].bytes,
                    next_check_at=now + DOWNLOAD_GRACE,
                )
                for batch in family
            ]
            Purge.objects.bulk_create(purges)
            Event.objects.bulk_create(
                Event(batch=batch, actor=requested_by, kind=EventKind.PURGED, data={"days": days})
                for batch in family
            )
    except _ChangedMeanwhile:
        return []
    _delete_retry_files(family)
    return purges


def _delete_retry_files(family: Sequence[Batch]) -> None:
    """Delete the files that repeat requests of ``family`` for retries that nobody ordered."""
    for batch in family:
        files = retention.unused_files(batch.project).filter(retry_of=batch)
        for pk in files.values_list("pk", flat=True):
            _delete_unused_file(batch.project, pk)


def _hide_batches(pks: list[UUID]) -> None:
    """Set all batches to purged.

    Raises:
        _ChangedMeanwhile: one of them cannot be purged any more; roll back.
    """
    free = Batch.objects.filter(pk__in=pks, status__in=Batch.OVER, held_at=None, purged_at=None)
    # Without its lease, a worker that still looks for late results cannot go on.
    if free.update(purged_at=timezone.now(), leased_until=None) < len(pks):
        raise _ChangedMeanwhile


def _require_reused(family: Sequence[Batch], leaving: Iterable[Batch], most: int) -> None:
    """Count the answers that others reuse, after an order had the rows locked until its end.

    Raises:
        _ChangedMeanwhile: there are more than ``most``; roll back.
    """
    if retention.reused_elsewhere(family, leaving).answers > most:
        raise _ChangedMeanwhile


def _hide_files(pks: list[UUID]) -> None:
    """Set files to purged that no batch needs any more, also none that was ordered just now."""
    uploads = Upload.objects.filter(pk__in=pks).exclude(status=Upload.Status.CHECKING)
    retention.lock(uploads)
    unpurged = Batch.objects.filter(upload__in=pks, purged_at=None)
    uploads.exclude(pk__in=unpurged.values("upload")).update(
        status=Upload.Status.PURGED,
        purged_at=timezone.now(),
        leased_until=None,
        next_check_at=None,
    )


def delete_content(purge: Purge) -> None:
    """Delete the results, their bytes and the request file of a batch, in steps.

    The bytes go before the rows that refer to them, so that no file is left over; a step that is
    interrupted is done again.

    Raises:
        StaleRow: another worker has the row; it continues.
        OSError: a file cannot be deleted; the step is repeated.
    """
    batch = purge.batch
    for _ in range(BLOCKS_PER_STEP):
        if not (_delete_results(batch) or _delete_chunks(batch)):
            break
        purge.renew_lease()
    else:
        purge.postpone(timedelta())
        return
    _delete_copies(batch)
    _delete_file(batch.upload)
    purge.move_to(Purge.Status.DONE, finished_at=timezone.now())


def _delete_results(batch: Batch) -> int:
    pks = list(batch.results.order_by("line").values_list("pk", flat=True)[:RESULTS_AT_ONCE])
    return Result.objects.filter(pk__in=pks).delete()[0] if pks else 0


def _delete_chunks(batch: Batch) -> int:
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch)
    some = list(chunks.order_by("pk")[:CHUNKS_AT_ONCE])
    for chunk in some:
        chunk.blob.storage.delete(str(chunk.blob))
    pks = [chunk.pk for chunk in some]
    UnmatchedLine.objects.filter(result_chunk__in=pks).delete()
    return ResultChunk.objects.filter(pk__in=pks).delete()[0] if pks else 0


def _delete_copies(batch: Batch) -> None:
    """Delete exports and the copies of results; a worker that writes one loses its row."""
    for model in (BatchProblems, OutcomeCounts):
        model.objects.filter(batch=batch).delete()
    for kind in (Export, ResultColumns):
        # Without its lease, a worker that ends at this moment drops its file.
        kind.objects.filter(batch=batch).update(leased_until=None, next_check_at=None)
    for row in [*Export.objects.filter(batch=batch), *ResultColumns.objects.filter(batch=batch)]:
        if row.blob.name:
            row.blob.storage.delete(row.blob.name)
        row.delete()


def _delete_file(upload: Upload) -> None:
    """Delete the bytes of a file whose content is purged, and what its rows repeat of them."""
    if upload.status != Upload.Status.PURGED or upload.lacks_content:
        return
    upload.blob.storage.delete(str(upload.blob))
    for model in (FileOrigin, RequestDigests, ReusedRequests):
        model.objects.filter(upload=upload).delete()
    Upload.objects.filter(pk=upload.pk).update(blob="", report_fields=None)
    if upload.table_id:
        SourceTable.objects.filter(pk=upload.table_id).without_batches().resume_retention()
