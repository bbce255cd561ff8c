"""The status of a batch as pages and commands name it: one label, one tone, one icon."""

from batchapp.models import Batch, ProviderBatch
from batchapp.templatetags.statuses import Status

NOT_YET_SENT = {ProviderBatch.Status.PREPARING, ProviderBatch.Status.WAITING}


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

STATUS_AFTER_RUNNING = {
    Batch.Status.SETTLING: ADDING_UP,
    Batch.Status.FAILED: FAILED,
    Batch.Status.CANCELLED: CANCELLED,
}


def status_of(batch: Batch, provider_batches: list[ProviderBatch]) -> Status:
    if batch.status == Batch.Status.COMPLETED:
        return WITH_ERRORS if batch.failed or batch.missing else COMPLETED
    if batch.status != Batch.Status.RUNNING:
        return STATUS_AFTER_RUNNING[Batch.Status(batch.status)]
    open_batches = [row for row in provider_batches if row.status not in ProviderBatch.OVER]
    statuses = {ProviderBatch.Status(row.status) for row in open_batches}
    if ProviderBatch.Status.NEEDS_ATTENTION in statuses:
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    if batch.pause_requested_at and statuses:
        return PAUSED if statuses == {ProviderBatch.Status.PAUSED} else PAUSING
    return _slowest_status(open_batches)


def _slowest_status(open_batches: list[ProviderBatch]) -> Status:
    """Return the status of the provider batch that is furthest behind.

    A batch whose first results are fetched while the provider still works is running.
    """
    statuses = {ProviderBatch.Status(row.status) for row in open_batches}
    if not statuses:
        return ADDING_UP
    if statuses == {ProviderBatch.Status.PREPARING}:
        return QUEUED
    if statuses <= NOT_YET_SENT:
        return WAITING
    is_running = any(
        row.status == ProviderBatch.Status.RETRYING_IN_PLACE or not row.ended_at
        for row in open_batches
    )
    return RUNNING if is_running else FETCHING
