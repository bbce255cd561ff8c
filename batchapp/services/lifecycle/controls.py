"""Cancel, pause, resume and try again: people request these, and workers carry them out."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.models import (
    ApprovalRequest,
    Batch,
    Event,
    EventKind,
    ProviderBatch,
    ProviderKey,
    StaleRow,
    User,
)

Status, Parked = ProviderBatch.Status, ProviderBatch.Parked


def request_cancel(batch: Batch, user: User) -> bool:
    """Request that ``batch`` is cancelled; False if it is over or is being cancelled already.

    Answered requests stay answered, and paid. A stopped provider batch that is not at the provider
    is cancelled at once; one that may be there goes back to the workers. A batch that waits for
    approval waits no more. A provider that was told to cancel but still runs the batch is told
    again.

    Raises:
        NotAllowed: nothing was written.
        StaleRow: a row changed at this moment; nothing was written.
    """
    access.require_stop(user, batch.project)
    return _request_cancel(batch, user)


def cancel_batches_paid_by(person: User, actor: User) -> tuple[int, int]:
    """Request that all batches on personal keys of ``person`` are cancelled.

    Returns how many are being cancelled now, and how many changed at this moment and go on.

    Raises:
        NotAllowed: ``actor`` is no administrator; nothing was written.
    """
    access.require_administer(actor)
    cancelled = failed = 0
    for batch in Batch.objects.unfinished().filter(key__user=person).iterator():
        try:
            cancelled += _request_cancel(batch, actor)
        except StaleRow:
            failed += 1
    return cancelled, failed


def _request_cancel(batch: Batch, user: User) -> bool:
    with transaction.atomic():
        # In this order: a batch that is approved at this moment runs when it is looked at again.
        is_new = ApprovalRequest.objects.cancel(batch, user)
        is_new = is_new or _mark_cancelled(batch, timezone.now())
        if not is_new and not _reset_ignored_cancels(batch):
            return False
        kind = EventKind.CANCEL_REQUESTED if is_new else EventKind.CANCEL_REQUESTED_AGAIN
        Event.objects.create(batch=batch, actor=user, kind=kind)
        for provider_batch in batch.provider_batches.exclude(parked_reason=""):
            _cancel_parked(provider_batch)
        _make_due(batch)
    return True


def request_cancels(batches: Sequence[Batch], user: User) -> list[Batch]:
    """Request that many batches are cancelled, and return those for which that is new.

    As with ``request_cancel``, only requests are written here, and workers carry them out. A batch
    of which a row changes at this moment is left out, and goes on.

    Raises:
        NotAllowed: in the project of one of the batches ``user`` may stop nothing; nothing was
            written.
    """
    for project in {batch.project for batch in batches}:
        access.require_stop(user, project)
    pks = [batch.pk for batch in batches]
    parked = ProviderBatch.objects.filter(batch__in=pks).exclude(parked_reason="")
    apart = set(parked.values_list("batch", flat=True))
    apart |= {row.pk for row in batches if row.status == Batch.Status.AWAITING_APPROVAL}
    with transaction.atomic():
        now = timezone.now()
        # One by one, so that of two people at once each batch counts for one of them.
        others = [batch for batch in batches if batch.pk not in apart]
        cancelled = [batch for batch in others if _mark_cancelled(batch, now)]
        kind = EventKind.CANCEL_REQUESTED
        Event.objects.bulk_create(Event(batch=batch, actor=user, kind=kind) for batch in cancelled)
        unparked = ProviderBatch.objects.filter(
            batch__in=[batch.pk for batch in cancelled], parked_reason=""
        )
        unparked.exclude(next_check_at=None).update(next_check_at=now)
    for batch in (batch for batch in batches if batch.pk in apart):
        with suppress(StaleRow):
            if request_cancel(batch, user):
                cancelled.append(batch)
    return cancelled


def request_pause(batch: Batch, user: User) -> bool:
    """Request a pause; False if ``batch`` is over, is being stopped, or could not be resumed.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_write(user, batch.project)
    if not batch.connection.capabilities.pause:
        return False
    with transaction.atomic():
        is_new = Batch.objects.filter(
            pk=batch.pk,
            status=Batch.Status.RUNNING,
            cancel_requested_at=None,
            pause_requested_at=None,
        ).update(pause_requested_at=timezone.now())
        if not is_new:
            return False
        Event.objects.create(batch=batch, actor=user, kind=EventKind.PAUSE_REQUESTED)
        _make_due(batch)
    return True


def resume(batch: Batch, user: User) -> bool:
    """Resume ``batch``; False if it was not paused.

    A provider batch that the provider has stopped is retried in place; one that was never sent
    continues in the status where it was paused.

    Raises:
        NotAllowed: also if the batch's key pays for nothing more; nothing was written.
        Refused: the portal key of ``user`` does not allow a model of it; nothing was written.
        StaleRow: a row changed at this moment; nothing was written.
    """
    access.require_spend(user, batch.key, batch.project)
    batch.require_allowed_models(user)
    with transaction.atomic():
        access.require_open(batch.project)
        was_paused = Batch.objects.filter(
            pk=batch.pk,
            status=Batch.Status.RUNNING,
            cancel_requested_at=None,
            pause_requested_at__isnull=False,
        ).update(pause_requested_at=None)
        if not was_paused:
            return False
        Event.objects.create(batch=batch, actor=user, kind=EventKind.RESUME_REQUESTED)
        for provider_batch in batch.provider_batches.filter(parked_reason=Parked.PAUSED):
            _resume_paused(provider_batch)
        _make_due(batch)
    return True


def try_again(batch: Batch, user: User, key: ProviderKey | None = None) -> int:
    """Continue the provider batches that need attention, on ``key`` if given, and count them.

    A batch that may be at the provider keeps the key it was sent with, since the provider shows it
    to no other key. If ``user`` may not spend on that key, only what is already paid continues.

    Raises:
        NotAllowed: nothing was written.
        StaleRow: a row changed at this moment; nothing was written.
    """
    access.require_write(user, batch.project)
    if key and key.pk != batch.key_id:
        access.require_choose_key(user, key, batch.project)
    with transaction.atomic():
        access.require_open(batch.project)
        rows = list(batch.provider_batches.all())
        stuck = [row for row in rows if row.parked_reason == Parked.NEEDS_ATTENTION]
        changes: dict[str, Any] = {}
        data: dict[str, Any] = {"key": None}
        was_sent = any(row.was_sent for row in rows)
        if stuck and key and key.pk != batch.key_id and not was_sent:
            Batch.objects.filter(pk=batch.pk).update(key=key)
            changes = {"remote_file_id": "", "upload_attempted_at": None}
            for row in (row for row in rows if row not in stuck):
                if row.status == Status.WAITING:
                    # A worker that has the row loses its lease, and calls with no other key.
                    row.record(leased_until=None, **changes)
                elif row.status == Status.PREPARING:
                    # Locked until the key has changed: else it might be sent with the old key.
                    row.record(number=row.number)
            data = {"key": str(key)}
        elif not access.can_spend(user, batch.key, batch.project):
            stuck = [row for row in stuck if row.status in ProviderBatch.AT_PROVIDER]
        for row in stuck:
            row.unpark(**changes)
        if stuck:
            Event.objects.create(
                batch=batch, actor=user, kind=EventKind.TRY_AGAIN_REQUESTED, data=data
            )
    return len(stuck)


def _mark_cancelled(batch: Batch, now: datetime) -> bool:
    """Request that ``batch`` is cancelled; False if it does not run, or is being cancelled."""
    rows = Batch.objects.filter(pk=batch.pk, cancel_requested_at=None, status=Batch.Status.RUNNING)
    return bool(rows.update(cancel_requested_at=now, pause_requested_at=None))


def _cancel_parked(provider_batch: ProviderBatch) -> None:
    is_paused = provider_batch.parked_reason == Parked.PAUSED
    if is_paused and provider_batch.status == Status.PREPARING:
        provider_batch.unpark()  # its results are written first, so that it can be retried
    elif not provider_batch.was_sent:
        provider_batch.move_to(Status.CANCELLED, **ProviderBatch.NO_PROBLEM)
    elif is_paused and provider_batch.remote_id:
        # The provider stopped it, and may have been told to run it again: polling finds out.
        now = timezone.now()
        provider_batch.move_to(
            Status.RUNNING, rereads=0, resumed_at=now, **ProviderBatch.NO_PROBLEM
        )
    else:
        provider_batch.unpark()


def _reset_ignored_cancels(batch: Batch) -> bool:
    """Mark cancels that the provider ignored as not sent; True if there were any."""
    running = batch.provider_batches.active(Status.RUNNING)
    ignored = [provider_batch.pk for provider_batch in running if provider_batch.ignores_cancel]
    return bool(running.filter(pk__in=ignored).update(cancel_sent_at=None))


def _make_due(batch: Batch) -> None:
    """Make the unfinished provider batches due at once instead of at their next check."""
    unparked = batch.provider_batches.filter(parked_reason="")
    unparked.exclude(next_check_at=None).update(next_check_at=timezone.now())


def _resume_paused(provider_batch: ProviderBatch) -> None:
    """Let a paused provider batch go on; one that the provider has stopped is retried in place."""
    not_retried: dict[str, Any] = {"retried_in_place_at": None, "ended_at": None}
    if provider_batch.status == Status.HARVESTING:
        now = timezone.now()
        provider_batch.move_to(
            Status.RETRYING_IN_PLACE, resumed_at=now, **not_retried, **ProviderBatch.NO_PROBLEM
        )
    elif provider_batch.status == Status.RETRYING_IN_PLACE:
        provider_batch.unpark(**not_retried)
    else:
        provider_batch.unpark()
