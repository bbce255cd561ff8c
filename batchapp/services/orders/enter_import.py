"""Enter an imported batch, which another program created at the provider."""

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
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.orders.place_order import Refused

# Characters that are stored of the endpoint and window that another program chose.
ENDPOINT_LENGTH, WINDOW_LENGTH = 100, 20
DATE_FORMAT = "%-d %B %Y, %H:%M %Z"


def enter_imported_batch(
    project: Project,
    user: User,
    upload: Upload,
    key: ProviderKey,
    remote: RemoteBatch,
    *,
    submission: UUID,
) -> Batch:
    """Enter the provider's batch ``remote``, of the requests of ``upload``, as a batch.

    The prices and the estimate are those of the time when the batch was created at the provider.
    All rows or none are written; ``submission`` always names the same batch.

    Raises:
        Refused: nothing was written.
    """
    if batch := Batch.objects.filter(submission=submission, project=project).first():
        return batch
    report = place_order.checked_report(upload)
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("The provider key was removed. Import the batch with another key.")
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        submission=submission,
        name=place_order.default_name(upload),
        endpoint=remote.endpoint[:ENDPOINT_LENGTH] or place_order.most_used_endpoint(report),
        window=remote.window[:WINDOW_LENGTH] or project.connection.windows[0],
        requests=report.requests,
    )
    try:
        with transaction.atomic():
            _enter(batch, report, remote)
    except IntegrityError as exc:
        raise Refused("Its file or its key was removed from the portal. Try again.") from exc
    return batch


def _enter(batch: Batch, report: Report, remote: RemoteBatch) -> None:
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
        raise Refused("This batch is in the portal already. Dismiss this import.")
    now = timezone.now()
    created_at = min(remote.created_at or now, now)
    windows = [batch.window, REALTIME]
    histories = price_quotes.histories_for(report, batch.project, batch.created_by, created_at)
    prices = price_quotes.quote(report, batch.connection, windows, created_at, histories)
    batch.estimated_cost_usd = price_quotes.total_cost(prices[batch.window])
    batch.save(force_insert=True)
    ModelCost.objects.bulk_create(price_quotes.frozen_model_costs(batch, report, prices))
    ProviderBatch.objects.create(
        batch=batch,
        total=batch.requests,
        size=batch.upload.size,
        remote_id=remote.id,
        remote_file_id=remote.input_file_id,
        remote_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        create_attempted_at=created_at,
        submitted_at=created_at,
        slot_assigned_at=created_at,
        expires_at=remote.expires_at,
        next_check_at=now,
    )
    KeyPoll.objects.poll_soon(batch.key)
    date = f"{timezone.localtime(created_at):{DATE_FORMAT}}"
    text = f"Imported from {batch.connection}, where it was created on {date}."
    Event.objects.create(batch=batch, actor=batch.created_by, text=text)
