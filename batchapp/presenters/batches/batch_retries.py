"""A batch and its retries: the order of the attempts, their total cost and their answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import prefetch_related_objects

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Selection
from batchapp.models import Batch
from batchapp.models.batches import lineage
from batchapp.presenters.batches.batch_cost import NO_PRICE, Cost
from batchapp.presenters.batches.batch_summary import Summary, summarise
from batchapp.services.results import merge
from batchapp.templatetags.words import SMALLEST_IN_COLUMN, count, usd


@dataclass(frozen=True, slots=True)
class Attempt:
    """``label`` is "Original", "Retry 1" and so on."""

    summary: Summary
    label: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class BatchWithRetries:
    """``sentence`` says what the batch and its own retries answered; "" if it has no retries.

    ``gains`` say which retries gained nothing: the batch itself, and its newest one.
    """

    parent: Batch | None
    attempts: list[Attempt]
    cost: Cost
    sentence: str
    gains: list[str]

    @property
    def is_moving(self) -> bool:
        return any(attempt.summary.is_moving for attempt in self.attempts)


def batch_with_retries(batch: Batch) -> BatchWithRetries | None:
    """Return None for a batch that is no retry and has no retries."""
    batches = [batch if row.pk == batch.pk else row for row in lineage.batch_and_retries(batch)]
    if len(batches) == 1:
        return None
    prefetch_related_objects(batches, "provider_batches", "model_costs")
    labels = _labels(batches)
    return BatchWithRetries(
        parent=next(iter(lineage.ancestors(batch, batches)), None),
        attempts=[Attempt(summarise(row), labels[row.pk], row.pk == batch.pk) for row in batches],
        cost=_total_cost(batches),
        sentence=_sentence(batch, len(lineage.descendants(batch, batches))),
        gains=list(_gains(batch, batches)),
    )


def _gains(batch: Batch, batches: list[Batch]) -> Iterator[str]:
    own = [row for row in batches if row.parent_id == batch.pk and row.is_over]
    for retry in (batch, *own[-1:]):
        if text := no_gain_text(retry):
            yield text


def no_gain_text(retry: Batch) -> str:
    """Say that a retry gained nothing, and whether its errors are the same; "" if it did gain."""
    if not retry.is_over or retry.improved != 0:
        return ""
    requests, is_one = retry.requests, retry.requests == 1
    text = f"The retry of {count(requests, 'request')} gained nothing"
    again = "it failed again" if is_one else f"all {requests:,} failed again"
    if retry.repeated == requests:
        return f"{text}: {again} with the same error."
    if retry.failed == requests:
        return f"{text}: {again}."
    return f"{text}: {'it ended no' if is_one else 'none ended'} better than before."


@dataclass(frozen=True, slots=True)
class RetryPrice:
    """About what requests cost when they run again, and what ``figure`` is worked out from."""

    figure: str
    basis: str


def retry_price(batch: Batch, selection: Selection, number: int) -> RetryPrice | None:
    """Return about what ``number`` requests of ``batch`` cost; None if nothing is known of it."""
    amount = retry_amount(batch, selection, number)
    if amount is None:
        return None
    basis = "expected, at what a request of this batch costs"
    is_raised = selection.max_tokens_factor > 1 and Outcome.TRUNCATED in selection.outcomes
    if is_raised:
        basis = f"{basis}; more where answers get longer"
    if amount < SMALLEST_IN_COLUMN:
        return RetryPrice(f"<${SMALLEST_IN_COLUMN}", basis)
    return RetryPrice(f"~{usd(amount)}", basis)


def retry_amount(batch: Batch, selection: Selection, number: int) -> Decimal | None:
    """Return about how many USD ``number`` requests of ``batch`` cost, as its requests did."""
    total, requests = batch.estimated_cost_usd, batch.requests
    if batch.actual_cost_usd and batch.succeeded:
        total, requests = batch.actual_cost_usd, batch.succeeded
    return None if not total or selection.model else total / requests * number


def retry_labels(batch: Batch) -> dict[UUID, str]:
    """Map each retry of ``batch``, direct or not, to its name within a sentence."""
    batches = lineage.batch_and_retries(batch)
    labels = _labels(batches)
    return {row.pk: labels[row.pk].lower() for row in lineage.descendants(batch, batches)}


def _labels(batches: list[Batch]) -> dict[UUID, str]:
    """Name ``batches``, the oldest of which comes first."""
    numbered = enumerate(batches)
    return {row.pk: f"Retry {number}" if number else "Original" for number, row in numbered}


def _total_cost(batches: list[Batch]) -> Cost:
    """Add up the costs; ~ marks an estimate, ≥ a cost that is unknown in part."""
    known: list[Decimal] = []
    is_partial = False
    for batch in batches:
        for model_cost in batch.model_costs.all():
            cost = model_cost.cost_usd if batch.is_over else model_cost.estimated_cost_usd
            is_partial = is_partial or cost is None
            is_partial = is_partial or (batch.is_over and model_cost.answers_without_usage > 0)
            known += [] if cost is None else [cost]
    is_actual = all(batch.is_over for batch in batches)
    if not known:
        return Cost(NO_PRICE, is_actual=is_actual, is_partial=True, is_unknown=True)
    marks = f"{'≥ ' if is_partial else ''}{'' if is_actual else '~'}"
    text = f"{marks}{usd(sum(known, Decimal(0)))}"
    return Cost(text, is_actual=is_actual, is_partial=is_partial)


def _sentence(batch: Batch, retries: int) -> str:
    if not retries:
        return ""
    own = batch.usable
    if not batch.is_over:
        own = batch.results.filter(outcome=Outcome.OK).count()
    answered = own + merge.count_recovered(batch)
    with_retries = f"its {count(retries, 'retry,retries')}" if retries > 1 else "its retry"
    return f"{answered:,} of {batch.requests:,} answered with {with_retries}."
