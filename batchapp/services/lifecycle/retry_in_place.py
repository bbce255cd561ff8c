"""What ended, or was paused, is worked on again as the same batch at its provider."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.models import Batch, Event, Part, Result, Segment, User, Watch
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import Reason, UpstreamRejected, UpstreamUnavailable

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
    "segment": None,
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
    "stopped_in": "",
}


def unanswered(batch: Batch, user: User) -> int:
    """How many requests of ``batch`` can be run again in place for ``user``; 0 if it cannot be.

    Nor can it without the key that the batch ran on, since no other sees it there, or if that is
    not theirs to spend.
    """
    is_there = batch.is_over and batch.connection.has_retry and batch.key.is_readable
    if not is_there or not batch.key.may_be_spent_by(user, batch.project):
        return 0
    if batch.parts.filter(upstream_id="").exists():
        return 0
    return batch.results.filter(outcome__in=UNANSWERED).count()


def request_reopening(batch: Batch, user: User) -> int:
    """Ask for what failed or was cancelled to run again in the same batch; how many requests.

    0 if there are none, or if the batch is under way already. What they ended in before stays
    written down until the provider has taken them up again.

    Raises:
        StaleRow: somebody did the same at this very moment; nothing was written.
    """
    with transaction.atomic():
        number = unanswered(batch, user)
        if not number:
            return 0
        batch.run_again(cancel_requested_at=None)
        for part in batch.parts.filter(results__outcome__in=UNANSWERED).distinct():
            part.move_to(Part.Status.REOPENING, reopened_at=None, admitted_at=None)
        text = f"Asked to run {number:,} failed or cancelled requests again in place."
        Event.objects.create(batch=batch, actor=user, text=text)
    return number


def reopen(part: Part, upstream: UpstreamClient) -> None:
    """Have the provider run again what failed or was cancelled of ``part``, and follow it.

    Asking twice is harmless, so a lost reply is simply asked for again: only requests without an
    answer are run, which cost nothing so far, and those that run already are left alone. The
    time of the first attempt is written down before it, since from then on something may run.

    Raises:
        UpstreamError: nothing else was written.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    if part.batch.is_to_stop:  # an attempt whose end we did not see may have started it
        part.move_to(Part.Status.RUNNING, ended_at=None)
        Watch.objects.begin(part.batch.key)
        return
    before = part.reopened_at
    part.renew(reopened_at=timezone.now())
    try:
        remote = upstream.retry_batch(part.upstream_id)
        said = {
            "upstream_status": remote.raw_status,
            "completed": remote.completed,
            "failed": remote.failed,
        }
        text = f"Reopened by {part.batch.connection}."
    except UpstreamUnavailable as exc:
        if not exc.maybe_done:
            part.renew(reopened_at=before)
        raise
    except UpstreamRejected as exc:
        if exc.reason is not Reason.INVALID:
            part.renew(reopened_at=before)
            raise
        said = {}  # it may run already, or have nothing left to run: polling finds out
        text = f"{part.batch.connection} did not reopen it ({exc.message or exc})."
    with transaction.atomic():
        _take_up(part, **said)
        Event.objects.create(batch_id=part.batch_id, text=text)


def follow_again(part: Part) -> bool:
    """Bring back a part that is over here but runs at its provider, where somebody reopened it.

    A wish to cancel that never reached the provider is kept, and reaches it now. False, and
    nothing written, if it is not over, ended so recently that the news may be old, or if its
    batch is being added up.

    Raises:
        StaleRow: something moved since ``part`` was read; nothing was written.
    """
    batch = part.batch
    ended_at = part.ended_at or batch.finished_at
    grace = timedelta(seconds=batch.connection.create_grace_seconds)
    if part.status not in Part.OVER or not part.upstream_id:
        return False
    if ended_at and timezone.now() - ended_at < grace:
        return False
    if batch.status == Batch.Status.SETTLING:
        return False
    is_unstopped = batch.cancel_requested_at and not part.cancel_sent_at and not part.ended_at
    with transaction.atomic():
        if batch.is_over:
            batch.run_again(**({} if is_unstopped else {"cancel_requested_at": None}))
        else:
            batch.record(status=batch.status)  # it has not ended, and now cannot before its part
        _take_up(part)
        text = f"{batch.connection} has reopened this batch; it is followed again."
        if is_unstopped:
            text = f"{batch.connection} still runs this batch; it is cancelled there now."
        Event.objects.create(batch=batch, text=text)
    return True


def _take_up(part: Part, **fields: Any) -> None:
    """Wait for what has no answer, as if nothing had been said of it, and follow ``part``.

    The provider empties its error file, so what was read from it is put with the past.
    """
    now = timezone.now()
    part.move_to(
        Part.Status.RUNNING,
        reopened_at=now,
        admitted_at=now,
        next_check_at=now + part.batch.connection.patience,
        **FROM_THE_START,
        **fields,
    )
    Result.objects.filter(part=part, outcome__in=UNANSWERED).update(**NOTHING_SAID)
    part.segments.filter(kind=Segment.Kind.ERROR).update(kind=Segment.Kind.PAST)
    Watch.objects.begin(part.batch.key)
