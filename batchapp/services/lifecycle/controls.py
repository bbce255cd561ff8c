"""What people want of a batch that is under way. They write wishes; workers carry them out."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp.models import Batch, Event, Part, ProviderKey, User

PAID = frozenset({Part.Status.RUNNING, Part.Status.HARVESTING})
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
        for part in batch.parts.filter(status__in=Part.STOPPED):
            is_unwritten = part.stopped_in == Part.Status.PREPARING
            if part.status == Part.Status.PAUSED and is_unwritten:
                _release(part)  # so that its requests can be retried
            elif not part.may_be_at_provider:
                part.move_to(Part.Status.CANCELLED, trouble="", stopped_in="")
            elif part.status == Part.Status.PAUSED and part.upstream_id:
                # It was stopped there, and may have been taken up there again: polling finds out.
                again = {"trouble": "", "failures": 0, "rereads": 0, "stopped_in": ""}
                part.move_to(Part.Status.RUNNING, **again)
            else:
                _release(part)
        _look_now(batch)
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
        _look_now(batch)
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
        for part in batch.parts.filter(status=Part.Status.PAUSED):
            _release(part)
        _look_now(batch)
    return True


def try_again(batch: Batch, user: User, key: ProviderKey | None = None) -> int:
    """Send what needs attention on its way again, on ``key`` if one is given; how many parts.

    A batch any part of which may be at the provider stays with the key that it was sent with: no
    other sees it there. If that is not the person's to spend, only what is paid is followed.

    Raises:
        StaleRow: something moved at this very moment; nothing was written.
    """
    with transaction.atomic():
        parts = list(batch.parts.all())
        stuck = [part for part in parts if part.status == Part.Status.NEEDS_ATTENTION]
        changes: dict[str, Any] = {}
        text = "Asked to try again."
        at_provider = any(part.may_be_at_provider for part in parts)
        if stuck and key and key.pk != batch.key_id and not at_provider:
            Batch.objects.filter(pk=batch.pk).update(key=key)
            changes = {"upstream_file_id": "", "upload_attempted_at": None}
            for part in parts:
                if part.status in {Part.Status.PAUSED, Part.Status.WAITING}:
                    # Whoever is at it loses it, and begins no call with the other key.
                    part.record(leased_until=None, **changes)
            text = f"Asked to try again, on the key {key}."
        elif not batch.key.may_be_spent_by(user, batch.project):
            stuck = [part for part in stuck if part.stopped_in in PAID]
        for part in stuck:
            _release(part, **changes)
        if stuck:
            Event.objects.create(batch=batch, actor=user, text=text)
    return len(stuck)


def _is_to_be_told_again(batch: Batch) -> bool:
    """Whether a part of ``batch`` runs on although its provider was told; forgets that it was."""
    running = batch.parts.filter(status=Part.Status.RUNNING)
    regardless = [part.pk for part in running if part.runs_regardless]
    return bool(running.filter(pk__in=regardless).update(cancel_sent_at=None))


def _look_now(batch: Batch) -> None:
    """Have workers look at parts under way now rather than at their next turn."""
    batch.parts.exclude(next_check_at=None).update(next_check_at=timezone.now())


def _release(part: Part, **changes: Any) -> None:
    """Send a part that waits for a person back to where it was stopped."""
    status = part.stopped_in or Part.Status.PREPARING
    if part.status == Part.Status.PAUSED and status == Part.Status.RUNNING:
        status, changes = Part.Status.REOPENING, changes | {"reopened_at": None, "ended_at": None}
    part.move_to(status, trouble="", failures=0, stopped_in="", **changes)
