"""A batch in the words of the pages: status, progress, cost. The only place that decides them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.pace import remaining
from batchapp.models import Batch, Charge, Part
from batchapp.templatetags.words import ago_or_in, count, roughly, usd

NO_PRICE = "no price"
LATE_LOOK = timedelta(minutes=5)
"""After which nobody should wonder alone why nothing moves."""

NOT_YET_SENT = {Part.Status.PREPARING, Part.Status.WAITING}


@dataclass(frozen=True, slots=True)
class Status:
    """``tone`` is a colour and ``icon`` a picture of the style sheet; ``label`` says the same."""

    label: str
    tone: str
    icon: str


QUEUED = Status("Queued", "quiet", "clock")
WAITING = Status("Waiting to submit", "quiet", "clock")
RUNNING = Status("Running", "busy", "play")
FETCHING = Status("Fetching results", "busy", "down")
ADDING_UP = Status("Adding up", "busy", "sum")
PAUSING = Status("Pausing", "warn", "pause")
PAUSED = Status("Paused", "quiet", "pause")
CANCELLING = Status("Cancelling", "warn", "stop")
ATTENTION = Status("Needs attention", "alarm", "alert")
COMPLETED = Status("Completed", "good", "check")
WITH_ERRORS = Status("Completed with errors", "warn", "alert")
FAILED = Status("Failed", "bad", "cross")
CANCELLED = Status("Cancelled", "quiet", "stop")


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
        share = 100 * self.answered // self.total if self.total else 0
        return min(share, 100 - self.failed_share)

    @property
    def cancelled_share(self) -> int:
        """The rest of the bar, as far as it was cancelled."""
        share = 100 * self.cancelled // self.total if self.total else 0
        return min(share, 100 - self.failed_share - self.answered_share)

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
    left: timedelta | None = None

    @property
    def is_moving(self) -> bool:
        """Whether a page that shows it should look again soon."""
        if self.batch.is_over:
            return False
        return not self.parts or any(part.status not in Part.STOPPED for part in self.parts)

    @property
    def can_be_cancelled(self) -> bool:
        running = self.batch.status == Batch.Status.RUNNING
        return running and not self.batch.cancel_requested_at

    @property
    def troubles(self) -> list[str]:
        """Sentences, each once; a batch that is over has none."""
        if self.batch.is_over:
            return []
        found = dict.fromkeys(part.trouble for part in self.parts if part.trouble)
        return list(found) or [text for text in [self.silence] if text]

    @property
    def silence(self) -> str:
        """Whose fault it is that nothing is heard: the provider's, or the portal's own."""
        connection, now = self.batch.connection, timezone.now()
        if connection.resting_until and connection.down_since:
            return (
                f"{connection} has not answered for {roughly(now - connection.down_since)}. The "
                "portal keeps trying; nothing is lost."
            )
        latest = now - max(LATE_LOOK, 2 * connection.patience)
        running = [part for part in self.parts if part.status == Part.Status.RUNNING]
        looked = [at for part in running if (at := part.polled_at or part.submitted_at)]
        if looked and max(looked) < latest:
            return (
                f"The portal last looked {ago_or_in(max(looked))}: it is late, not "
                f"{connection}. If this stays, tell the operator that no worker runs."
            )
        return ""


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
        status=_status(batch, parts),
        progress=progress,
        cost=_cost(batch),
        is_late=any(
            part.expires_at is not None and part.expires_at < (part.ended_at or now)
            for part in parts
        ),
        models=[charge.model for charge in sorted(batch.charges.all(), key=_by_requests)],
        took=_took(batch, now),
        left=_left(parts, progress),
    )


def _by_requests(charge: Charge) -> int:
    return -charge.requests


def _took(batch: Batch, now: datetime) -> timedelta | None:
    """How long it took, or takes so far; of a batch whose end nobody wrote down, nothing."""
    end = batch.finished_at if batch.is_over else now
    return end - batch.created_at if end else None


def _left(parts: list[Part], progress: Progress) -> timedelta | None:
    """By the pace since the first part was accepted; only while the provider works on all."""
    if not parts or any(part.status != Part.Status.RUNNING or part.ended_at for part in parts):
        return None
    begun = min((part.submitted_at for part in parts if part.submitted_at), default=None)
    seen = max((part.polled_at for part in parts if part.polled_at), default=None)
    if begun is None or seen is None:
        return None
    return remaining(progress.done, progress.total, seen - begun)


ENDINGS = {
    Batch.Status.SETTLING: ADDING_UP,
    Batch.Status.FAILED: FAILED,
    Batch.Status.CANCELLED: CANCELLED,
}


def _status(batch: Batch, parts: list[Part]) -> Status:
    if batch.status == Batch.Status.COMPLETED:
        return WITH_ERRORS if batch.failed or batch.missing else COMPLETED
    if batch.status != Batch.Status.RUNNING:
        return ENDINGS[Batch.Status(batch.status)]
    open_parts = [part for part in parts if part.status not in Part.OVER]
    if any(part.status == Part.Status.NEEDS_ATTENTION for part in open_parts):
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    statuses = {Part.Status(part.status) for part in open_parts}
    if batch.pause_requested_at and statuses:
        return PAUSED if statuses == {Part.Status.PAUSED} else PAUSING
    return _step(statuses, open_parts)


def _step(statuses: set[Part.Status], open_parts: list[Part]) -> Status:
    """Where the slowest part is; fetching while the provider still works is running, too."""
    if not statuses:
        return ADDING_UP
    if statuses == {Part.Status.PREPARING}:
        return QUEUED
    if statuses <= NOT_YET_SENT:
        return WAITING
    return FETCHING if all(part.ended_at for part in open_parts) else RUNNING


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
