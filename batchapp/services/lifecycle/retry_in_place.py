"""What ended, or was paused, is worked on again as the same batch at its provider."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.models import Batch, Event, KeyPoll, ProviderBatch, Result, ResultChunk, User
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason

UNANSWERED = frozenset(Outcome) - SUCCEEDED - {Outcome.PENDING}
"""What the provider runs again, and we wait for again. Cut short and refused are answers there."""

NOTHING_SAID: dict[str, Any] = {
    "outcome": Outcome.PENDING,
    "line_id": "",
    "status_code": None,
    "finish_reason": "",
    "answer_model": "",
    "input_tokens": None,
    "output_tokens": None,
    "error_code": "",
    "error_message": "",
    "preview": "",
    "result_chunk": None,
    "answer_at": None,
    "answer_bytes": None,
}
FROM_THE_START: dict[str, Any] = {
    "ended_at": None,
    "cancel_sent_at": None,
    "pause_sent_at": None,
    "error_lines": 0,
    "rereads": 0,
    "marks": [],
    "failures": 0,
    "trouble": "",
    "stopped_in_status": "",
}


def count_retryable(batch: Batch, user: User) -> int:
    """How many requests of ``batch`` can be run again in place for ``user``; 0 if it cannot be.

    Nor can it without the key that the batch ran on, since no other sees it there, or if that is
    not theirs to spend.
    """
    is_there = batch.is_over and batch.connection.has_retry and batch.key.is_readable
    if not is_there or not batch.key.may_be_spent_by(user, batch.project):
        return 0
    if batch.provider_batches.filter(remote_id="").exists():
        return 0
    return batch.results.filter(outcome__in=UNANSWERED).count()


def request_retry_in_place(batch: Batch, user: User) -> int:
    """Ask for what failed or was cancelled to run again in the same batch; how many requests.

    0 if there are none, or if the batch is under way already. What they ended in before stays
    written down until the provider has taken them up again.

    Raises:
        StaleRow: somebody did the same at this very moment; nothing was written.
    """
    with transaction.atomic():
        number = count_retryable(batch, user)
        if not number:
            return 0
        batch.return_to_running(cancel_requested_at=None)
        for provider_batch in batch.provider_batches.filter(
            results__outcome__in=UNANSWERED
        ).distinct():
            provider_batch.move_to(
                ProviderBatch.Status.RETRYING_IN_PLACE,
                retried_in_place_at=None,
                slot_assigned_at=None,
            )
        text = f"Asked to run {number:,} failed or cancelled requests again in place."
        Event.objects.create(batch=batch, actor=user, text=text)
    return number


def retry_in_place(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Have the provider run again what failed or was cancelled of ``part``, and follow it.

    Asking twice is harmless, so a lost reply is simply asked for again: only requests without an
    answer are run, which cost nothing so far, and those that run already are left alone. The
    time of the first attempt is written down before it, since from then on something may run.

    Raises:
        UpstreamError: nothing else was written.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    if (
        provider_batch.batch.is_stop_requested
    ):  # an attempt whose end we did not see may have started it
        provider_batch.move_to(ProviderBatch.Status.RUNNING, ended_at=None)
        KeyPoll.objects.begin(provider_batch.batch.key)
        return
    before = provider_batch.retried_in_place_at
    provider_batch.renew_lease(retried_in_place_at=timezone.now())
    try:
        remote = provider.retry_batch(provider_batch.remote_id)
        said = {
            "remote_status": remote.raw_status,
            "completed": remote.completed,
            "failed": remote.failed,
        }
        text = f"Reopened by {provider_batch.batch.connection}."
    except ProviderUnavailable as exc:
        if not exc.maybe_done:
            provider_batch.renew_lease(retried_in_place_at=before)
        raise
    except ProviderRejected as exc:
        if exc.reason is not Reason.INVALID:
            provider_batch.renew_lease(retried_in_place_at=before)
            raise
        said = {}  # it may run already, or have nothing left to run: polling finds out
        text = f"{provider_batch.batch.connection} did not reopen it ({exc.message or exc})."
    with transaction.atomic():
        _resume_following(provider_batch, **said)
        Event.objects.create(batch_id=provider_batch.batch_id, text=text)


def follow_again(provider_batch: ProviderBatch) -> bool:
    """Bring back a part that is over here but runs at its provider, where somebody reopened it.

    A wish to cancel that never reached the provider is kept, and reaches it now. False, and
    nothing written, if it is not over, ended so recently that the news may be old, or if its
    batch is being added up.

    Raises:
        StaleRow: something moved since ``part`` was read; nothing was written.
    """
    batch = provider_batch.batch
    ended_at = provider_batch.ended_at or batch.finished_at
    grace = timedelta(seconds=batch.connection.create_grace_seconds)
    if provider_batch.status not in ProviderBatch.OVER or not provider_batch.remote_id:
        return False
    if ended_at and timezone.now() - ended_at < grace:
        return False
    if batch.status == Batch.Status.SETTLING:
        return False
    is_unstopped = (
        batch.cancel_requested_at
        and not provider_batch.cancel_sent_at
        and not provider_batch.ended_at
    )
    with transaction.atomic():
        if batch.is_over:
            batch.return_to_running(**({} if is_unstopped else {"cancel_requested_at": None}))
        else:
            batch.record(status=batch.status)  # it has not ended, and now cannot before its part
        _resume_following(provider_batch)
        text = f"{batch.connection} has reopened this batch; it is followed again."
        if is_unstopped:
            text = f"{batch.connection} still runs this batch; it is cancelled there now."
        Event.objects.create(batch=batch, text=text)
    return True


def _resume_following(provider_batch: ProviderBatch, **fields: Any) -> None:
    """Wait for what has no answer, as if nothing had been said of it, and follow ``part``.

    The provider empties its error file, so what was read from it is put with the past.
    """
    now = timezone.now()
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING,
        retried_in_place_at=now,
        slot_assigned_at=now,
        next_check_at=now + provider_batch.batch.connection.patience,
        **FROM_THE_START,
        **fields,
    )
    Result.objects.filter(provider_batch=provider_batch, outcome__in=UNANSWERED).update(
        **NOTHING_SAID
    )
    provider_batch.result_chunks.filter(kind=ResultChunk.Kind.ERROR).update(
        kind=ResultChunk.Kind.PAST
    )
    KeyPoll.objects.begin(provider_batch.batch.key)
