"""What somebody should be told of a batch that runs, and whose fault it is if nothing is heard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from batchapp.domain.alert_rules import failed_percent, overrun, standstill
from batchapp.domain.progress import TimeLeft, last_progress_at, time_left
from batchapp.models import Batch, Connection, LeasedRow, ProviderBatch
from batchapp.services.lifecycle.poll import progress_marks_at
from batchapp.templatetags.words import ago_or_in, roughly

LATE_LOOK = timedelta(minutes=5)
"""After which nobody should wonder alone why nothing moves."""

AT_PROVIDER = {ProviderBatch.Status.RUNNING, ProviderBatch.Status.HARVESTING}
BILLED = "Requests that are late still run and are billed."


@dataclass(frozen=True, slots=True)
class Alert:
    """``label`` is for a pill in lists, "" if another pill says it already.

    ``is_costly`` if going on may be money for nothing, so that cancelling is offered beside it.
    """

    label: str
    tone: str
    icon: str
    text: str
    is_costly: bool = False
    wants_reason: bool = False

    @property
    def note(self) -> str:
        return "error" if self.tone == "bad" else "warn"


def alerts_of(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> tuple[Alert, ...]:
    """The most urgent first; of what is over, stops already or was never sent, none."""
    open_parts = [
        provider_batch for provider_batch in provider_batches if _is_working(provider_batch)
    ]
    is_stopping = batch.cancel_requested_at or batch.pause_requested_at
    if not open_parts or batch.status != Batch.Status.RUNNING or is_stopping:
        return ()
    found = list(_failures(batch, provider_batches))
    if not silence_of(batch.connection) and not lateness_of(batch, provider_batches):
        found += _standstill(batch, open_parts)
    return (*found, *_lateness(batch, open_parts))


def silence_of(connection: Connection) -> str:
    """That nothing is heard because its provider does not answer; "" if it is not that."""
    now = timezone.now()
    until, since = connection.resting_until, connection.down_since
    if not until or not since or until < now - LATE_LOOK:
        return ""
    return (
        f"{connection} has not answered for {roughly(now - since)}. The portal keeps trying; "
        "nothing is lost."
    )


def lateness_of(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> str:
    """That nothing is heard because the portal itself is late; "" if it is not that."""
    connection, now = batch.connection, timezone.now()
    if silence_of(connection):
        return ""
    running = [
        provider_batch
        for provider_batch in provider_batches
        if provider_batch.status == ProviderBatch.Status.RUNNING
    ]
    looked = [
        at
        for provider_batch in running
        if (at := provider_batch.polled_at or provider_batch.submitted_at)
    ]
    if looked and max(looked) < now - max(LATE_LOOK, 2 * connection.patience):
        return _late(f"last looked {ago_or_in(max(looked))}", connection)
    waiting = [row.next_check_at for row in (batch, *provider_batches) if not _is_held(row, now)]
    meant = min((at for at in waiting if at), default=now)
    if meant < now - LATE_LOOK:
        return _late(f"was to go on with it {ago_or_in(meant)}", connection)
    return ""


def _late(what: str, connection: Connection) -> str:
    return (
        f"The portal {what}: it is late, not {connection}. If this stays, tell the operator that "
        "no worker runs."
    )


def _is_held(row: LeasedRow, now: datetime) -> bool:
    """Whether a worker is at it, which for large results takes its time."""
    return bool(row.leased_until and row.leased_until > now)


def left_of(provider_batches: Sequence[ProviderBatch]) -> TimeLeft | None:
    """How long the slowest part still takes; only while the provider works on all that is open."""
    open_parts = [
        provider_batch
        for provider_batch in provider_batches
        if provider_batch.status not in ProviderBatch.OVER and not provider_batch.ended_at
    ]
    if not open_parts or not all(_is_working(provider_batch) for provider_batch in open_parts):
        return None
    found = [
        time_left(_marks(provider_batch), _total(provider_batch)) for provider_batch in open_parts
    ]
    ranges = [each for each in found if each]
    if len(ranges) < len(found):
        return None
    return TimeLeft(max(each.least for each in ranges), max(each.most for each in ranges))


def _is_working(provider_batch: ProviderBatch) -> bool:
    """Whether its provider has not finished it; meanwhile its first results may be fetched."""
    return provider_batch.status in AT_PROVIDER and not provider_batch.ended_at


def _marks(provider_batch: ProviderBatch) -> list[list[float]]:
    """Those that are kept, and the last look."""
    seen = provider_batch.polled_at
    return (
        progress_marks_at(provider_batch, seen, provider_batch.completed + provider_batch.failed)
        if seen
        else []
    )


def _total(provider_batch: ProviderBatch) -> int:
    return provider_batch.total or provider_batch.batch.requests


def _failures(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    answered, failed = (
        sum(provider_batch.completed for provider_batch in provider_batches),
        sum(provider_batch.failed for provider_batch in provider_batches),
    )
    percent = failed_percent(answered, failed, batch.connection.alarm_percent)
    if percent is not None:
        yield Alert(
            "Many errors",
            "bad",
            "alert",
            f"{failed:,} of the {answered + failed:,} requests that ended have failed "
            f"({percent} %).",
            is_costly=True,
            wants_reason=True,
        )


def _standstill(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    """All of it stands still: one part that goes on is a batch that goes on."""
    connection = batch.connection
    limit = timedelta(minutes=connection.stall_minutes)
    quiet = [
        (_last_news(provider_batch), provider_batch.polled_at)
        for provider_batch in provider_batches
    ]
    rest = sum(
        _total(provider_batch) - provider_batch.completed - provider_batch.failed
        for provider_batch in provider_batches
    )
    if rest <= 0 or not all(standstill(since, seen, limit) for since, seen in quiet):
        return
    latest = max(since for since, _ in quiet if since)
    waited = _whole(timezone.now() - latest)
    has_news = any(
        provider_batch.completed or provider_batch.failed for provider_batch in provider_batches
    )
    what = f"No new answer for {waited}" if has_news else f"No answer yet after {waited}"
    yield Alert(
        "Stalled",
        "warn",
        "pause",
        f"{what}. {connection} still says it is running; it may go on by itself, or be cancelled.",
        is_costly=True,
    )


def _last_news(provider_batch: ProviderBatch) -> datetime | None:
    since = last_progress_at(_marks(provider_batch))
    return datetime.fromtimestamp(since, UTC) if since is not None else None


def _lateness(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> Iterator[Alert]:
    now = timezone.now()
    dues = [
        provider_batch.expires_at
        for provider_batch in provider_batches
        if provider_batch.expires_at
    ]
    if dues and min(dues) < now:
        past = roughly(now - min(dues))
        yield Alert("", "warn", "clock", f"It is {past} past its {batch.window} window. {BILLED}")
        return
    found = [
        overrun(
            time_left(_marks(provider_batch), _total(provider_batch)),
            provider_batch.polled_at,
            provider_batch.expires_at,
        )
        for provider_batch in provider_batches
        if provider_batch.polled_at
    ]
    worst = max((each for each in found if each), key=lambda each: each.by, default=None)
    if worst:
        after = f"{roughly(worst.by)} after its {batch.window} window"
        text = (
            f"At this pace it ends {after}." if worst.is_certain else f"It may end up to {after}."
        )
        yield Alert("May be late", "warn", "clock", f"{text} {BILLED}")


def _whole(length: timedelta) -> str:
    return roughly(length).removeprefix("about ")
