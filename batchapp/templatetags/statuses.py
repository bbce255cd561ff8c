"""The status of files, tables, results and imports as pages show it, each in one pill."""

from dataclasses import dataclass

from django import template

from batchapp.domain.results.outcome import Outcome
from batchapp.models import BatchImport, SourceTable, Upload
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus
from batchapp.services.orders.readiness import Level

register = template.Library()


@dataclass(frozen=True, slots=True)
class Status:
    """``tone`` is a colour and ``icon`` a picture of the style sheet; ``label`` says the same."""

    label: str
    tone: str
    icon: str


@register.filter
def upload_status(upload: Upload) -> Status:
    is_checking = upload.status == Upload.Status.CHECKING
    label = Upload.Status(upload.status).label
    if upload.lacks_content and is_checking:
        label = "Being written" if upload.selection else "Being corrected"
    elif upload.lacks_content:
        label = "Could not be written"
    if upload.status == Upload.Status.READY:
        return Status(label, "good", "check")
    return Status(label, "busy", "clock") if is_checking else Status(label, "bad", "cross")


@register.filter
def table_status(table: SourceTable) -> Status:
    label = SourceTable.Status(table.status).label
    if table.status == SourceTable.Status.KEPT:
        return Status(label, "good", "check")
    is_refused = table.status == SourceTable.Status.REFUSED
    return Status(label, "bad", "cross") if is_refused else Status(label, "busy", "clock")


@register.filter
def outcome_status(value: str) -> Status:
    outcome = Outcome(value)
    if outcome == Outcome.OK:
        return Status(outcome.label, "good", "check")
    if outcome.is_failure or outcome == Outcome.MISSING:
        return Status(outcome.label, "bad", "cross")
    if outcome.is_answer:
        return Status(outcome.label, "warn", "alert")
    return Status(outcome.label, "quiet", "stop" if outcome == Outcome.CANCELLED else "clock")


@register.filter
def import_status(batch_import: BatchImport) -> Status:
    label = BatchImport.Status(batch_import.status).label
    if batch_import.status == BatchImport.Status.DONE:
        return Status("Imported", "good", "check")
    if batch_import.status == BatchImport.Status.FAILED:
        return Status(label, "bad", "cross")
    if batch_import.failures:
        return Status(f"Waiting for {batch_import.project.connection}", "warn", "clock")
    return Status(label, "busy", "down")


@register.filter
def remote_status(remote: RemoteBatch) -> Status:
    """Return the status in the provider's own word."""
    if remote.status == RemoteStatus.COMPLETED:
        return Status(remote.raw_status, "good", "check")
    if remote.status == RemoteStatus.FAILED:
        return Status(remote.raw_status, "bad", "cross")
    is_over = remote.is_over
    return Status(remote.raw_status, "quiet" if is_over else "busy", "stop" if is_over else "play")


READINESS_STATUSES = {
    Level.PASSED: Status("Passed", "good", "check"),
    Level.HINT: Status("Hint", "quiet", "info"),
    Level.WARNING: Status("Uncertain", "warn", "alert"),
    Level.BLOCKER: Status("Blocked", "bad", "cross"),
    Level.IMPOSSIBLE: Status("Cannot run", "bad", "cross"),
}


@register.filter
def readiness_status(level: Level) -> Status:
    return READINESS_STATUSES[level]
