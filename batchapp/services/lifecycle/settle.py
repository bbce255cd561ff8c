"""Settle a batch: give every request its outcome, and add up tokens and cost."""

from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from batchapp.domain.results import reconciliation
from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.domain.results.reconciliation import Counts
from batchapp.models import (
    Batch,
    Event,
    EventKind,
    ProviderBatch,
    Reservation,
    Result,
    ResultChunk,
)
from batchapp.models.fields.money_field import total_or_unknown
from batchapp.services.lifecycle.actual_cost import settle_costs
from batchapp.services.lifecycle.end_notice import record_end
from batchapp.services.lifecycle.retry_gain import gain_of

FOLLOW_UP_AFTER = timedelta(minutes=1)  # by then providers usually know what they billed


def settle(batch: Batch) -> None:
    """Give every request its outcome, add up tokens and cost, and close ``batch``.

    All is written or nothing. A batch that was retried in place is settled again, and overwrites
    what the first settling wrote. Late results and the billed cost are asked for a little later.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    with transaction.atomic():
        close_unanswered_requests(batch)
        counts = _count_outcomes(batch)
        status, now = _final_status(counts), timezone.now()
        discrepancy, gain = _discrepancy(batch), gain_of(batch)
        model_costs = settle_costs(batch, now if status == Batch.Status.COMPLETED else None)
        data = {
            "connection": batch.connection.name,
            "requests": batch.requests,
            "outcomes": {outcome.value: number for outcome, number in counts.items()},
            "discrepancy": discrepancy,
            "other_models": _count_other_models(batch),
        }
        Event.objects.create(batch=batch, kind=EventKind.FINISHED, data=data)
        was_sent = batch.provider_batches.exclude(remote_id="").exists()
        batch.move_to(
            status,
            finished_at=now,
            next_check_at=now + FOLLOW_UP_AFTER if was_sent else None,
            succeeded=sum(counts.get(outcome, 0) for outcome in SUCCEEDED),
            usable=counts.get(Outcome.OK, 0),
            failed=sum(counts.get(outcome, 0) for outcome in FAILED),
            cancelled=counts.get(Outcome.CANCELLED, 0),
            missing=counts.get(Outcome.MISSING, 0),
            improved=gain.improved if gain else None,
            repeated=gain.repeated if gain else None,
            discrepancy=discrepancy,
            input_tokens=sum(model_cost.input_tokens for model_cost in model_costs),
            output_tokens=sum(model_cost.output_tokens for model_cost in model_costs),
            actual_cost_usd=total_or_unknown([model_cost.cost_usd for model_cost in model_costs]),
        )
        Reservation.objects.settle(batch, model_costs)
        record_end(batch, model_costs)


def close_unanswered_requests(batch: Batch) -> None:
    """Set each request without an answer to cancelled, expired or missing."""
    by_outcome: defaultdict[Outcome, list[UUID]] = defaultdict(list)
    for provider_batch in batch.provider_batches.all():
        by_outcome[_outcome_without_answer(provider_batch)].append(provider_batch.pk)
    unanswered = Result.objects.filter(batch=batch).unanswered()
    for outcome, pks in by_outcome.items():
        # A join would be planned by the database's statistics, which do not know rows that were
        # written just now: PostgreSQL has compared each of 50,000 results with each other.
        unanswered.filter(provider_batch__in=pks).update(outcome=outcome)


def _outcome_without_answer(provider_batch: ProviderBatch) -> Outcome:
    """Return how a request ended that the provider batch has no result line for."""
    is_cancelled = provider_batch.status == ProviderBatch.Status.CANCELLED
    if is_cancelled or provider_batch.remote_status == "cancelled":
        return Outcome.CANCELLED
    return Outcome.EXPIRED if provider_batch.remote_status == "expired" else Outcome.MISSING


def _count_outcomes(batch: Batch) -> dict[Outcome, int]:
    """Count the requests that were to be sent by outcome.

    A provider batch that was cancelled before it was prepared has no results; its requests count
    as cancelled all the same.
    """
    rows = batch.results.sent().order_by().values_list("outcome").annotate(Count("pk"))
    counts = {Outcome(outcome): number for outcome, number in rows}
    if unprepared := batch.requests - sum(counts.values()):
        counts[Outcome.CANCELLED] = counts.get(Outcome.CANCELLED, 0) + unprepared
    return counts


def _discrepancy(batch: Batch) -> list[dict[str, Any]]:
    """Return the counts of each provider batch whose provider and results differ.

    ``provider_batch`` is its number, None if the batch has only one. ``files`` are the results by
    the file that they came in, ``outcomes`` the same results by their outcome.
    """
    counts = _count_returned_results(batch)
    provider_batches = list(batch.provider_batches.exclude(remote_id=""))
    discrepancy = []
    for provider_batch in provider_batches:
        by_file, by_outcome = _counts_of(counts.get(provider_batch.pk, []))
        reported = Counts(provider_batch.completed, provider_batch.failed)
        disagreement = reconciliation.find_disagreement(
            reported,
            by_file,
            by_outcome,
            provider_batch.total,
            is_incomplete=provider_batch.status == ProviderBatch.Status.CANCELLED
            or provider_batch.remote_status in ProviderBatch.INCOMPLETE_ENDS,
        )
        if disagreement:
            discrepancy.append(
                {
                    "provider_batch": provider_batch.number if len(provider_batches) > 1 else None,
                    "requests": provider_batch.total,
                    "provider": {"completed": reported.good, "failed": reported.bad},
                    "files": {"answers": by_file.good, "errors": by_file.bad},
                    "outcomes": {"answered": by_outcome.good, "failed": by_outcome.bad},
                    "results_differ": disagreement.in_results,
                    "requests_differ": disagreement.in_requests,
                }
            )
    return discrepancy


def _counts_of(rows: list[tuple[str, str, int]]) -> tuple[Counts, Counts]:
    """Return the counts by file and by outcome."""
    by_file, by_outcome = {True: 0, False: 0}, {True: 0, False: 0}
    for outcome, kind, number in rows:
        by_file[kind == ResultChunk.Kind.OUTPUT] += number
        by_outcome[outcome in SUCCEEDED] += number
    return Counts(by_file[True], by_file[False]), Counts(by_outcome[True], by_outcome[False])


def _count_returned_results(batch: Batch) -> dict[UUID, list[tuple[str, str, int]]]:
    """Return, by provider batch, rows of (outcome, kind of the file, number of results)."""
    rows = (
        batch.results.exclude(result_chunk=None)
        .order_by()
        .values_list("provider_batch", "outcome", "result_chunk__kind")
        .annotate(Count("pk"))
    )
    counts: dict[UUID, list[tuple[str, str, int]]] = {}
    for pk, outcome, kind, number in rows:
        counts.setdefault(pk, []).append((outcome, kind, number))
    return counts


def _count_other_models(batch: Batch) -> int:
    """Count the answers that name another model than their requests."""
    rows = batch.results.exclude(answer_model="").exclude(answer_model=F("model")).order_by()
    return sum(
        number
        for requested, answered, number in rows.values_list("model", "answer_model")
        .annotate(Count("pk"))
        .iterator()
        if not reconciliation.is_same_model(requested, answered)
    )


def _final_status(counts: dict[Outcome, int]) -> Batch.Status:
    if counts.get(Outcome.CANCELLED):
        return Batch.Status.CANCELLED
    if any(counts.get(outcome) for outcome in SUCCEEDED):
        return Batch.Status.COMPLETED
    return Batch.Status.FAILED
