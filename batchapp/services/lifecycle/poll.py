"""The fifth room: what the provider says of a running part."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.domain.progress import with_mark
from batchapp.models import Event, KeyPoll, ProviderBatch
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus

WORTH = 20
"""One part in so many of the requests is worth a harvest: twenty a batch, however large."""


def poll(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Read how far ``part`` is by itself, and ``take`` that in."""
    apply_remote_state(provider_batch, provider.retrieve_batch(provider_batch.remote_id), provider)
    if provider_batch.status == ProviderBatch.Status.RUNNING:
        KeyPoll.objects.resume(provider_batch.batch.key)


def apply_remote_state(
    provider_batch: ProviderBatch, remote: RemoteBatch, provider: ProviderClient
) -> None:
    """Note how far ``part`` is, pass on a wish to stop it, and send it to harvesting if due.

    A batch that the provider does not stop is followed to its end: it is paid for. One that it
    may stop another time is asked for again at every look.

    Raises:
        UpstreamError: the row is as it was, or knows that the provider was told to stop.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    if remote.is_over and (wait := provider_batch.replica_lag):
        provider_batch.postpone(wait, polled_at=timezone.now(), failures=0, trouble="")
        return
    ended_at, trouble = provider_batch.ended_at, ""
    if not remote.is_over:
        ended_at = None  # if it ever had: it was taken up again over there
        remote, trouble = _stopped(provider_batch, remote, provider)
    seen = {
        "remote_status": remote.raw_status,
        "output_file_id": remote.output_file_id or provider_batch.output_file_id,
        "error_file_id": remote.error_file_id or provider_batch.error_file_id,
        "expires_at": remote.expires_at or provider_batch.expires_at,
        "completed": remote.completed,
        "failed": remote.failed,
        "marks": progress_marks_at(
            provider_batch, timezone.now(), remote.completed + remote.failed
        ),
        "polled_at": timezone.now(),
        "failures": 0,
        "trouble": trouble,
    }
    pause = timedelta(seconds=provider_batch.batch.connection.poll_seconds)
    if remote.is_over:
        # Requests in flight when a batch is cancelled may still land, and are billed.
        late = pause if remote.status is RemoteStatus.CANCELLED else timedelta()
        turn = provider_batch.read_again_at if ended_at else timezone.now() + late
        provider_batch.move_to(
            ProviderBatch.Status.HARVESTING,
            ended_at=ended_at or timezone.now(),
            next_check_at=max(turn or timezone.now(), timezone.now()),
            **seen,
        )
        if not ended_at:
            Event.objects.create(
                batch_id=provider_batch.batch_id, text=_ending(provider_batch, remote)
            )
    elif _has_news(provider_batch, remote):
        provider_batch.move_to(ProviderBatch.Status.HARVESTING, ended_at=None, **seen)
    else:
        # A key that is watched looks at it sooner; one whose twin may turn up is not.
        wait = (
            pause
            if provider_batch.may_have_duplicate
            else provider_batch.batch.connection.patience
        )
        provider_batch.postpone(wait, ended_at=None, **seen)


def _stopped(
    provider_batch: ProviderBatch, remote: RemoteBatch, provider: ProviderClient
) -> tuple[RemoteBatch, str]:
    """Tell the provider once if ``part`` is to be cancelled or paused, which is the same to it.

    Returns how it is then, and what hinders: a refusal that says nothing about the batch itself.
    """
    batch = provider_batch.batch
    if batch.cancel_requested_at and not provider_batch.cancel_sent_at:
        sent, done, verb = "cancel_sent_at", "Cancelled", "cancel"
    elif batch.needs_pause_sent(provider_batch.pause_sent_at):
        sent, done, verb = "pause_sent_at", "Stopped for the pause", "stop"
    else:
        return remote, ""
    before: dict[str, Any] = {sent: getattr(provider_batch, sent)}
    # A call whose end nobody saw is made again, and what it stopped was stopped for the pause.
    tried: dict[str, Any] = {sent: batch.pause_requested_at} if sent == "pause_sent_at" else {}
    # A provider that cannot stop it is there all the same.
    provider_batch.renew_lease(polled_at=timezone.now(), **tried)
    try:
        remote = provider.cancel_batch(provider_batch.remote_id)
        text = f"{done} at {batch.connection}."
    except ProviderRejected as exc:
        text = f"{batch.connection} did not {verb} it ({exc.message or exc})."
        if exc.reason is not Reason.INVALID:  # which means that it may have ended just now
            provider_batch.renew_lease(**before)
            if not Event.objects.filter(batch_id=provider_batch.batch_id, text=text).exists():
                Event.objects.create(batch_id=provider_batch.batch_id, text=text)
            return remote, f"{text} The portal keeps asking."
    now: dict[str, Any] = {sent: timezone.now()}
    provider_batch.renew_lease(**now)
    Event.objects.create(batch_id=provider_batch.batch_id, text=text)
    return remote, ""


def _has_news(provider_batch: ProviderBatch, remote: RemoteBatch) -> bool:
    """Whether enough was answered since the last harvest to be worth another before the end."""
    fresh = (
        remote.completed + remote.failed - provider_batch.output_lines - provider_batch.error_lines
    )
    return (
        fresh >= max(1, provider_batch.total // WORTH)
        and provider_batch.batch.connection.has_partial_results
    )


def _ending(provider_batch: ProviderBatch, remote: RemoteBatch) -> str:
    sentence = (
        f"{provider_batch.batch.connection} reports {remote.raw_status}: {remote.completed:,} completed, "
        f"{remote.failed:,} failed of {remote.total:,}."
    )
    return " ".join([sentence, *remote.errors])


def progress_marks_at(
    provider_batch: ProviderBatch, moment: datetime, ended: int
) -> list[list[float]]:
    """The marks of ``part`` with what was seen at ``moment``; nothing is written."""
    begun = (
        provider_batch.create_attempted_at or provider_batch.submitted_at
    )  # the provider's clock only if need be
    reopened = provider_batch.retried_in_place_at
    return with_mark(
        provider_batch.marks,
        moment.timestamp(),
        ended,
        begun=begun.timestamp() if begun else None,
        reopened=reopened.timestamp() if reopened else None,
    )
