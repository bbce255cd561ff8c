"""Settle a batch: give every request its outcome, and add up tokens and cost."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from batchapp.domain.results import reconciliation
from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.domain.results.reconciliation import Counts
from batchapp.models import Batch, Event, ProviderBatch, Result, ResultChunk
from batchapp.models.fields.money_field import total_or_unknown
from batchapp.services.lifecycle.actual_cost import settle_costs

MAX_DISCREPANCIES = 5  # provider batches whose counts are described one by one
FOLLOW_UP_AFTER = timedelta(minutes=1)  # by then providers usually know what they billed


def settle(batch: Batch) -> None:
    """Give every request its outcome, add up tokens and cost, and close ``batch``.

    All is written or nothing. A batch that was retried in place is settled again, and overwrites
    what the first settling wrote. Late results and the billed cost are asked for a little later.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    with transaction.atomic():
        _close_unanswered_requests(batch)
        counts = _count_outcomes(batch)
        status, now = _final_status(counts), timezone.now()
        discrepancy = _discrepancy(batch)
        model_costs = settle_costs(batch, now if status == Batch.Status.COMPLETED else None)
        accounting = f"Finished: {reconciliation.accounting_text(counts, batch.requests)}."
        sentences = filter(None, [accounting, discrepancy, _other_models(batch)])
        Event.objects.create(batch=batch, text=" ".join(sentences))
        was_sent = batch.provider_batches.exclude(remote_id="").exists()
        batch.move_to(
            status,
            finished_at=now,
            next_check_at=now + FOLLOW_UP_AFTER if was_sent else None,
            succeeded=sum(counts.get(outcome, 0) for outcome in SUCCEEDED),
            failed=sum(counts.get(outcome, 0) for outcome in FAILED),
            cancelled=counts.get(Outcome.CANCELLED, 0),
            missing=counts.get(Outcome.MISSING, 0),
            discrepancy=discrepancy,
            input_tokens=sum(model_cost.input_tokens for model_cost in model_costs),
            output_tokens=sum(model_cost.output_tokens for model_cost in model_costs),
            actual_cost_usd=total_or_unknown([model_cost.cost_usd for model_cost in model_costs]),
        )


def _close_unanswered_requests(batch: Batch) -> None:
    """Set each request without an answer to cancelled, expired or missing."""
    cancelled = Q(provider_batch__status=ProviderBatch.Status.CANCELLED) | Q(
        provider_batch__remote_status="cancelled"
    )
    expired = Q(provider_batch__remote_status="expired")
    results = Result.objects.filter(batch=batch)
    for condition, outcome in [
        (cancelled, Outcome.CANCELLED),
        (expired & ~cancelled, Outcome.EXPIRED),
        (~expired & ~cancelled, Outcome.MISSING),
    ]:
        pks = results.unanswered().filter(condition).values("pk")
        results.filter(pk__in=pks).update(outcome=outcome)


def _count_outcomes(batch: Batch) -> dict[Outcome, int]:
    """Count the requests by outcome.

    A provider batch that was cancelled before it was prepared has no results; its requests count
    as cancelled all the same.
    """
    rows = batch.results.order_by().values_list("outcome").annotate(Count("pk"))
    counts = {Outcome(outcome): number for outcome, number in rows}
    if unprepared := batch.requests - sum(counts.values()):
        counts[Outcome.CANCELLED] = counts.get(Outcome.CANCELLED, 0) + unprepared
    return counts


def _discrepancy(batch: Batch) -> str:
    """Describe where the counts of the provider and the results differ; "" if nowhere."""
    counts = _count_returned_results(batch)
    provider_batches = list(batch.provider_batches.exclude(remote_id=""))
    sentences = []
    for provider_batch in provider_batches:
        who = str(batch.connection)
        if len(provider_batches) > 1:
            who = f"In provider batch {provider_batch.number}, {who}"
        if sentence := _disagreement(who, provider_batch, counts.get(provider_batch.pk, [])):
            sentences.append(sentence)
    more = len(sentences) - MAX_DISCREPANCIES
    if more > 0:
        sentences[MAX_DISCREPANCIES:] = [f"{more:,} more provider batches differ as well."]
    return " ".join(sentences)


def _disagreement(
    who: str, provider_batch: ProviderBatch, rows: list[tuple[str, str, int]]
) -> str:
    by_file, by_outcome = {True: 0, False: 0}, {True: 0, False: 0}
    for outcome, kind, number in rows:
        by_file[kind == ResultChunk.Kind.OUTPUT] += number
        by_outcome[outcome in SUCCEEDED] += number
    was_cancelled = provider_batch.status == ProviderBatch.Status.CANCELLED
    return reconciliation.counts_disagreement(
        who,
        Counts(provider_batch.completed, provider_batch.failed),
        Counts(by_file[True], by_file[False]),
        Counts(by_outcome[True], by_outcome[False]),
        provider_batch.total,
        is_incomplete=was_cancelled
        or provider_batch.remote_status in ProviderBatch.INCOMPLETE_ENDS,
    )


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


def _other_models(batch: Batch) -> str:
    """Say how many answers name another model than their requests; "" if none."""
    rows = batch.results.exclude(answer_model="").exclude(answer_model=F("model")).order_by()
    number = sum(
        number
        for requested, answered, number in rows.values_list("model", "answer_model")
        .annotate(Count("pk"))
        .iterator()
        if not reconciliation.is_same_model(requested, answered)
    )
    if not number:
        return ""
    answers = "1 answer names" if number == 1 else f"{number:,} answers name"
    return f"{answers} another model than was asked for."


def _final_status(counts: dict[Outcome, int]) -> Batch.Status:
    if counts.get(Outcome.CANCELLED):
        return Batch.Status.CANCELLED
    if any(counts.get(outcome) for outcome in SUCCEEDED):
        return Batch.Status.COMPLETED
    return Batch.Status.FAILED
