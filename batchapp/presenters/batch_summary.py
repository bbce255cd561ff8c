"""A batch in the words of the pages: status, progress, cost. The only place that decides them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.progress import Left
from batchapp.models import Batch, Charge, Part
from batchapp.presenters.batch_alerts import Alert, alerts_of, lateness_of, left_of, silence_of
from batchapp.presenters.batch_status import Status, status_of
from batchapp.templatetags.words import ago_or_in, count, usd

NO_PRICE = "no price"

TAKES_TURNS = {Part.Status.WAITING, Part.Status.REOPENING}


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
    parts: list[Part]
    status: Status
    progress: Progress
    cost: Cost
    is_late: bool
    models: list[str]
    took: timedelta | None
    left: Left | None = None
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
        return not self.parts or any(part.status not in Part.STOPPED for part in self.parts)

    @property
    def is_divided(self) -> bool:
        """Whether the provider has it as several batches."""
        return len(self.parts) > 1

    @property
    def can_be_cancelled(self) -> bool:
        if self.batch.status != Batch.Status.RUNNING:
            return False
        is_asked = self.batch.cancel_requested_at is not None
        return not is_asked or any(part.runs_regardless for part in self.parts)

    @property
    def troubles(self) -> list[str]:
        """Sentences, each once; a batch that is over has none."""
        if self.batch.is_over:
            return []
        found = _troubles(self.parts)
        if late := lateness_of(self.batch, self.parts):
            return [late, *found]
        silence = silence_of(self.batch.connection)
        return found or [text for text in [silence] if text]

    @property
    def is_in_line(self) -> bool:
        """Whether all that holds it up is that others are before it, which is nobody's fault."""
        troubled = [part for part in self.parts if part.trouble]
        if not troubled or lateness_of(self.batch, self.parts):
            return False
        return all(
            part.status in TAKES_TURNS and not part.failures and part.is_idle for part in troubled
        )


def with_details(batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
    """What a summary is made from, in three queries however many batches there are."""
    rows = batches.select_related("project", "connection", "created_by")
    return rows.prefetch_related("parts", "charges")


def summarise(batch: Batch) -> Summary:
    parts = list(batch.parts.all())
    now = timezone.now()
    progress = _progress(batch, parts)
    return Summary(
        batch=batch,
        parts=parts,
        status=status_of(batch, parts),
        progress=progress,
        cost=_cost(batch),
        is_late=any(
            part.expires_at is not None and part.expires_at < (part.ended_at or now)
            for part in parts
        ),
        models=[charge.model for charge in sorted(batch.charges.all(), key=_by_requests)],
        took=_took(batch, now),
        left=left_of(parts),
        alerts=alerts_of(batch, parts),
    )


def _troubles(parts: list[Part]) -> list[str]:
    """Whatever a person has to see to, and the first of what goes away by itself."""
    troubled = [part for part in parts if part.trouble]
    for_people = [part for part in troubled if part.status == Part.Status.NEEDS_ATTENTION]
    others = [part for part in troubled if part.status != Part.Status.NEEDS_ATTENTION]
    sentences = [_with_next_try(part) for part in others[:1]]
    return list(dict.fromkeys([*sentences, *(part.trouble for part in for_people)]))


def _with_next_try(part: Part) -> str:
    at = part.next_check_at
    if part.status != Part.Status.WAITING or not part.failures or not at or at <= timezone.now():
        return part.trouble
    return f"{part.trouble} Next try {ago_or_in(at)}."


def _by_requests(charge: Charge) -> int:
    return -charge.requests


def _took(batch: Batch, now: datetime) -> timedelta | None:
    """How long it took, or takes so far; of a batch whose end nobody wrote down, nothing."""
    end = batch.finished_at if batch.is_over else now
    return end - batch.created_at if end else None


def _progress(batch: Batch, parts: list[Part]) -> Progress:
    """By our own ledger when it is over; until then by the provider's counts, which may fall."""
    if batch.is_over:
        answered, failed = batch.succeeded, batch.failed
    else:
        answered = sum(part.completed for part in parts)
        failed = sum(part.failed for part in parts)
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
    charges = list(batch.charges.all())
    is_actual = batch.is_over
    whole = batch.actual_cost_usd if is_actual else batch.estimated_cost_usd
    if whole is not None:
        if not is_actual:
            return Cost(f"~{usd(whole)}", is_actual=False)
        is_floor = any(charge.answers_without_usage for charge in charges)
        return Cost(f"{'≥ ' if is_floor else ''}{usd(whole)}", is_actual=True, is_partial=is_floor)
    costs = [charge.cost_usd if is_actual else charge.estimated_cost_usd for charge in charges]
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
