"""Print all that the portal's database says of its batches, as JSON, for the proof."""

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from batchapp.models import Batch, BatchImport, LeasedRow, ProviderBatch

# A row counts as standing still if nobody has come for it so long after it was due.
MAX_DELAY = timedelta(seconds=60)
LONGEST_LEASE = timedelta(minutes=10)

RESULT_FIELDS = ("line", "custom_id", "outcome", "line_id", "input_tokens", "output_tokens")


def print_records() -> None:
    records = {"batches": [_batch(batch) for batch in Batch.objects.all()], "imports": _imports()}
    print(json.dumps(records, default=str))  # noqa: T201


def print_standing() -> None:
    """Print the rows that no worker moves although they are due or unfinished."""
    rows = [row for model in LeasedRow.__subclasses__() for row in model._default_manager.all()]
    found = [f"{type(row).__name__} {row.pk}: {why}" for row in rows if (why := _standing(row))]
    print(json.dumps(found))  # noqa: T201


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.pk,
        "name": batch.name,
        "parent": batch.parent_id,
        "created_at": batch.created_at.timestamp(),
        "status": batch.status,
        "is_cancel_requested": batch.cancel_requested_at is not None,
        "window": batch.window,
        "requests": batch.requests,
        "counts": [batch.succeeded, batch.failed, batch.cancelled, batch.missing],
        "tokens": [batch.input_tokens, batch.output_tokens],
        "cost": batch.actual_cost_usd,
        "model_costs": [row.cost_usd for row in batch.model_costs.all()],
        "billed": batch.billed_cost_usd,
        "provider_batches": [_provider_batch(row) for row in batch.provider_batches.all()],
        "results": [
            {name: getattr(row, name) for name in RESULT_FIELDS}
            | {
                "token": row.provider_batch_id.hex,
                "retried": row.retried and [row.retried.batch_id, row.retried.custom_id],
            }
            for row in batch.results.select_related("retried")
        ],
    }


def _provider_batch(row: ProviderBatch) -> dict[str, Any]:
    return {
        "token": row.token,
        "remote_id": row.remote_id,
        "status": row.status,
        "parked_reason": row.parked_reason,
        "problem": row.problem and row.problem.code,
        "claims": row.claims,
        "is_leased": row.leased_until is not None,
        "was_retried_in_place": row.retried_in_place_at is not None,
        "total": row.total,
        "output": row.output_file_id,
        "error": row.error_file_id,
    }


def _imports() -> list[dict[str, Any]]:
    return list(BatchImport.objects.values("remote_id", "status", "batch_id"))


def _standing(row: LeasedRow) -> str:
    now, status = timezone.now(), row.status
    if row.leased_until and not now - MAX_DELAY < row.leased_until < now + LONGEST_LEASE:
        return f"{status}, leased until {row.leased_until}"
    if row.next_check_at and row.next_check_at < now - MAX_DELAY:
        return f"{status}, due since {row.next_check_at}"
    is_moved_by_others = isinstance(row, Batch) and status == Batch.Status.RUNNING
    waits = status in row.WAITS_FOR_PEOPLE or not row.TRANSITIONS.get(status)
    if row.next_check_at is None and not waits and not is_moved_by_others and row.TRANSITIONS:
        return f"{status}, and never due"
    return ""
