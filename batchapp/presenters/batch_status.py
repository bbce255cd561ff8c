"""What a batch is called while it goes through: one word, one colour, one picture."""

from dataclasses import dataclass

from batchapp.models import Batch, ProviderBatch

NOT_YET_SENT = {ProviderBatch.Status.PREPARING, ProviderBatch.Status.WAITING}


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


def status_of(batch: Batch, provider_batches: list[ProviderBatch]) -> Status:
    if batch.status == Batch.Status.COMPLETED:
        return WITH_ERRORS if batch.failed or batch.missing else COMPLETED
    if batch.status != Batch.Status.RUNNING:
        return ENDINGS[Batch.Status(batch.status)]
    open_parts = [
        provider_batch
        for provider_batch in provider_batches
        if provider_batch.status not in ProviderBatch.OVER
    ]
    if any(
        provider_batch.status == ProviderBatch.Status.NEEDS_ATTENTION
        for provider_batch in open_parts
    ):
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    statuses = {ProviderBatch.Status(provider_batch.status) for provider_batch in open_parts}
    if batch.pause_requested_at and statuses:
        return PAUSED if statuses == {ProviderBatch.Status.PAUSED} else PAUSING
    return _step(statuses, open_parts)


def _step(statuses: set[ProviderBatch.Status], open_parts: list[ProviderBatch]) -> Status:
    """Where the slowest part is; fetching while the provider still works is running, too."""
    if not statuses:
        return ADDING_UP
    if statuses == {ProviderBatch.Status.PREPARING}:
        return QUEUED
    if statuses <= NOT_YET_SENT:
        return WAITING
    is_open = any(
        provider_batch.status == ProviderBatch.Status.RETRYING_IN_PLACE
        or not provider_batch.ended_at
        for provider_batch in open_parts
    )
    return RUNNING if is_open else FETCHING
