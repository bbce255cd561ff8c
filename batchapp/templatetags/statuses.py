"""The status of files, tables, results and imports as pages show it, each in one pill."""

from dataclasses import dataclass

from django import template

from batchapp.domain.results.outcome import Outcome
from batchapp.models import BatchImport, SourceTable, Upload
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus
from batchapp.services.orders.readiness import Level

register = template.Library()


@dataclass(frozen=True, slots=True)
class Status:
    """``tone`` is a colour and ``icon`` a picture of the style sheet; ``label`` says the same."""

    label: str
    tone: str
    icon: str


GOOD, BAD, BUSY = ("good", "check"), ("bad", "cross"), ("busy", "clock")
UPLOAD_PILLS = {
    Upload.Status.READY: GOOD,
    Upload.Status.CHECKING: BUSY,
    Upload.Status.PURGED: ("quiet", "trash"),
}
TABLE_PILLS = {SourceTable.Status.KEPT: GOOD, SourceTable.Status.REFUSED: BAD}
REMOTE_PILLS = {RemoteStatus.COMPLETED: GOOD, RemoteStatus.FAILED: BAD}


@register.filter
def upload_status(upload: Upload) -> Status:
    status = Upload.Status(upload.status)
    label = status.label
    if upload.lacks_content and status == Upload.Status.CHECKING:
        is_correction = not (upload.selection or upload.reuse_fields)
        label = "Being corrected" if is_correction else "Being written"
    elif upload.lacks_content and status != Upload.Status.PURGED:
        label = "Could not be written"
    return Status(label, *UPLOAD_PILLS.get(status, BAD))


@register.filter
def file_models(upload: Upload) -> list[str]:
    """Return the models that the report of a file names, the most frequent first.

    A report that another version wrote, or none, names no model.
    """
    models = upload.report_fields.get("models") if isinstance(upload.report_fields, dict) else None
    counts = {
        str(name): facts.get("requests", 0)
        for name, facts in (models.items() if isinstance(models, dict) else ())
        if isinstance(facts, dict)
    }
    return sorted(counts, key=lambda name: -counts[name])


@register.filter
def table_status(table: SourceTable) -> Status:
    status = SourceTable.Status(table.status)
    return Status(status.label, *TABLE_PILLS.get(status, BUSY))


@register.filter
def outcome_status(value: str) -> Status:
    outcome = Outcome(value)
    if outcome == Outcome.OK:
        return Status(outcome.label, *GOOD)
    if outcome.is_failure or outcome == Outcome.MISSING:
        return Status(outcome.label, *BAD)
    if outcome.is_answer:
        return Status(outcome.label, "warn", "alert")
    return Status(outcome.label, "quiet", "stop" if outcome == Outcome.CANCELLED else "clock")


@register.filter
def import_status(batch_import: BatchImport) -> Status:
    label = BatchImport.Status(batch_import.status).label
    if batch_import.status == BatchImport.Status.DONE:
        return Status("Imported", *GOOD)
    if batch_import.status == BatchImport.Status.FAILED:
        return Status(label, *BAD)
    if batch_import.failures:
        return Status(f"Waiting for {batch_import.project.connection}", "warn", "clock")
    return Status(label, "busy", "down")


@register.filter
def remote_status(remote: RemoteBatch) -> Status:
    """Return the status in the provider's own word, as a label."""
    other = ("quiet", "stop") if remote.is_over else ("busy", "play")
    label = remote.status_word.replace("_", " ").capitalize()
    return Status(label, *REMOTE_PILLS.get(remote.status, other))


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
