"""Record that a batch is over, or later than its completion window, for people to be told."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, Min, OuterRef
from django.utils import timezone

from batchapp.models import (
    Batch,
    Event,
    EventKind,
    ModelCost,
    Notice,
    NoticeKind,
    ProviderBatch,
)

# A provider that stops a batch at the end of its window needs some minutes to say so.
LATE_AFTER = timedelta(minutes=5)
LATE_AT_ONCE = 100  # batches that one look records; the next look takes the others


def record_end(batch: Batch, model_costs: Sequence[ModelCost]) -> None:
    """Record how ``batch`` ended; call this in the transaction of its settling.

    A batch that runs again may end again. If all is as before, because an answer that came late
    changed nothing, nobody is told twice; a retry in place always ends with a notice.
    """
    is_failed = batch.status == Batch.Status.FAILED
    kind = NoticeKind.BATCH_FAILED if is_failed else NoticeKind.BATCH_FINISHED
    counts = (batch.usable, batch.succeeded, batch.failed, batch.missing, batch.cancelled)
    retried_at = batch.provider_batches.order_by().values_list("retried_in_place_at", flat=True)
    retries = sorted(at.isoformat() for at in retried_at.distinct() if at)
    Notice.objects.record(
        kind,
        batch.project,
        batch=batch,
        once=f"{batch.status} {' '.join(map(str, counts))} {retries[-1] if retries else ''}",
        **end_facts(batch, model_costs),
    )


def end_facts(batch: Batch, model_costs: Sequence[ModelCost]) -> dict[str, Any]:
    """Return the outcome in requests, and the cost in USD as far as it is known."""
    known = [row.cost_usd for row in model_costs if row.cost_usd is not None]
    return {
        "name": batch.name,
        "state": _state(batch),
        "requests": batch.requests,
        "usable": batch.usable,
        "doubtful": batch.doubtful,
        "failed": batch.failed,
        "missing": batch.missing,
        "cancelled": batch.cancelled,
        "cost": str(sum(known)) if known else None,
        "unpriced": len(model_costs) - len(known),
        "is_minimum": any(row.answers_without_usage for row in model_costs),
        "estimate": None if batch.estimated_cost_usd is None else str(batch.estimated_cost_usd),
        "is_sandbox": batch.connection.is_sandbox,
        "cancelled_by": _cancelled_by(batch),
    }


def _state(batch: Batch) -> str:
    """Return the state as people see it; see ``BATCH_STATES``."""
    if batch.status != Batch.Status.COMPLETED:
        return str(batch.status)
    if batch.failed or batch.missing:
        return "with_errors"
    return "with_doubts" if batch.doubtful else "completed"


def _cancelled_by(batch: Batch) -> int | None:
    """Return the id of the person who cancelled the batch, who need not be told."""
    if batch.status != Batch.Status.CANCELLED:
        return None
    kinds = [EventKind.CANCEL_REQUESTED, EventKind.CANCEL_REQUESTED_AGAIN]
    events = Event.objects.filter(batch=batch, kind__in=kinds).order_by("-at")
    return events.values_list("actor", flat=True).first()


def record_late() -> int:
    """Record, once for each, the batches that run past the end of their completion window."""
    passed = ProviderBatch.objects.filter(
        batch=OuterRef("pk"), ended_at=None, expires_at__lt=timezone.now() - LATE_AFTER
    ).exclude(status__in=ProviderBatch.OVER)
    told = Notice.objects.filter(batch=OuterRef("pk"), kind=NoticeKind.BATCH_LATE)
    late = Batch.objects.filter(Exists(passed), ~Exists(told), status=Batch.Status.RUNNING)
    rows = late.filter(cancel_requested_at=None, pause_requested_at=None)
    number = 0
    for batch in rows.select_related("project")[:LATE_AT_ONCE]:
        number += _record_late(batch)
    return number


def _record_late(batch: Batch) -> bool:
    provider_batches = batch.provider_batches.all()
    due = provider_batches.aggregate(due=Min("expires_at"))["due"]
    notice = Notice.objects.record(
        NoticeKind.BATCH_LATE,
        batch.project,
        batch=batch,
        once="late",
        name=batch.name,
        due=due.isoformat(),
        requests=batch.requests,
        done=sum(row.completed + row.failed for row in provider_batches),
    )
    return notice is not None
