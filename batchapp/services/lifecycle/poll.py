"""Apply the state that the provider reports of a running provider batch."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.progress import with_mark
from batchapp.models import Batch, Event, EventKind, KeyPoll, ProviderBatch
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus
from batchapp.services.lifecycle import refused_batch

HARVESTS_PER_BATCH = 20  # at most, before a batch has ended


def poll(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Read the state of one provider batch, and apply it."""
    apply_remote_state(provider_batch, provider.retrieve_batch(provider_batch.remote_id), provider)
    if provider_batch.status == ProviderBatch.Status.RUNNING:
        KeyPoll.objects.resume(provider_batch.batch.key)


def apply_remote_state(
    provider_batch: ProviderBatch, remote: RemoteBatch, provider: Provider
) -> None:
    """Record the progress, forward a requested stop, and start harvesting if results are ready.

    A batch that the provider refuses to stop is followed to its end, because its answers are paid.
    If the refusal may be temporary, the next poll asks again.

    Raises:
        ProviderError: the row is unchanged, or records that the provider was told to stop.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    grace = provider_batch.connection.create_grace
    if is_over_unstarted(remote, provider_batch.stop_sent_at, grace):
        _end_unstarted(provider_batch, remote)
        return
    if remote.is_over and (lag := provider_batch.replica_lag):
        provider_batch.postpone(lag, polled_at=timezone.now(), **ProviderBatch.NO_PROBLEM)
        return
    if remote.is_over and refused_batch.return_to_queue(provider_batch, remote):
        return
    ended_at, problem = provider_batch.ended_at, None
    if remote.is_over:
        problem = _failure_as_a_whole(provider_batch, remote)
    else:
        ended_at = None  # the provider may have resumed a batch that had ended
        remote, problem = _forward_requested_stop(provider_batch, remote, provider)
        problem = problem or _unknown_status(provider_batch, remote)
    now = timezone.now()
    state = {
        "remote_status": remote.status_word,
        "output_file_id": remote.output_file_id or provider_batch.output_file_id,
        "error_file_id": remote.error_file_id or provider_batch.error_file_id,
        "expires_at": remote.expires_at or provider_batch.expires_at,
        "completed": remote.completed,
        "failed": remote.failed,
        "marks": progress_marks_at(provider_batch, now, remote.completed + remote.failed),
        "polled_at": now,
        **ProviderBatch.NO_PROBLEM,
        "problem": problem,
    }
    connection = provider_batch.connection
    poll_interval = timedelta(seconds=connection.poll_seconds)
    if remote.is_over:
        # Requests in flight when a batch is cancelled may still be answered, and are billed.
        delay = poll_interval if remote.status is RemoteStatus.CANCELLED else timedelta()
        harvest_at = provider_batch.read_again_at if ended_at else now + delay
        provider_batch.move_to(
            ProviderBatch.Status.HARVESTING,
            ended_at=ended_at or now,
            next_check_at=max(harvest_at or now, now),
            **state,
        )
        if not ended_at:
            Event.objects.create(
                batch_id=provider_batch.batch_id,
                kind=EventKind.ENDED_AT_PROVIDER,
                data=_ending(provider_batch, remote),
            )
    elif _has_enough_new_results(provider_batch, remote):
        provider_batch.move_to(ProviderBatch.Status.HARVESTING, ended_at=None, **state)
    else:
        # The poll of the key usually comes first. It leaves out provider batches that may have a
        # duplicate.
        is_polled_alone = provider_batch.may_have_duplicate
        delay = poll_interval if is_polled_alone else connection.key_poll_timeout
        provider_batch.postpone(delay, ended_at=None, **state)


def _failure_as_a_whole(provider_batch: ProviderBatch, remote: RemoteBatch) -> Problem | None:
    """Return why the provider ran nothing of the batch; None if it ran some, or does not say."""
    if not remote.never_ran or not remote.errors:
        return None
    data = {"connection": provider_batch.connection.name, "errors": list(remote.errors)}
    return Problem(ProblemCode.FAILED_AS_A_WHOLE, data)


def _unknown_status(provider_batch: ProviderBatch, remote: RemoteBatch) -> Problem | None:
    """Return that the provider calls the state by a word that is not known, so that people see."""
    if remote.status is not RemoteStatus.UNKNOWN or not remote.status_word:
        return None
    data = {"connection": provider_batch.connection.name, "word": remote.status_word}
    return Problem(ProblemCode.STATUS_UNKNOWN, data)


def is_over_unstarted(
    remote: RemoteBatch, stop_sent_at: datetime | None, grace: timedelta
) -> bool:
    """Return True if the provider was told to stop before it had begun, and never will begin.

    ``stop_sent_at`` is the time when we told the provider, if we did. ``grace`` is the time after
    which all replicas of the provider know whether it had begun.
    """
    since = stop_sent_at or remote.cancelling_at
    is_old = since is None or timezone.now() - since > grace
    return remote.is_cancelled_unstarted and is_old


def _end_unstarted(provider_batch: ProviderBatch, remote: RemoteBatch) -> None:
    now = timezone.now()
    provider_batch.move_to(
        ProviderBatch.Status.CANCELLED,
        remote_status=remote.status_word,
        ended_at=now,
        polled_at=now,
        **ProviderBatch.NO_PROBLEM,
    )
    Event.objects.create(
        batch_id=provider_batch.batch_id,
        kind=EventKind.NEVER_BEGUN,
        data={"connection": provider_batch.connection.name},
    )


def _forward_requested_stop(
    provider_batch: ProviderBatch, remote: RemoteBatch, provider: Provider
) -> tuple[RemoteBatch, Problem | None]:
    """Tell the provider once to cancel, which is also the way to pause.

    Returns the state after the call, and the problem if the provider refuses for a reason that
    says nothing about the batch itself.
    """
    batch = provider_batch.batch
    _correct_future_request(batch)
    if batch.cancel_requested_at and not provider_batch.cancel_sent_at:
        sent_field, code = "cancel_sent_at", ProblemCode.CANCEL_REFUSED
        done, refused = EventKind.CANCELLED_AT_PROVIDER, EventKind.CANCEL_REFUSED
    elif batch.needs_pause_sent(provider_batch.pause_sent_at):
        sent_field, code = "pause_sent_at", ProblemCode.PAUSE_REFUSED
        done, refused = EventKind.PAUSED_AT_PROVIDER, EventKind.PAUSE_REFUSED
    else:
        return remote, None
    before: dict[str, Any] = {sent_field: getattr(provider_batch, sent_field)}
    # Record the pause before calling: if the reply is lost we call again, and a stop that the
    # provider did carry out must still count as this pause.
    is_pause = sent_field == "pause_sent_at"
    attempt: dict[str, Any] = {sent_field: batch.pause_requested_at} if is_pause else {}
    # ``polled_at`` as well: a provider that cannot stop the batch has answered all the same.
    provider_batch.renew_lease(polled_at=timezone.now(), **attempt)
    try:
        remote = provider.cancel_batch(provider_batch.remote_id)
        kind, data = done, {"connection": batch.connection.name}
    except ProviderRejected as exc:
        kind = refused
        data = {"connection": batch.connection.name, "said": exc.message or str(exc)}
        if exc.reason is not Reason.INVALID:  # INVALID: the batch may have ended just now
            provider_batch.renew_lease(**before)
            Event.objects.create_once(provider_batch.batch_id, kind, **data)
            return remote, Problem(code, data)
    sent: dict[str, Any] = {sent_field: timezone.now()}
    provider_batch.renew_lease(**sent)
    Event.objects.create(batch_id=provider_batch.batch_id, kind=kind, data=data)
    return remote, None


def _correct_future_request(batch: Batch) -> None:
    """Write the present time for a requested pause that lies ahead, since our clock was ahead.

    Every stop would otherwise seem to be older than the request, and would be sent again.
    """
    now, requested_at = timezone.now(), batch.pause_requested_at
    if requested_at and requested_at > now:
        unchanged = Batch.objects.filter(pk=batch.pk, pause_requested_at=requested_at)
        unchanged.update(pause_requested_at=now)
        batch.pause_requested_at = now


def _has_enough_new_results(provider_batch: ProviderBatch, remote: RemoteBatch) -> bool:
    """Return True if a harvest before the end brings enough new results to be worth it."""
    harvested = provider_batch.output_lines + provider_batch.error_lines
    # A provider that counts more results than there are requests is not read for ever.
    ended = min(remote.completed + remote.failed, provider_batch.total)
    is_enough = ended - harvested >= max(1, provider_batch.total // HARVESTS_PER_BATCH)
    return is_enough and provider_batch.connection.capabilities.partial_results


def _ending(provider_batch: ProviderBatch, remote: RemoteBatch) -> dict[str, Any]:
    return {
        "connection": provider_batch.connection.name,
        "remote_status": remote.status_word,
        "completed": remote.completed,
        "failed": remote.failed,
        "total": remote.total,
        "errors": list(remote.errors),
    }


def progress_marks_at(
    provider_batch: ProviderBatch, moment: datetime, ended: int
) -> list[list[float]]:
    """Return the progress marks with ``ended`` requests at ``moment``; nothing is written."""
    # The provider's clock may differ from ours, so ``submitted_at`` is only the second choice.
    started_at = provider_batch.create_attempted_at or provider_batch.submitted_at
    retried_at = provider_batch.retried_in_place_at
    return with_mark(
        provider_batch.marks,
        moment.timestamp(),
        ended,
        started_at=started_at.timestamp() if started_at else None,
        retried_at=retried_at.timestamp() if retried_at else None,
    )
