"""A batch that was made elsewhere, entered as one of ours."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from batchapp.domain.request_files.check_file import Report
from batchapp.models import (
    REALTIME,
    Batch,
    Connection,
    Event,
    KeyPoll,
    ModelCost,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.services.orders.place_order import Refused, default_name
from batchapp.services.orders.price_quotes import (
    frozen_model_costs,
    histories_for,
    quote,
    total_cost,
)

ENDPOINT_LENGTH, WINDOW_LENGTH = 100, 20
"""Characters that are kept of what another program asked the provider for."""

MOMENT = "%-d %B %Y, %H:%M %Z"


def enter_imported_batch(
    project: Project,
    user: User,
    upload: Upload,
    key: ProviderKey,
    remote: RemoteBatch,
    *,
    submission: UUID,
) -> Batch:
    """Enter a batch that was made elsewhere of ``upload``; it is followed like one of ours.

    Its prices and its estimate are those of the time when it was made. All rows or none are
    written; ``submission`` always names the same batch.

    Raises:
        Refused: nothing was written.
    """
    if before := Batch.objects.filter(submission=submission, project=project).first():
        return before
    report = upload.report
    if report is None or upload.status != Upload.Status.READY:
        raise Refused("This file is not ready: it is still being checked, or it has errors.")
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("The provider key was removed. Bring the batch in with another.")
    usual = max(report.urls, key=lambda url: report.urls[url])
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        submission=submission,
        name=default_name(upload),
        endpoint=remote.endpoint[:ENDPOINT_LENGTH] or usual,
        window=remote.window[:WINDOW_LENGTH] or project.connection.windows[0],
        requests=report.requests,
    )
    try:
        with transaction.atomic():
            _enter(batch, report, remote)
    except IntegrityError as exc:
        raise Refused("Its file or its key was removed here just now. Try again.") from exc
    return batch


def _enter(batch: Batch, report: Report, remote: RemoteBatch) -> None:
    """Save ``batch`` with its charges, and a part that is at the provider already, whole.

    What the part still lacks is its ledger.

    Raises:
        Refused: somebody has entered the same just now.
    """
    there = batch.connection.same_provider()
    # Two at once, through two connections: this makes one wait for the other.
    Connection.objects.filter(pk=there[0].pk).update(name=F("name"))
    if ProviderBatch.objects.filter(batch__connection__in=there, remote_id=remote.id).exists():
        raise Refused("This batch is in the portal already. Dismiss this.")
    now = timezone.now()
    made_at = min(remote.created_at or now, now)
    windows = [batch.window, REALTIME]
    histories = histories_for(report, batch.project, batch.created_by, made_at)
    prices = quote(report, batch.connection, windows, made_at, histories)
    batch.estimated_cost_usd = total_cost(prices[batch.window])
    batch.save(force_insert=True)
    ModelCost.objects.bulk_create(frozen_model_costs(batch, report, prices))
    ProviderBatch.objects.create(
        batch=batch,
        total=batch.requests,
        size=batch.upload.size,
        remote_id=remote.id,
        remote_file_id=remote.input_file_id,
        remote_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        create_attempted_at=made_at,
        submitted_at=made_at,
        slot_assigned_at=made_at,
        expires_at=remote.expires_at,
        next_check_at=now,
    )
    KeyPoll.objects.begin(batch.key)
    made = timezone.localtime(made_at)
    text = f"Brought in from {batch.connection}, where it was made on {made:{MOMENT}}."
    Event.objects.create(batch=batch, actor=batch.created_by, text=text)
