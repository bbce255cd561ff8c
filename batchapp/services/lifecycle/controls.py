"""What people want of a batch that is under way. They write wishes; workers carry them out."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp.models import Batch, Event, ProviderBatch, ProviderKey, User

PAID = frozenset({ProviderBatch.Status.RUNNING, ProviderBatch.Status.HARVESTING})
"""Where a part that goes on costs nothing more."""


def request_cancel(batch: Batch, user: User) -> bool:
    """Ask for ``batch`` to be cancelled; False if it is over, or is being cancelled already.

    Requests that are answered stay answered, and paid. A part that waits and is not running at
    the provider is cancelled here and now; one that may be goes back to the workers. A provider
    that was told, and runs it all the same, is told once more.

    Raises:
        StaleRow: something moved at this very moment; nothing was written.
    """
    with transaction.atomic():
        asked = Batch.objects.filter(
            pk=batch.pk, cancel_requested_at=None, status=Batch.Status.RUNNING
        ).update(cancel_requested_at=timezone.now(), pause_requested_at=None)
        if not asked and not _is_to_be_told_again(batch):
            return False
        text = "Asked to cancel." if asked else "Asked to cancel again."
        Event.objects.create(batch=batch, actor=user, text=text)
        for provider_batch in batch.provider_batches.filter(status__in=ProviderBatch.STOPPED):
            is_unwritten = provider_batch.stopped_in_status == ProviderBatch.Status.PREPARING
            if provider_batch.status == ProviderBatch.Status.PAUSED and is_unwritten:
                _release(provider_batch)  # so that its requests can be retried
            elif not provider_batch.may_be_at_provider:
                provider_batch.move_to(
                    ProviderBatch.Status.CANCELLED, trouble="", stopped_in_status=""
                )
            elif provider_batch.status == ProviderBatch.Status.PAUSED and provider_batch.remote_id:
                # It was stopped there, and may have been taken up there again: polling finds out.
                again = {"trouble": "", "failures": 0, "rereads": 0, "stopped_in_status": ""}
                provider_batch.move_to(ProviderBatch.Status.RUNNING, **again)
            else:
                _release(provider_batch)
        _poll_now(batch)
    return True


def request_pause(batch: Batch, user: User) -> bool:
    """Ask for ``batch`` to be paused; False if it is over, being stopped, or cannot be resumed."""
    if not batch.connection.has_retry:
        return False
    with transaction.atomic():
        asked = Batch.objects.filter(
            pk=batch.pk,
            status=Batch.Status.RUNNING,
            cancel_requested_at=None,
            pause_requested_at=None,
        ).update(pause_requested_at=timezone.now())
        if not asked:
            return False
        Event.objects.create(batch=batch, actor=user, text="Asked to pause.")
        _poll_now(batch)
    return True


def resume(batch: Batch, user: User) -> bool:
    """Let ``batch`` go on; False if it was not paused, or if its key is not the person's to spend.

    What the provider has stopped is reopened there; what never got there goes on where it was.

    Raises:
        StaleRow: something moved at this very moment; nothing was written.
    """
    if not batch.key.may_be_spent_by(user, batch.project):
        return False
    with transaction.atomic():
        asked = Batch.objects.filter(
            pk=batch.pk,
            status=Batch.Status.RUNNING,
            cancel_requested_at=None,
            pause_requested_at__isnull=False,
        ).update(pause_requested_at=None)
        if not asked:
            return False
        Event.objects.create(batch=batch, actor=user, text="Asked to resume.")
        for provider_batch in batch.provider_batches.filter(status=ProviderBatch.Status.PAUSED):
            _release(provider_batch)
        _poll_now(batch)
    return True


def try_again(batch: Batch, user: User, key: ProviderKey | None = None) -> int:
    """Send what needs attention on its way again, on ``key`` if one is given; how many parts.

    A batch any part of which may be at the provider stays with the key that it was sent with: no
    other sees it there. If that is not the person's to spend, only what is paid is followed.

    Raises:
        StaleRow: something moved at this very moment; nothing was written.
    """
    with transaction.atomic():
        provider_batches = list(batch.provider_batches.all())
        stuck = [
            provider_batch
            for provider_batch in provider_batches
            if provider_batch.status == ProviderBatch.Status.NEEDS_ATTENTION
        ]
        changes: dict[str, Any] = {}
        text = "Asked to try again."
        at_provider = any(provider_batch.may_be_at_provider for provider_batch in provider_batches)
        if stuck and key and key.pk != batch.key_id and not at_provider:
            Batch.objects.filter(pk=batch.pk).update(key=key)
            changes = {"remote_file_id": "", "upload_attempted_at": None}
            for provider_batch in provider_batches:
                if provider_batch.status in {
                    ProviderBatch.Status.PAUSED,
                    ProviderBatch.Status.WAITING,
                }:
                    # Whoever is at it loses it, and begins no call with the other key.
                    provider_batch.record(leased_until=None, **changes)
            text = f"Asked to try again, on the key {key}."
        elif not batch.key.may_be_spent_by(user, batch.project):
            stuck = [
                provider_batch
                for provider_batch in stuck
                if provider_batch.stopped_in_status in PAID
            ]
        for provider_batch in stuck:
            _release(provider_batch, **changes)
        if stuck:
            Event.objects.create(batch=batch, actor=user, text=text)
    return len(stuck)


def _is_to_be_told_again(batch: Batch) -> bool:
    """Whether a part of ``batch`` runs on although its provider was told; forgets that it was."""
    running = batch.provider_batches.filter(status=ProviderBatch.Status.RUNNING)
    regardless = [provider_batch.pk for provider_batch in running if provider_batch.ignores_cancel]
    return bool(running.filter(pk__in=regardless).update(cancel_sent_at=None))


def _poll_now(batch: Batch) -> None:
    """Have workers look at parts under way now rather than at their next turn."""
    batch.provider_batches.exclude(next_check_at=None).update(next_check_at=timezone.now())


def _release(provider_batch: ProviderBatch, **changes: Any) -> None:
    """Send a part that waits for a person back to where it was stopped."""
    status = provider_batch.stopped_in_status or ProviderBatch.Status.PREPARING
    if (
        provider_batch.status == ProviderBatch.Status.PAUSED
        and status == ProviderBatch.Status.RUNNING
    ):
        status, changes = (
            ProviderBatch.Status.RETRYING_IN_PLACE,
            changes | {"retried_in_place_at": None, "ended_at": None},
        )
    provider_batch.move_to(status, trouble="", failures=0, stopped_in_status="", **changes)
