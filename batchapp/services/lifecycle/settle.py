"""The seventh room: every request is accounted for, and the bill is drawn up."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from batchapp.domain.money.unit_prices import cost
from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.domain.results.reconciliation import Counts, disagreement, is_same_model, proof
from batchapp.models import Batch, Event, ModelCost, ProviderBatch, Result, ResultChunk
from batchapp.models.fields.money_field import rounded

NOTHING_USED = {"input": 0, "output": 0, "answers": 0, "silent": 0}

BROKEN_OFF = {"cancelled", "expired"}
"""What a provider calls a batch of which it leaves requests undone."""

MOST_TOLD = 5
"""Parts whose counts are told one by one."""

LOOK_BACK_AFTER = timedelta(minutes=1)
"""By then a provider that says what it billed has most often added it up."""


def settle(batch: Batch) -> None:
    """Give every request its outcome, add up tokens and cost, and close ``batch``.

    All of it or nothing is written. What lands late, and what the provider billed, is asked for a
    little later. A batch that was reopened is settled anew: what was written the last time is
    written over.

    Raises:
        StaleRow: another worker has it now; nothing was written.
    """
    with transaction.atomic():
        _close_what_is_open(batch)
        counts = _counts(batch)
        verdict, now = _verdict(counts), timezone.now()
        discrepancy = _discrepancy(batch)
        model_costs = _bill(batch, now if verdict == Batch.Status.COMPLETED else None)
        said = [f"Finished: {proof(counts, batch.requests)}.", discrepancy, _other_models(batch)]
        Event.objects.create(batch=batch, text=" ".join(filter(None, said)))
        batch.move_to(
            verdict,
            finished_at=now,
            next_check_at=now + LOOK_BACK_AFTER if _was_sent(batch) else None,
            succeeded=sum(counts.get(outcome, 0) for outcome in SUCCEEDED),
            failed=sum(counts.get(outcome, 0) for outcome in FAILED),
            cancelled=counts.get(Outcome.CANCELLED, 0),
            missing=counts.get(Outcome.MISSING, 0),
            discrepancy=discrepancy,
            input_tokens=sum(model_cost.input_tokens for model_cost in model_costs),
            output_tokens=sum(model_cost.output_tokens for model_cost in model_costs),
            actual_cost_usd=_total(model_costs),
        )


def _was_sent(batch: Batch) -> bool:
    return batch.provider_batches.exclude(remote_id="").exists()


def _close_what_is_open(batch: Batch) -> None:
    """A request without an answer was cancelled or expired with its part, or is missing.

    A part that could not be prepared and was cancelled has no ledger: its requests are counted as
    cancelled all the same.
    """
    cancelled = Q(provider_batch__status=ProviderBatch.Status.CANCELLED) | Q(
        provider_batch__remote_status="cancelled"
    )
    expired = Q(provider_batch__remote_status="expired")
    of_batch = Result.objects.filter(batch=batch)
    for which, outcome in [
        (cancelled, Outcome.CANCELLED),
        (expired & ~cancelled, Outcome.EXPIRED),
        (~expired & ~cancelled, Outcome.MISSING),
    ]:
        ids = of_batch.unanswered().filter(which).values("pk")
        of_batch.filter(pk__in=ids).update(outcome=outcome)


def _counts(batch: Batch) -> dict[Outcome, int]:
    rows = batch.results.order_by().values_list("outcome").annotate(Count("pk"))
    counts = {Outcome(outcome): number for outcome, number in rows}
    if unwritten := batch.requests - sum(counts.values()):
        counts[Outcome.CANCELLED] = counts.get(Outcome.CANCELLED, 0) + unwritten
    return counts


def _discrepancy(batch: Batch) -> str:
    """Where the provider's counts and the results disagree, part by part; "" if nowhere."""
    found = _found(batch)
    provider_batches = list(batch.provider_batches.exclude(remote_id=""))
    told = []
    for provider_batch in provider_batches:
        connection = str(batch.connection)
        who = (
            connection
            if len(provider_batches) == 1
            else f"In part {provider_batch.number}, {connection}"
        )
        if sentence := _disagreement(who, provider_batch, found.get(provider_batch.pk, [])):
            told.append(sentence)
    rest = len(told) - MOST_TOLD
    return " ".join(told[:MOST_TOLD] + [f"So it is in {rest:,} more parts."] * (rest > 0))


def _disagreement(
    who: str, provider_batch: ProviderBatch, rows: list[tuple[str, str, int]]
) -> str:
    by_file, by_outcome = {True: 0, False: 0}, {True: 0, False: 0}
    for outcome, kind, number in rows:
        by_file[kind == ResultChunk.Kind.OUTPUT] += number
        by_outcome[outcome in SUCCEEDED] += number
    was_cancelled = provider_batch.status == ProviderBatch.Status.CANCELLED
    return disagreement(
        who,
        Counts(provider_batch.completed, provider_batch.failed),
        Counts(by_file[True], by_file[False]),
        Counts(by_outcome[True], by_outcome[False]),
        provider_batch.total,
        is_broken_off=was_cancelled or provider_batch.remote_status in BROKEN_OFF,
    )


def _found(batch: Batch) -> dict[UUID, list[tuple[str, str, int]]]:
    """By part: outcome, kind of the file and number of the results that came back."""
    rows = (
        batch.results.exclude(result_chunk=None)
        .order_by()
        .values_list("provider_batch", "outcome", "result_chunk__kind")
        .annotate(Count("pk"))
    )
    found: dict[UUID, list[tuple[str, str, int]]] = {}
    for provider_batch, outcome, kind, number in rows:
        found.setdefault(provider_batch, []).append((outcome, kind, number))
    return found


def _other_models(batch: Batch) -> str:
    """How many answers name another model than their requests, in words."""
    rows = batch.results.exclude(answer_model="").exclude(answer_model=F("model")).order_by()
    number = sum(
        number
        for asked, answered, number in rows.values_list("model", "answer_model")
        .annotate(Count("pk"))
        .iterator()
        if not is_same_model(asked, answered)
    )
    if not number:
        return ""
    answers = "1 answer names" if number == 1 else f"{number:,} answers name"
    return f"{answers} another model than was asked for."


def _verdict(counts: dict[Outcome, int]) -> Batch.Status:
    if counts.get(Outcome.CANCELLED):
        return Batch.Status.CANCELLED
    if any(counts.get(outcome) for outcome in SUCCEEDED):
        return Batch.Status.COMPLETED
    return Batch.Status.FAILED


def _bill(batch: Batch, completed_at: datetime | None) -> list[ModelCost]:
    """Fill in the charges.

    ``completed_at`` is None for a batch that was broken off. Nobody learns from it, since short
    answers are the first to be done.
    """
    used = {
        row["model"]: row
        for row in batch.results.filter(outcome__in=SUCCEEDED)
        .order_by()
        .values("model")
        .annotate(
            input=Sum("input_tokens", default=0),
            output=Sum("output_tokens", default=0),
            answers=Count("pk"),
            silent=Count("pk", filter=Q(input_tokens=None) | Q(output_tokens=None)),
        )
    }
    model_costs = list(batch.model_costs.all())
    for model_cost in model_costs:
        row = used.get(model_cost.model, NOTHING_USED)
        model_cost.input_tokens, model_cost.output_tokens = row["input"], row["output"]
        model_cost.answers, model_cost.answers_without_usage = row["answers"], row["silent"]
        model_cost.measured_at = completed_at if row["answers"] > row["silent"] else None
        if price := model_cost.unit_price:
            model_cost.cost_usd = rounded(cost(row["input"], row["output"], price))
        if price := model_cost.realtime_price:
            model_cost.realtime_cost_usd = rounded(cost(row["input"], row["output"], price))
    ModelCost.objects.bulk_update(
        model_costs,
        [
            "input_tokens",
            "output_tokens",
            "answers",
            "answers_without_usage",
            "measured_at",
            "cost_usd",
            "realtime_cost_usd",
        ],
    )
    return model_costs


def _total(model_costs: list[ModelCost]) -> Decimal | None:
    """Return the sum, or None while a model that was used has no price: unknown is not free."""
    costs = [model_cost.cost_usd for model_cost in model_costs]
    known = [each for each in costs if each is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None
