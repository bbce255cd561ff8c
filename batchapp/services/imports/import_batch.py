"""Enter an imported batch, which another program created at the provider."""

from collections.abc import Callable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.models import (
    Batch,
    BatchImport,
    Connection,
    Event,
    EventKind,
    KeyPoll,
    ModelCost,
    ProviderBatch,
    Reservation,
    Upload,
)
from batchapp.providers.remote_objects import RemoteBatch

# Characters that are stored of the endpoint and window that another program chose.
ENDPOINT_LENGTH, WINDOW_LENGTH = 100, 20


ModelCostsAt = Callable[[Batch, Report, datetime], list[ModelCost]]


def enter_batch(
    batch_import: BatchImport,
    upload: Upload,
    remote: RemoteBatch,
    *,
    name: str,
    model_costs_at: ModelCostsAt,
) -> Batch:
    """Enter the provider's batch ``remote``, of the requests of ``upload``, as a batch.

    ``upload`` is checked and has no errors. ``model_costs_at`` returns the unsaved costs of the
    batch at the prices of a time, here of the time when it was created at the provider.
    All rows or none are written; an import always enters the same batch.

    Raises:
        Refused: nothing was written.
    """
    project, key, report = batch_import.project, batch_import.key, upload.report
    if batch := Batch.objects.filter(submission=batch_import.pk, project=project).first():
        return batch
    if report is None:
        raise Refused(Refusal.FILE_NOT_READY)
    if project.archived_at:
        raise Refused(Refusal.PROJECT_ARCHIVED)
    if not key.ciphertext or not access.can_choose_key(batch_import.requested_by, key, project):
        raise Refused(Refusal.IMPORT_KEY_REMOVED)
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=batch_import.requested_by,
        submission=batch_import.pk,
        name=name,
        cost_centre=project.cost_centre,
        endpoint=remote.endpoint[:ENDPOINT_LENGTH] or report.most_used_url,
        window=remote.window[:WINDOW_LENGTH] or project.connection.windows[0],
        requests=report.requests,
    )
    now = timezone.now()
    created_at = min(remote.created_at or now, now)
    try:
        with transaction.atomic():
            access.require_open(project)
            _save_batch(batch, remote, created_at, model_costs_at(batch, report, created_at))
    except access.NotAllowed as exc:  # archived at this very moment
        raise Refused(Refusal.PROJECT_ARCHIVED) from exc
    except IntegrityError as exc:
        raise Refused(Refusal.IMPORT_ROWS_REMOVED) from exc
    return batch


def _save_batch(
    batch: Batch, remote: RemoteBatch, created_at: datetime, model_costs: list[ModelCost]
) -> None:
    """Save ``batch`` with its costs, and with a provider batch that is at the provider already.

    The provider batch has no results yet: ``prepare`` writes them.

    Raises:
        Refused: the provider's batch is in the portal already.
    """
    connections = batch.connection.same_provider()
    # Lock one row: of two imports at once, even through two connections, one waits.
    Connection.objects.filter(pk=connections[0].pk).update(name=F("name"))
    provider_batches = ProviderBatch.objects.filter(batch__connection__in=connections)
    if provider_batches.filter(remote_id=remote.id).exists():
        raise Refused(Refusal.IN_PORTAL_ALREADY)
    batch.save(force_insert=True)
    ModelCost.objects.bulk_create(model_costs)
    Reservation.objects.count_in(batch, model_costs)
    ProviderBatch.objects.create(
        batch=batch,
        total=batch.requests,
        size=batch.upload.size,
        remote_id=remote.id,
        remote_file_id=remote.input_file_id,
        remote_status=remote.status_word,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        create_attempted_at=created_at,
        submitted_at=created_at,
        slot_assigned_at=created_at,
        expires_at=remote.expires_at,
        next_check_at=timezone.now(),
    )
    KeyPoll.objects.poll_soon(batch.key)
    data = {"connection": batch.connection.name, "created_at": created_at.isoformat()}
    Event.objects.create(batch=batch, actor=batch.created_by, kind=EventKind.IMPORTED, data=data)
