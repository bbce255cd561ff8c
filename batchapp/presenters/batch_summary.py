"""A batch in the words of the pages: status, progress, cost. The only place that decides them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.progress import TimeLeft
from batchapp.models import Batch, ModelCost, ProviderBatch
from batchapp.presenters.batch_alerts import Alert, alerts_of, lateness_of, left_of, silence_of
from batchapp.presenters.batch_status import Status, status_of
from batchapp.templatetags.words import ago_or_in, count, usd

NO_PRICE = "no price"

TAKES_TURNS = {ProviderBatch.Status.WAITING, ProviderBatch.Status.RETRYING_IN_PLACE}


@dataclass(frozen=True, slots=True)
class Progress:
    """Requests that have an end, of all; ``percent`` is 100 only when none is left open."""

    total: int
    answered: int
    failed: int
    percent: int
    cancelled: int = 0

    @property
    def done(self) -> int:
        return self.answered + self.failed

    @property
    def failed_share(self) -> int:
        """In percent of the bar: few failures among many requests are still seen."""
        if not self.failed or not self.total:
            return 0
        return min(100, max(2, 100 * self.failed // self.total))

    @property
    def answered_share(self) -> int:
        """It takes what rounding leaves over when all have ended: a full bar has no gap."""
        rest = 100 - self.failed_share
        if self.total and self.done >= self.total:
            return rest
        return min(100 * self.answered // self.total if self.total else 0, rest)

    @property
    def cancelled_share(self) -> int:
        """The rest of the bar, as far as it was cancelled."""
        rest = 100 - self.failed_share - self.answered_share
        if self.cancelled and self.done + self.cancelled >= self.total:
            return rest
        return min(100 * self.cancelled // self.total if self.total else 0, rest)

    @property
    def cancelled_at(self) -> int:
        return self.answered_share + self.failed_share


@dataclass(frozen=True, slots=True)
class Cost:
    text: str
    is_actual: bool
    is_partial: bool = False

    @property
    def is_unknown(self) -> bool:
        return self.text == NO_PRICE


@dataclass(frozen=True, slots=True)
class Summary:
    """What lists and the batch's own page show; made from a batch of ``with_details``."""

    batch: Batch
    provider_batches: list[ProviderBatch]
    status: Status
    progress: Progress
    cost: Cost
    is_late: bool
    models: list[str]
    took: timedelta | None
    left: TimeLeft | None = None
    alerts: tuple[Alert, ...] = ()

    @property
    def pill(self) -> Alert | None:
        """The most urgent alert that lists have room for."""
        return next((alert for alert in self.alerts if alert.label), None)

    @property
    def is_moving(self) -> bool:
        """Whether a page that shows it should look again soon."""
        if self.batch.is_over:
            return False
        return not self.provider_batches or any(
            provider_batch.status not in ProviderBatch.STOPPED
            for provider_batch in self.provider_batches
        )

    @property
    def is_split(self) -> bool:
        """Whether the provider has it as several batches."""
        return len(self.provider_batches) > 1

    @property
    def can_be_cancelled(self) -> bool:
        if self.batch.status != Batch.Status.RUNNING:
            return False
        is_asked = self.batch.cancel_requested_at is not None
        return not is_asked or any(
            provider_batch.ignores_cancel for provider_batch in self.provider_batches
        )

    @property
    def troubles(self) -> list[str]:
        """Sentences, each once; a batch that is over has none."""
        if self.batch.is_over:
            return []
        found = _troubles(self.provider_batches)
        if late := lateness_of(self.batch, self.provider_batches):
            return [late, *found]
        silence = silence_of(self.batch.connection)
        return found or [text for text in [silence] if text]

    @property
    def is_in_line(self) -> bool:
        """Whether all that holds it up is that others are before it, which is nobody's fault."""
        troubled = [
            provider_batch for provider_batch in self.provider_batches if provider_batch.trouble
        ]
        if not troubled or lateness_of(self.batch, self.provider_batches):
            return False
        return all(
            provider_batch.status in TAKES_TURNS
            and not provider_batch.failures
            and provider_batch.is_not_at_provider
            for provider_batch in troubled
        )


def with_details(batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
    """What a summary is made from, in three queries however many batches there are."""
    rows = batches.select_related("project", "connection", "created_by")
    return rows.prefetch_related("provider_batches", "model_costs")


def summarise(batch: Batch) -> Summary:
    provider_batches = list(batch.provider_batches.all())
    now = timezone.now()
    progress = _progress(batch, provider_batches)
    return Summary(
        batch=batch,
        provider_batches=provider_batches,
        status=status_of(batch, provider_batches),
        progress=progress,
        cost=_cost(batch),
        is_late=any(
            provider_batch.expires_at is not None
            and provider_batch.expires_at < (provider_batch.ended_at or now)
            for provider_batch in provider_batches
        ),
        models=[
            model_cost.model for model_cost in sorted(batch.model_costs.all(), key=_by_requests)
        ],
        took=_took(batch, now),
        left=left_of(provider_batches),
        alerts=alerts_of(batch, provider_batches),
    )


def _troubles(provider_batches: list[ProviderBatch]) -> list[str]:
    """Whatever a person has to see to, and the first of what goes away by itself."""
    troubled = [provider_batch for provider_batch in provider_batches if provider_batch.trouble]
    for_people = [
        provider_batch
        for provider_batch in troubled
        if provider_batch.status == ProviderBatch.Status.NEEDS_ATTENTION
    ]
    others = [
        provider_batch
        for provider_batch in troubled
        if provider_batch.status != ProviderBatch.Status.NEEDS_ATTENTION
    ]
    sentences = [_with_next_try(provider_batch) for provider_batch in others[:1]]
    return list(
        dict.fromkeys([*sentences, *(provider_batch.trouble for provider_batch in for_people)])
    )


def _with_next_try(provider_batch: ProviderBatch) -> str:
    at = provider_batch.next_check_at
    if (
        provider_batch.status != ProviderBatch.Status.WAITING
        or not provider_batch.failures
        or not at
        or at <= timezone.now()
    ):
        return provider_batch.trouble
    return f"{provider_batch.trouble} Next try {ago_or_in(at)}."


def _by_requests(model_cost: ModelCost) -> int:
    return -model_cost.requests


def _took(batch: Batch, now: datetime) -> timedelta | None:
    """How long it took, or takes so far; of a batch whose end nobody wrote down, nothing."""
    end = batch.finished_at if batch.is_over else now
    return end - batch.created_at if end else None


def _progress(batch: Batch, provider_batches: list[ProviderBatch]) -> Progress:
    """By our own ledger when it is over; until then by the provider's counts, which may fall."""
    if batch.is_over:
        answered, failed = batch.succeeded, batch.failed
    else:
        answered = sum(provider_batch.completed for provider_batch in provider_batches)
        failed = sum(provider_batch.failed for provider_batch in provider_batches)
    total = batch.requests
    percent = 100 * (answered + failed) // total if total else 0
    return Progress(
        total=total,
        answered=answered,
        failed=failed,
        percent=100 if batch.is_accounted_for else min(percent, 99),
        cancelled=batch.cancelled if batch.is_over else 0,
    )


def _cost(batch: Batch) -> Cost:
    """What it cost once that is known, until then the estimate; unknown is never zero."""
    model_costs = list(batch.model_costs.all())
    is_actual = batch.is_over
    whole = batch.actual_cost_usd if is_actual else batch.estimated_cost_usd
    if whole is not None:
        if not is_actual:
            return Cost(f"~{usd(whole)}", is_actual=False)
        is_floor = any(model_cost.answers_without_usage for model_cost in model_costs)
        return Cost(f"{'≥ ' if is_floor else ''}{usd(whole)}", is_actual=True, is_partial=is_floor)
    costs = [
        model_cost.cost_usd if is_actual else model_cost.estimated_cost_usd
        for model_cost in model_costs
    ]
    return Cost(partial(costs), is_actual=is_actual, is_partial=True)


def partial(costs: list[Decimal | None]) -> str:
    """A sum of which some terms are unknown, with what is missing from it."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return NO_PRICE
    if len(known) == len(costs):
        return usd(sum(known, Decimal(0)))
    return at_least(sum(known, Decimal(0)), len(costs) - len(known))


def at_least(known: Decimal, unpriced: int) -> str:
    return f"≥ {usd(known)} + {count(unpriced, 'model')} without a price"
