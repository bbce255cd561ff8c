"""Refuse an order that cannot run, and keep what it needs until it is stored."""

from django.db.models import F, Q

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.windows import is_longer
from batchapp.models import ApprovalRequest, Batch, Connection, ProviderBatch, ProviderKey, Upload
from batchapp.services.orders.model_windows import closed_windows


def require_connection_in_use(connection: Connection) -> None:
    """Raise ``Refused`` if the connection is archived, by whomever a moment ago.

    Call this in the transaction that lets a batch run.
    """
    if not Connection.objects.lock_in_use(connection.pk):
        raise Refused(Refusal.CONNECTION_ARCHIVED, connection=connection.name)


def checked_report(upload: Upload) -> Report:
    """Return the report of a file without errors.

    Raises:
        Refused: the file is not checked yet, or has errors.
    """
    report = upload.report
    if report is None or upload.status != Upload.Status.READY:
        raise Refused(Refusal.FILE_NOT_READY)
    return report


def keep_file(upload: Upload) -> None:
    """Keep the file from being deleted until the batch that needs it is committed.

    Raises:
        Refused: it was removed, or its requests were deleted, at this moment.
    """
    # The UPDATE locks the row: the deletion comes either before, or after and finds the batch.
    if not Upload.objects.filter(pk=upload.pk, purged_at=None).update(status=F("status")):
        try:
            upload.refresh_from_db()
        except Upload.DoesNotExist:
            raise Refused(Refusal.FORM_USED) from None
        upload.require_content()


def keep_answers(upload: Upload) -> None:
    """Keep the answers that the batch reuses from being deleted until the batch is committed.

    Raises:
        Refused: some were deleted at this moment.
    """
    if reuse := upload.reuse:
        # Locks the rows: a purge comes either before, or after and finds the batch.
        pks = [source.batch for source in reuse.sources]
        Batch.objects.filter(pk__in=pks, purged_at=None).update(purged_at=None)
        refuse_deleted_answers(upload)


def refuse_fallback(connection: Connection, window: str, fallback: str) -> None:
    if fallback and fallback not in connection.windows:
        raise Refused(
            Refusal.FALLBACK_NOT_OFFERED,
            connection=connection.name,
            window=fallback,
            windows=connection.windows,
        )
    if fallback and not is_longer(fallback, window):
        raise Refused(Refusal.FALLBACK_NOT_LONGER, window=window)


def refuse_unfit(connection: Connection, upload: Upload, key: ProviderKey, window: str) -> None:
    if connection.archived_at:
        raise Refused(Refusal.CONNECTION_ARCHIVED, connection=connection.name)
    if window not in connection.windows:
        raise Refused(
            Refusal.WINDOW_NOT_OFFERED,
            connection=connection.name,
            window=window,
            windows=connection.windows,
        )
    if not ProviderKey.objects.filter(pk=key.pk).exclude(ciphertext="").exists():
        raise Refused(Refusal.KEY_REMOVED)
    _refuse_stale(upload)


def refuse_closed(connection: Connection, report: Report, *windows: str) -> None:
    """Refuse a window in which a model of the file does not run; the provider would, too."""
    closed = closed_windows(report, connection)
    for window in windows:
        if window in closed:
            raise Refused(
                Refusal.WINDOW_NOT_FOR_MODEL,
                model=closed[window],
                window=window,
                windows=[name for name in connection.windows if name not in closed],
            )


def refuse_deleted_answers(upload: Upload) -> None:
    """Refuse a file that leaves out requests whose answers are gone."""
    reuse = upload.reuse
    if reuse is None:
        return
    batches = Batch.objects.filter(project=upload.project_id, purged_at=None)
    present = {str(pk) for pk in batches.in_bulk([source.batch for source in reuse.sources])}
    if missing := [source.name for source in reuse.sources if source.batch not in present]:
        raise Refused(Refusal.KEPT_ANSWERS_DELETED, batches=missing, original=reuse.original)


def _refuse_stale(upload: Upload) -> None:
    parent = upload.retry_of
    if parent is None:
        return
    # A retry in place after the retry file was requested runs the same requests: they would be
    # paid twice.
    is_retried_in_place = Q(status=ProviderBatch.Status.RETRYING_IN_PLACE) | Q(
        retried_in_place_at__gt=upload.created_at
    )
    if parent.provider_batches.filter(is_retried_in_place).exists():
        raise Refused(Refusal.RETRIED_IN_PLACE, batch=parent.name)


def refuse_changed(request: ApprovalRequest) -> None:
    """Refuse to let a batch run whose file, key or windows are not what was asked for.

    Raises:
        NotAllowed: its key pays for nothing more in the project.
        Refused: something else has changed.
    """
    batch = request.batch
    upload, connection = batch.upload, batch.connection
    upload.require_content()
    report = checked_report(upload)
    if upload.sha256 != request.file_sha256:
        raise Refused(Refusal.APPROVAL_FILE_CHANGED)
    access.require_paying_key(batch.key, batch.project)
    refuse_fallback(connection, batch.window, batch.fallback_window)
    refuse_unfit(connection, upload, batch.key, batch.window)
    refuse_deleted_answers(upload)
    refuse_closed(connection, report, batch.window, batch.fallback_window)
