"""What a batch is called while it goes through: one word, one colour, one picture."""

from dataclasses import dataclass

from batchapp.models import Batch, Part

NOT_YET_SENT = {Part.Status.PREPARING, Part.Status.WAITING}


@dataclass(frozen=True, slots=True)
class Status:
    """``tone`` is a colour and ``icon`` a picture of the style sheet; ``label`` says the same."""

    label: str
    tone: str
    icon: str


QUEUED = Status("Queued", "quiet", "clock")
WAITING = Status("Waiting to submit", "quiet", "clock")
RUNNING = Status("Running", "busy", "play")
FETCHING = Status("Fetching results", "busy", "down")
ADDING_UP = Status("Adding up", "busy", "sum")
PAUSING = Status("Pausing", "warn", "pause")
PAUSED = Status("Paused", "quiet", "pause")
CANCELLING = Status("Cancelling", "warn", "stop")
ATTENTION = Status("Needs attention", "alarm", "alert")
COMPLETED = Status("Completed", "good", "check")
WITH_ERRORS = Status("Completed with errors", "warn", "alert")
FAILED = Status("Failed", "bad", "cross")
CANCELLED = Status("Cancelled", "quiet", "stop")

ENDINGS = {
    Batch.Status.SETTLING: ADDING_UP,
    Batch.Status.FAILED: FAILED,
    Batch.Status.CANCELLED: CANCELLED,
}


def status_of(batch: Batch, parts: list[Part]) -> Status:
    if batch.status == Batch.Status.COMPLETED:
        return WITH_ERRORS if batch.failed or batch.missing else COMPLETED
    if batch.status != Batch.Status.RUNNING:
        return ENDINGS[Batch.Status(batch.status)]
    open_parts = [part for part in parts if part.status not in Part.OVER]
    if any(part.status == Part.Status.NEEDS_ATTENTION for part in open_parts):
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    statuses = {Part.Status(part.status) for part in open_parts}
    if batch.pause_requested_at and statuses:
        return PAUSED if statuses == {Part.Status.PAUSED} else PAUSING
    return _step(statuses, open_parts)


def _step(statuses: set[Part.Status], open_parts: list[Part]) -> Status:
    """Where the slowest part is; fetching while the provider still works is running, too."""
    if not statuses:
        return ADDING_UP
    if statuses == {Part.Status.PREPARING}:
        return QUEUED
    if statuses <= NOT_YET_SENT:
        return WAITING
    is_open = any(part.status == Part.Status.REOPENING or not part.ended_at for part in open_parts)
    return RUNNING if is_open else FETCHING
