"""The fifth room: what the provider says of a running part."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from batchapp.domain.progress import marked
from batchapp.models import Event, Part, Watch
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import Reason, UpstreamRejected
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus

WORTH = 20
"""One part in so many of the requests is worth a harvest: twenty a batch, however large."""


def poll(part: Part, upstream: UpstreamClient) -> None:
    """Read how far ``part`` is by itself, and ``take`` that in."""
    take(part, upstream.retrieve_batch(part.upstream_id), upstream)
    if part.status == Part.Status.RUNNING:
        Watch.objects.resume(part.batch.key)


def take(part: Part, remote: RemoteBatch, upstream: UpstreamClient) -> None:
    """Note how far ``part`` is, pass on a wish to stop it, and send it to harvesting if due.

    A batch that the provider does not stop is followed to its end: it is paid for. One that it
    may stop another time is asked for again at every look.

    Raises:
        UpstreamError: the row is as it was, or knows that the provider was told to stop.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    if remote.is_over and (wait := part.lag):
        part.postpone(wait, polled_at=timezone.now(), failures=0, trouble="")
        return
    ended_at, trouble = part.ended_at, ""
    if not remote.is_over:
        ended_at = None  # if it ever had: it was taken up again over there
        remote, trouble = _stopped(part, remote, upstream)
    seen = {
        "upstream_status": remote.raw_status,
        "output_file_id": remote.output_file_id or part.output_file_id,
        "error_file_id": remote.error_file_id or part.error_file_id,
        "expires_at": remote.expires_at or part.expires_at,
        "completed": remote.completed,
        "failed": remote.failed,
        "marks": marks_at(part, timezone.now(), remote.completed + remote.failed),
        "polled_at": timezone.now(),
        "failures": 0,
        "trouble": trouble,
    }
    pause = timedelta(seconds=part.batch.connection.poll_seconds)
    if remote.is_over:
        # Requests in flight when a batch is cancelled may still land, and are billed.
        late = pause if remote.status is RemoteStatus.CANCELLED else timedelta()
        turn = part.read_again_at if ended_at else timezone.now() + late
        part.move_to(
            Part.Status.HARVESTING,
            ended_at=ended_at or timezone.now(),
            next_check_at=max(turn or timezone.now(), timezone.now()),
            **seen,
        )
        if not ended_at:
            Event.objects.create(batch_id=part.batch_id, text=_ending(part, remote))
    elif _has_news(part, remote):
        part.move_to(Part.Status.HARVESTING, ended_at=None, **seen)
    else:
        # A key that is watched looks at it sooner; one whose twin may turn up is not.
        wait = pause if part.may_have_twin else part.batch.connection.patience
        part.postpone(wait, ended_at=None, **seen)


def _stopped(part: Part, remote: RemoteBatch, upstream: UpstreamClient) -> tuple[RemoteBatch, str]:
    """Tell the provider once if ``part`` is to be cancelled or paused, which is the same to it.

    Returns how it is then, and what hinders: a refusal that says nothing about the batch itself.
    """
    batch = part.batch
    if batch.cancel_requested_at and not part.cancel_sent_at:
        sent, done, verb = "cancel_sent_at", "Cancelled", "cancel"
    elif batch.wants_pause(part.pause_sent_at):
        sent, done, verb = "pause_sent_at", "Stopped for the pause", "stop"
    else:
        return remote, ""
    before: dict[str, Any] = {sent: getattr(part, sent)}
    # A call whose end nobody saw is made again, and what it stopped was stopped for the pause.
    tried: dict[str, Any] = {sent: batch.pause_requested_at} if sent == "pause_sent_at" else {}
    # A provider that cannot stop it is there all the same.
    part.renew(polled_at=timezone.now(), **tried)
    try:
        remote = upstream.cancel_batch(part.upstream_id)
        text = f"{done} at {batch.connection}."
    except UpstreamRejected as exc:
        text = f"{batch.connection} did not {verb} it ({exc.message or exc})."
        if exc.reason is not Reason.INVALID:  # which means that it may have ended just now
            part.renew(**before)
            if not Event.objects.filter(batch_id=part.batch_id, text=text).exists():
                Event.objects.create(batch_id=part.batch_id, text=text)
            return remote, f"{text} The portal keeps asking."
    now: dict[str, Any] = {sent: timezone.now()}
    part.renew(**now)
    Event.objects.create(batch_id=part.batch_id, text=text)
    return remote, ""


def _has_news(part: Part, remote: RemoteBatch) -> bool:
    """Whether enough was answered since the last harvest to be worth another before the end."""
    fresh = remote.completed + remote.failed - part.output_lines - part.error_lines
    return fresh >= max(1, part.total // WORTH) and part.batch.connection.has_partial_results


def _ending(part: Part, remote: RemoteBatch) -> str:
    sentence = (
        f"{part.batch.connection} reports {remote.raw_status}: {remote.completed:,} completed, "
        f"{remote.failed:,} failed of {remote.total:,}."
    )
    return " ".join([sentence, *remote.errors])


def marks_at(part: Part, moment: datetime, ended: int) -> list[list[float]]:
    """The marks of ``part`` with what was seen at ``moment``; nothing is written."""
    begun = part.create_attempted_at or part.submitted_at  # the provider's clock only if need be
    reopened = part.reopened_at
    return marked(
        part.marks,
        moment.timestamp(),
        ended,
        begun=begun.timestamp() if begun else None,
        reopened=reopened.timestamp() if reopened else None,
    )
