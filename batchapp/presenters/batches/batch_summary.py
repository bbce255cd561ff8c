"""The status, progress and cost of a batch as pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.problem import ProblemCode
from batchapp.domain.progress import TimeLeft
from batchapp.domain.results.outcome import DOUBTFUL, Outcome
from batchapp.models import Batch, ProviderBatch
from batchapp.pipeline.states import BatchState, state_of
from batchapp.presenters.batches.batch_alerts import Alert, alerts_of, time_left_of
from batchapp.presenters.batches.batch_cost import Cost, cost_of
from batchapp.presenters.batches.refused_models import refused_models
from batchapp.presenters.batches.waiting_reasons import (
    attention_reason,
    is_queueing,
    needs_attention,
    waiting_reasons,
)
from batchapp.templatetags.words import short_length

if TYPE_CHECKING:
    from batchapp.presenters.batches.batch_actions import Action

MIN_PART = 2  # percent of the bar, so that a few among many requests are seen


class Part(NamedTuple):
    """A part of the bar; ``start`` and ``width`` are percent of it."""

    kind: str
    start: int
    width: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of requests; ``percent`` is 100 only when every request has ended.

    ``doubtful`` ones are answered as well, and are not ``usable``.
    """

    total: int
    answered: int
    failed: int
    percent: int
    cancelled: int = 0
    doubtful: int = 0
    missing: int = 0

    @property
    def done(self) -> int:
        return self.answered + self.failed

    @property
    def usable(self) -> int:
        return self.answered - self.doubtful

    @property
    def parts(self) -> list[Part]:
        """Return the parts of the bar; the largest takes what rounding leaves of a full bar."""
        counts = {
            "answered": self.usable,
            "doubtful": self.doubtful,
            "failed": self.failed,
            "cancelled": self.cancelled,
        }
        counts = {kind: number for kind, number in counts.items() if number > 0}
        if not counts or not self.total:
            return []
        widths = {k: max(MIN_PART, 100 * number // self.total) for k, number in counts.items()}
        spare = 100 - sum(widths.values())
        if spare < 0 or sum(counts.values()) >= self.total:
            widths[max(counts, key=counts.__getitem__)] += spare
        ends = accumulate(widths.values())
        return [
            Part(kind, end - widths[kind], widths[kind])
            for kind, end in zip(widths, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Summary:
    """The facts that lists and the page of a batch show, made from a row of ``with_details``.

    ``outcomes`` are the counts of the results, which only the page of a batch needs: while the
    batch runs, of the doubtful answers alone. ``menu`` is what the row of a list offers.
    """

    batch: Batch
    provider_batches: list[ProviderBatch]
    status: BatchState
    progress: Progress
    cost: Cost
    is_late: bool
    models: list[str]
    duration: timedelta | None
    time_left: TimeLeft | None = None
    alerts: tuple[Alert, ...] = ()
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    menu: "Sequence[Action]" = ()

    @property
    def has_problems(self) -> bool:
        """Return True if requests have ended without a good answer."""
        progress = self.progress
        if self.batch.is_over:
            return progress.usable < progress.total
        return progress.failed + progress.doubtful > 0

    @property
    def pill(self) -> Alert | None:
        """The most urgent alert that fits into a list."""
        return next((alert for alert in self.alerts if alert.label), None)

    @property
    def is_moving(self) -> bool:
        """A page that shows a moving batch reloads soon."""
        if self.batch.is_over or self.batch.status == Batch.Status.AWAITING_APPROVAL:
            return False
        rows = self.provider_batches
        return not rows or any(not row.parked_reason for row in rows)

    @property
    def due(self) -> datetime | None:
        """Return the end of the completion window at the provider, while the batch is there."""
        if self.batch.is_over:
            return None
        ends = [row.expires_at for row in self.provider_batches if row.expires_at]
        return max(ends, default=None)

    @property
    def late_by(self) -> str:
        """Return how long the batch is past the end of its window; "" if it is not, or is over."""
        past = timezone.now() - self.due if self.due else timedelta(0)
        return short_length(past) if past > timedelta(0) else ""

    @property
    def is_split(self) -> bool:
        return len(self.provider_batches) > 1

    @property
    def can_be_cancelled(self) -> bool:
        if self.batch.status == Batch.Status.AWAITING_APPROVAL:
            return True
        if self.batch.status != Batch.Status.RUNNING:
            return False
        is_requested = self.batch.cancel_requested_at is not None
        return not is_requested or any(row.ignores_cancel for row in self.provider_batches)

    @property
    def troubles(self) -> list[str]:
        """Return why the batch waits; nothing while only a part of it waits for room."""
        if self.waits_in_part:
            return []
        return waiting_reasons(self.batch, self.provider_batches)

    @property
    def waits_in_part(self) -> bool:
        """Return True if some provider batches are running, and others wait for room."""
        return self.is_queueing and any(row.is_running_there for row in self.provider_batches)

    @property
    def shares(self) -> list[tuple[ProviderBatch, Progress]]:
        """Return each provider batch with its part of the progress."""
        return [(row, _progress_of(row)) for row in self.provider_batches]

    @property
    def was_sent(self) -> bool:
        return any(row.was_sent for row in self.provider_batches)

    @property
    def needs_person(self) -> bool:
        return any(needs_attention(row) for row in self.provider_batches)

    @property
    def attention_reason(self) -> str:
        return "" if self.batch.is_over else attention_reason(self.provider_batches)

    @property
    def refused_models(self) -> list[str]:
        """Return the models of the batch that the provider does not offer, or not to its key."""
        problems = [row.problem for row in self.provider_batches if needs_attention(row)]
        if not any(problems):
            return []
        return refused_models(problems, [row.model for row in self.batch.model_costs.all()])

    @property
    def account_url(self) -> str:
        """Return where credits are added, if the batch stopped for want of them; "" if unknown."""
        problems = [row.problem for row in self.provider_batches if needs_attention(row)]
        if not any(one and one.code == ProblemCode.NO_CREDIT for one in problems):
            return ""
        return self.batch.connection.account_page

    @property
    def trouble_tone(self) -> str:
        if self.needs_person:
            return "alarm"
        return "info" if self.is_queueing else "warn"

    @property
    def trouble_icon(self) -> str:
        return "clock" if self.is_queueing and not self.needs_person else "alert"

    @property
    def is_queueing(self) -> bool:
        return is_queueing(self.batch, self.provider_batches)


def with_details(batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
    """Load all that a summary needs, in four queries however many batches there are."""
    rows = batches.select_related("project", "connection", "created_by", "portal_key")
    return rows.prefetch_related("provider_batches", "model_costs", "tags")


def summarise(batch: Batch) -> Summary:
    provider_batches = list(batch.provider_batches.all())
    model_costs = sorted(batch.model_costs.all(), key=lambda row: -row.requests)
    now = timezone.now()
    return Summary(
        batch=batch,
        provider_batches=provider_batches,
        status=state_of(batch, provider_batches),
        progress=_progress(batch, provider_batches),
        cost=cost_of(batch),
        is_late=any(
            row.expires_at is not None and row.expires_at < (row.ended_at or now)
            for row in provider_batches
        ),
        models=[row.model for row in model_costs],
        duration=_duration(batch, now),
        time_left=time_left_of(provider_batches),
        alerts=alerts_of(batch, provider_batches),
    )


def with_outcomes(summary: Summary, outcomes: Mapping[Outcome, int]) -> Summary:
    """Return ``summary`` with the counts of its results.

    Requests that were cancelled before they were prepared have no result, but are counted.
    """
    batch, progress = summary.batch, summary.progress
    if batch.is_over:
        ends = {Outcome.CANCELLED: batch.cancelled, Outcome.MISSING: batch.missing}
        return replace(summary, outcomes={**outcomes, **ends})
    doubtful = sum(number for outcome, number in outcomes.items() if outcome in DOUBTFUL)
    progress = replace(progress, doubtful=min(doubtful, progress.answered))
    return replace(summary, outcomes=outcomes, progress=progress)


def _duration(batch: Batch, now: datetime) -> timedelta | None:
    """Return how long ``batch`` took, or takes so far; None if its end was not recorded."""
    end = batch.finished_at if batch.is_over else now
    return end - batch.created_at if end else None


def _progress_of(row: ProviderBatch) -> Progress:
    done = row.completed + row.failed
    percent = min(100 * done // row.total, 100) if row.total else 0
    return Progress(total=row.total, answered=row.completed, failed=row.failed, percent=percent)


def _progress(batch: Batch, provider_batches: list[ProviderBatch]) -> Progress:
    """Count the stored results of a finished batch, else take the provider's counts.

    The provider's counts may fall.
    """
    if batch.is_over:
        answered, failed = batch.succeeded, batch.failed
    else:
        answered = sum(row.completed for row in provider_batches)
        failed = sum(row.failed for row in provider_batches)
    total = batch.requests
    percent = 100 * (answered + failed) // total if total else 0
    return Progress(
        total=total,
        answered=answered,
        failed=failed,
        percent=100 if batch.is_accounted_for else min(percent, 99),
        cancelled=batch.cancelled if batch.is_over else 0,
        doubtful=batch.doubtful if batch.is_over else 0,
        missing=batch.missing if batch.is_over else 0,
    )
