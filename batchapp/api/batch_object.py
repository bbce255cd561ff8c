"""A batch as an object of the API, made of the portal's own rows."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Min, OuterRef, Prefetch, QuerySet, Subquery, Sum
from django.urls import reverse

from batchapp.api.ids import batch_id, result_file_id, upload_id
from batchapp.api.responses import unix_seconds
from batchapp.domain import windows
from batchapp.models import ApprovalRequest, Batch, ModelCost, ProviderBatch, ResultChunk
from batchapp.pipeline import states
from batchapp.pipeline.states import BatchState, state_of
from batchapp.presenters.approval_text import decision_text
from batchapp.presenters.problem_text import problem_text

RESERVED = "batchapp_"  # the beginning of the names of metadata that the portal adds
STATUSES = {
    states.AWAITING_APPROVAL: "validating",
    states.QUEUED: "validating",
    states.WAITING: "validating",
    states.RUNNING: "in_progress",
    states.FETCHING: "finalizing",
    states.ADDING_UP: "finalizing",
    states.PAUSING: "in_progress",
    states.PAUSED: "in_progress",
    states.CANCELLING: "cancelling",
    states.ATTENTION: "in_progress",
    states.COMPLETED: "completed",
    states.WITH_DOUBTS: "completed",
    states.WITH_ERRORS: "completed",
    states.FAILED: "failed",
    states.CANCELLED: "cancelled",
}
# States that the API has no status for, and in which a batch does not go on by itself.
TOLD_STATES = {states.AWAITING_APPROVAL, states.PAUSING, states.PAUSED, states.ATTENTION}
# Few columns are read, since clients poll: to make the SQL and the rows takes most of the time.
BATCH_COLUMNS = [
    *("upload_id", "name", "endpoint", "window", "metadata", "status", "requests"),
    *("created_at", "finished_at", "cancel_requested_at", "pause_requested_at"),
    *("succeeded", "usable", "failed", "missing", "input_tokens", "output_tokens"),
    *("estimated_cost_usd", "actual_cost_usd", "billed_cost_usd", "billed_list_cost_usd"),
]
READ_COLUMNS = [  # of provider batches
    *("batch_id", "status", "parked_reason", "problem", "completed", "failed"),
    *("submitted_at", "expires_at", "ended_at", "remote_id"),
]


def with_api_columns(batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
    """Load all that ``batch_object`` reads of a batch itself."""
    costs = ModelCost.objects.filter(batch=OuterRef("pk")).order_by().values("batch")
    return batches.only(*BATCH_COLUMNS).annotate(
        first_model=Subquery(costs.values_list(Min("model"))),
        last_model=Subquery(costs.values_list(Max("model"))),
        cached_tokens=Subquery(costs.values_list(Sum("cached_tokens"))),
    )


def with_api_details(batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
    """Load all that ``batch_objects`` reads, in two queries however many batches there are."""
    rows = ProviderBatch.objects.only(*READ_COLUMNS)
    return with_api_columns(batches).prefetch_related(Prefetch("provider_batches", rows))


def batch_objects(
    batches: Sequence[Batch], *, has_analytics: bool = False
) -> list[dict[str, Any]]:
    """Return ``batches``, rows of ``with_api_details``, in the form of OpenAI's API."""
    refused = _refusals(batches)
    made = []
    for batch in batches:
        shown = _object(batch, list(batch.provider_batches.all()), refused.get(batch.pk))
        made.append(shown | ({"analytics": analytics(batch)} if has_analytics else {}))
    return made


def batch_object(batch: Batch, rows: Sequence[ProviderBatch]) -> dict[str, Any]:
    """Return ``batch``, a row of ``with_api_columns``, whose provider batches are ``rows``."""
    return _object(batch, rows, _refusals([batch]).get(batch.pk))


def _refusals(batches: Sequence[Batch]) -> dict[UUID, ApprovalRequest]:
    """Return the request for approval of each batch that was cancelled for lack of it."""
    cancelled = [batch.pk for batch in batches if batch.status == Batch.Status.CANCELLED]
    if not cancelled:
        return {}
    requests = ApprovalRequest.objects.exclude(state=ApprovalRequest.State.APPROVED)
    return requests.select_related("decided_by").in_bulk(cancelled)


def _object(
    batch: Any, rows: Sequence[ProviderBatch], refused: ApprovalRequest | None
) -> dict[str, Any]:
    """Return a batch as the API shows it.

    The ids of its result files are there from the start, as clients of Doubleword read answers
    while a batch runs.
    """
    state = state_of(batch, rows)
    status = _status_of(state, rows)
    return {
        "id": batch_id(batch.pk),
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.first_model if batch.first_model == batch.last_model else None,
        "errors": _errors(refused, state, rows),
        "input_file_id": upload_id(batch.upload_id),
        "completion_window": batch.window,
        "status": status,
        "output_file_id": result_file_id(batch.pk, ResultChunk.Kind.OUTPUT),
        "error_file_id": result_file_id(batch.pk, ResultChunk.Kind.ERROR),
        **_times(batch, status, rows),
        "request_counts": _counts(batch, rows),
        "usage": _usage(batch) if batch.is_over else None,
        "metadata": _metadata(batch, state),
        "portal": {
            "state": state.code,
            "url": _url(batch),
            "name": batch.name,
            "estimated_cost_usd": _plain(batch.estimated_cost_usd),
            "cost_usd": _plain(_cost_of(batch)),
        },
    }


def analytics(batch: Batch) -> dict[str, Any]:
    """Return what the answers of a batch needed; a cost is absent as long as it is not known."""
    made: dict[str, Any] = {
        "total_requests": batch.succeeded,
        "total_prompt_tokens": batch.input_tokens,
        "total_completion_tokens": batch.output_tokens,
        "total_tokens": batch.input_tokens + batch.output_tokens,
    }
    costs = {"total_cost": _cost_of(batch), "total_list_cost": batch.billed_list_cost_usd}
    return made | {name: _plain(cost) for name, cost in costs.items() if cost is not None}


def _status_of(state: BatchState, rows: Sequence[ProviderBatch]) -> str:
    if state is states.ATTENTION and not any(row.remote_id for row in rows):
        return "validating"
    return STATUSES[state]


def _counts(batch: Batch, rows: Sequence[ProviderBatch]) -> dict[str, int]:
    """Count the stored results of a finished batch, else take the provider's counts."""
    completed, failed = batch.succeeded, batch.failed
    if not batch.is_over:
        completed = sum(row.completed for row in rows)
        failed = sum(row.failed for row in rows)
    return {"total": batch.requests, "completed": completed, "failed": failed}


def _usage(batch: Any) -> dict[str, Any]:
    return {
        "input_tokens": batch.input_tokens,
        "input_tokens_details": {"cached_tokens": batch.cached_tokens or 0},
        "output_tokens": batch.output_tokens,
        "total_tokens": batch.input_tokens + batch.output_tokens,
    }


def _times(batch: Batch, status: str, rows: Sequence[ProviderBatch]) -> dict[str, int | None]:
    sent = [row.submitted_at for row in rows if row.submitted_at]
    due = [row.expires_at for row in rows if row.expires_at]
    ended = [row.ended_at for row in rows if row.ended_at]
    has_ended = bool(ended) and len(ended) == len(rows)
    times: dict[str, datetime | None] = {
        "created_at": batch.created_at,
        "in_progress_at": min(sent, default=None),
        "expires_at": max(due, default=windows.due(batch.window, batch.created_at)),
        "finalizing_at": max(ended) if has_ended else None,
        "completed_at": batch.finished_at if status == "completed" else None,
        "failed_at": batch.finished_at if status == "failed" else None,
        "expired_at": None,
        "cancelling_at": batch.cancel_requested_at,
        "cancelled_at": batch.finished_at if status == "cancelled" else None,
    }
    return {name: unix_seconds(time) for name, time in times.items()}


def _errors(
    refused: ApprovalRequest | None, state: BatchState, rows: Sequence[ProviderBatch]
) -> Any:
    """Return why a batch stands still or was not approved; None for any other batch."""
    told: list[tuple[str, str]] = []
    if refused:
        told.append((f"approval_{refused.state}", decision_text(refused)))
    if state is states.ATTENTION:
        problems = [row.problem for row in rows if row.parked_reason and row.problem]
        told += [(problem.code, problem_text(problem)) for problem in problems]
    if not told:
        return None
    data = [
        {"code": code, "message": message, "line": None, "param": None}
        for code, message in dict.fromkeys(told)
    ]
    return {"object": "list", "data": data}


def _metadata(batch: Batch, state: BatchState) -> dict[str, str] | None:
    """Return the metadata as sent; of a batch that waits for a person, with why and where."""
    sent: dict[str, str] | None = batch.metadata
    if state not in TOLD_STATES:
        return sent
    told = {f"{RESERVED}status": state.code, f"{RESERVED}url": _url(batch)}
    return (sent or {}) | told


def _url(batch: Batch) -> str:
    return settings.PUBLIC_URL + reverse("batch_detail", args=[batch.pk])


def _cost_of(batch: Batch) -> Decimal | None:
    return batch.actual_cost_usd if batch.billed_cost_usd is None else batch.billed_cost_usd


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
