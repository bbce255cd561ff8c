"""The warnings about a running batch, and who causes the delay when there is no news."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from batchapp.domain.alert_rules import (
    Overrun,
    alarming_failed_percent,
    find_overrun,
    is_standing_still,
)
from batchapp.domain.progress import TimeLeft, last_progress_at, time_left
from batchapp.domain.windows import spaced
from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.waiting_reasons import portal_delay, provider_silence
from batchapp.services.lifecycle.poll import progress_marks_at
from batchapp.templatetags.words import in_round_units, roughly

BILLED_NOTE = "Requests that are late still run and are billed."


@dataclass(frozen=True, slots=True)
class Alert:
    """``label`` is for a pill in lists; "" if another pill says it already."""

    label: str
    tone: str
    icon: str
    text: str
    shows_common_error: bool = False

    @property
    def note(self) -> str:
        return "error" if self.tone == "bad" else "warn"


def alerts_of(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> tuple[Alert, ...]:
    """Return the most urgent alert first.

    A batch that is over, is being stopped or was never sent has no alerts.
    """
    at_provider = [row for row in provider_batches if row.is_running_there]
    is_stopping = batch.cancel_requested_at or batch.pause_requested_at
    if not at_provider or batch.status != Batch.Status.RUNNING or is_stopping:
        return ()
    alerts = list(_many_errors(batch, provider_batches))
    if not provider_silence(batch.connection) and not portal_delay(batch, provider_batches):
        alerts += _standstill(batch, at_provider)
    return (*alerts, *_overrun(batch, at_provider))


def time_left_of(provider_batches: Sequence[ProviderBatch]) -> TimeLeft | None:
    """Return the time that the slowest provider batch still takes.

    None unless the provider works on all open ones and each has a known pace.
    """
    open_batches = [
        row
        for row in provider_batches
        if row.status not in ProviderBatch.OVER and not row.ended_at
    ]
    if not open_batches or not all(row.is_running_there for row in open_batches):
        return None
    times = [time_left(_marks(row), _total(row)) for row in open_batches]
    known = [time for time in times if time]
    if len(known) < len(times):
        return None
    return TimeLeft(max(time.least for time in known), max(time.most for time in known))


def worst_overrun(provider_batches: Sequence[ProviderBatch]) -> Overrun | None:
    """Return the longest expected delay of those that the provider works on; None without one."""
    overruns = [
        find_overrun(time_left(_marks(row), _total(row)), row.polled_at, row.expires_at)
        for row in provider_batches
        if row.polled_at and row.is_running_there
    ]
    return max((late for late in overruns if late), key=lambda late: late.by, default=None)


def _marks(provider_batch: ProviderBatch) -> list[list[float]]:
    """Return the stored progress marks and one for the last poll."""
    polled_at = provider_batch.polled_at
    ended = provider_batch.completed + provider_batch.failed
    return progress_marks_at(provider_batch, polled_at, ended) if polled_at else []


def _total(provider_batch: ProviderBatch) -> int:
    return provider_batch.total or provider_batch.batch.requests


def _many_errors(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    answered = sum(row.completed for row in provider_batches)
    failed = sum(row.failed for row in provider_batches)
    percent = alarming_failed_percent(answered, failed, batch.connection.alarm_percent)
    if percent is None:
        return
    text = (
        f"{failed:,} of the {answered + failed:,} requests that ended have failed ({percent} %)."
    )
    yield Alert("Many errors", "bad", "alert", text, shows_common_error=True)


def _standstill(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    """Warn if all of ``provider_batches`` stand still."""
    connection = batch.connection
    limit = timedelta(minutes=connection.stall_minutes)
    news = [(_last_news(row), row.polled_at) for row in provider_batches]
    open_requests = sum(_total(row) - row.completed - row.failed for row in provider_batches)
    if open_requests <= 0 or not all(
        is_standing_still(since, polled, limit) for since, polled in news
    ):
        return
    latest = max(since for since, _ in news if since)
    waited = in_round_units(timezone.now() - latest)
    has_answers = any(row.completed or row.failed for row in provider_batches)
    silence = f"No new answer for {waited}" if has_answers else f"No answer yet after {waited}"
    text = (
        f"{silence}. {connection} still says it is running; it may go on by itself, or be "
        "cancelled."
    )
    yield Alert("Stalled", "warn", "pause", text)


def _last_news(provider_batch: ProviderBatch) -> datetime | None:
    since = last_progress_at(_marks(provider_batch))
    return datetime.fromtimestamp(since, UTC) if since is not None else None


def _overrun(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    now = timezone.now()
    due = min((row.expires_at for row in provider_batches if row.expires_at), default=None)
    if due and due < now:
        text = f"It is {roughly(now - due)} past its {spaced(batch.window)} window. {BILLED_NOTE}"
        yield Alert("", "warn", "clock", text)
        return
    if worst := worst_overrun(provider_batches):
        after = f"{roughly(worst.by)} after its {spaced(batch.window)} window"
        text = (
            f"At this pace it ends {after}." if worst.is_certain else f"It may end up to {after}."
        )
        yield Alert("May be late", "warn", "clock", f"{text} {BILLED_NOTE}")
