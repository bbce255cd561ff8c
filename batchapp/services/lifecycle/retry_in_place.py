"""Retry failed requests in place: the provider runs them again in the same batch."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from batchapp import access
from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.models import (
    Batch,
    Event,
    EventKind,
    KeyPoll,
    ProviderBatch,
    Reservation,
    Result,
    ResultChunk,
    User,
)
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason

# Outcomes that the provider runs again. Truncated and refused answers count as answers there.
UNANSWERED = frozenset(Outcome) - SUCCEEDED - {Outcome.PENDING}

NOT_ENDED: dict[str, Any] = {
    "ended_at": None,
    "cancel_sent_at": None,
    "pause_sent_at": None,
    "error_lines": 0,
    "rereads": 0,
    "marks": [],
    **ProviderBatch.NO_PROBLEM,
}


def count_retryable(batch: Batch, user: User) -> int:
    """Count the requests of ``batch`` that ``user`` may retry in place.

    A retry in place needs the key that the batch ran on, since the provider shows the batch to no
    other key, and ``user`` must be allowed to spend on it.
    """
    can_retry = (
        batch.is_over
        and not batch.purged_at
        and not batch.connection.archived_at  # nothing new begins there
        and batch.connection.capabilities.retry_in_place
        and batch.key.is_readable
    )
    if not can_retry or not access.can_spend(user, batch.key, batch.project):
        return 0
    if not all(row.can_retry_in_place for row in batch.provider_batches.all()):
        return 0
    return batch.results.filter(outcome__in=UNANSWERED).count()


def request_retry_in_place(batch: Batch, user: User) -> int:
    """Start a retry of the failed and cancelled requests in the same batch, and count them.

    Returns 0 if there are none, or if the batch is running already. Their outcomes stay until the
    provider has accepted the retry.

    Raises:
        NotAllowed: also if the batch's key pays for nothing more; nothing was written.
        Refused: the requests and answers of the batch were deleted, a budget has too little left,
            or the portal key of ``user`` does not allow a model of it; nothing was written.
        StaleRow: somebody did the same at this moment; nothing was written.
    """
    access.require_spend(user, batch.key, batch.project)
    batch.require_allowed_models(user)
    batch.require_content()
    with transaction.atomic():
        access.require_open(batch.project)
        number = count_retryable(batch, user)
        if not number:
            return 0
        batch.return_to_running(cancel_requested_at=None)
        Reservation.objects.hold_again(batch, _count_by_model(batch))
        for provider_batch in batch.provider_batches.filter(
            results__outcome__in=UNANSWERED
        ).distinct():
            provider_batch.move_to(
                ProviderBatch.Status.RETRYING_IN_PLACE,
                retried_in_place_at=None,
                slot_assigned_at=None,
            )
        kind = EventKind.RETRY_IN_PLACE_REQUESTED
        Event.objects.create(batch=batch, actor=user, kind=kind, data={"requests": number})
    return number


def _count_by_model(batch: Batch) -> dict[str, int]:
    """Return model -> the requests that are paid once more if they are answered now."""
    unanswered = batch.results.filter(outcome__in=UNANSWERED).order_by()
    return dict(unanswered.values_list("model").annotate(Count("pk")))


def retry_in_place(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Make the provider run the failed and cancelled requests again, and follow the batch.

    After a lost reply we simply ask again, which is harmless: the provider runs only requests
    without an answer, which cost nothing so far, and leaves alone those that run already. The time
    of the attempt is recorded before the call, since from then on something may run.

    Raises:
        NotAllowed: the key pays for nothing more; nothing was written.
        ProviderError: nothing but the attempt was written.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    connection = provider_batch.connection
    if provider_batch.batch.is_stop_requested:
        # An attempt without a confirmed outcome may have started the batch: polling finds out.
        provider_batch.move_to(ProviderBatch.Status.RUNNING, ended_at=None)
        KeyPoll.objects.poll_soon(provider_batch.batch.key)
        return
    access.require_paying_key(provider_batch.batch.key, provider_batch.batch.project)
    before = provider_batch.retried_in_place_at
    provider_batch.renew_lease(retried_in_place_at=timezone.now())
    state: dict[str, Any] = {}
    try:
        remote = provider.retry_batch(provider_batch.remote_id)
        state = {"remote_status": remote.status_word}
        state |= {"completed": remote.completed, "failed": remote.failed}
        kind, data = EventKind.RETRY_IN_PLACE_STARTED, {"connection": connection.name}
    except ProviderUnavailable as exc:
        if not exc.maybe_done:
            provider_batch.renew_lease(retried_in_place_at=before)
        raise
    except ProviderRejected as exc:
        if exc.reason is not Reason.INVALID:
            provider_batch.renew_lease(retried_in_place_at=before)
            raise
        # The batch may run already, or have nothing left to run: polling finds out.
        kind = EventKind.RETRY_IN_PLACE_REFUSED
        data = {"connection": connection.name, "said": exc.message or str(exc)}
    with transaction.atomic():
        _resume_following(provider_batch, **state)
        Event.objects.create(batch_id=provider_batch.batch_id, kind=kind, data=data)


def follow_again(provider_batch: ProviderBatch) -> bool:
    """Follow a provider batch that is over here but runs at the provider, where it was retried.

    A requested cancel that never reached the provider stays, and reaches it now. Returns False and
    writes nothing if the provider batch is not over, if its content was deleted here, if it ended
    so recently that the provider's reply may be outdated, or if its batch is being settled.

    Raises:
        StaleRow: the row or its batch has changed since it was read; nothing was written.
    """
    batch = provider_batch.batch
    ended_at = provider_batch.ended_at or batch.finished_at
    if provider_batch.status not in ProviderBatch.OVER or not provider_batch.remote_id:
        return False
    if batch.purged_at or batch.project.deleted_at:  # nobody could see the new answers
        return False
    # A time ahead does not count: a clock that ran ahead wrote it.
    if ended_at and timedelta() <= timezone.now() - ended_at < batch.connection.create_grace:
        return False
    if batch.status == Batch.Status.SETTLING:
        return False
    is_cancel_unsent = batch.cancel_requested_at and not (
        provider_batch.cancel_sent_at or provider_batch.ended_at
    )
    with transaction.atomic():
        if batch.is_over:
            batch.return_to_running(**({} if is_cancel_unsent else {"cancel_requested_at": None}))
        else:
            # Make sure that the batch has not ended in between; from now on it cannot end before
            # this provider batch.
            batch.record(status=batch.status)
        _resume_following(provider_batch)
        kind = EventKind.STILL_RUNS if is_cancel_unsent else EventKind.RUNS_AGAIN
        Event.objects.create(batch=batch, kind=kind, data={"connection": batch.connection.name})
    return True


def _resume_following(provider_batch: ProviderBatch, **fields: Any) -> None:
    """Reset the unanswered results to pending, and follow the provider batch from its start.

    The provider empties its error file, so the stored error chunks are marked as past.
    """
    now = timezone.now()
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING,
        retried_in_place_at=now,
        slot_assigned_at=now,
        next_check_at=now + provider_batch.connection.key_poll_timeout,
        **NOT_ENDED,
        **fields,
    )
    clear_failures(provider_batch)
    chunks = provider_batch.result_chunks.all()
    chunks.update(retries_after=F("retries_after") + 1)
    errors = provider_batch.result_chunks.filter(kind=ResultChunk.Kind.ERROR)
    errors.update(kind=ResultChunk.Kind.PAST)
    KeyPoll.objects.poll_soon(provider_batch.batch.key)


def clear_failures(provider_batch: ProviderBatch) -> None:
    """Reset the results that the provider runs again to pending."""
    unanswered = Result.objects.filter(provider_batch=provider_batch, outcome__in=UNANSWERED)
    unanswered.update(**Result.NO_ANSWER)
