"""What somebody should be told of a batch that runs, and whose fault it is if nothing is heard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from batchapp.domain.alert_rules import failed_percent, overrun, standstill
from batchapp.domain.progress import Left, left, unchanged_since
from batchapp.models import Batch, Connection, Leased, Part
from batchapp.services.lifecycle.poll import marks_at
from batchapp.templatetags.words import ago_or_in, roughly

LATE_LOOK = timedelta(minutes=5)
"""After which nobody should wonder alone why nothing moves."""

AT_PROVIDER = {Part.Status.RUNNING, Part.Status.HARVESTING}
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


def alerts_of(batch: Batch, parts: Sequence[Part]) -> tuple[Alert, ...]:
    """The most urgent first; of what is over, stops already or was never sent, none."""
    open_parts = [part for part in parts if _is_working(part)]
    is_stopping = batch.cancel_requested_at or batch.pause_requested_at
    if not open_parts or batch.status != Batch.Status.RUNNING or is_stopping:
        return ()
    found = list(_failures(batch, parts))
    if not silence_of(batch.connection) and not lateness_of(batch, parts):
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


def lateness_of(batch: Batch, parts: Sequence[Part]) -> str:
    """That nothing is heard because the portal itself is late; "" if it is not that."""
    connection, now = batch.connection, timezone.now()
    if silence_of(connection):
        return ""
    running = [part for part in parts if part.status == Part.Status.RUNNING]
    looked = [at for part in running if (at := part.polled_at or part.submitted_at)]
    if looked and max(looked) < now - max(LATE_LOOK, 2 * connection.patience):
        return _late(f"last looked {ago_or_in(max(looked))}", connection)
    waiting = [row.next_check_at for row in (batch, *parts) if not _is_held(row, now)]
    meant = min((at for at in waiting if at), default=now)
    if meant < now - LATE_LOOK:
        return _late(f"was to go on with it {ago_or_in(meant)}", connection)
    return ""


def _late(what: str, connection: Connection) -> str:
    return (
        f"The portal {what}: it is late, not {connection}. If this stays, tell the operator that "
        "no worker runs."
    )


def _is_held(row: Leased, now: datetime) -> bool:
    """Whether a worker is at it, which for large results takes its time."""
    return bool(row.leased_until and row.leased_until > now)


def left_of(parts: Sequence[Part]) -> Left | None:
    """How long the slowest part still takes; only while the provider works on all that is open."""
    open_parts = [part for part in parts if part.status not in Part.OVER and not part.ended_at]
    if not open_parts or not all(_is_working(part) for part in open_parts):
        return None
    found = [left(_marks(part), _total(part)) for part in open_parts]
    ranges = [each for each in found if each]
    if len(ranges) < len(found):
        return None
    return Left(max(each.least for each in ranges), max(each.most for each in ranges))


def _is_working(part: Part) -> bool:
    """Whether its provider has not finished it; meanwhile its first results may be fetched."""
    return part.status in AT_PROVIDER and not part.ended_at


def _marks(part: Part) -> list[list[float]]:
    """Those that are kept, and the last look."""
    seen = part.polled_at
    return marks_at(part, seen, part.completed + part.failed) if seen else []


def _total(part: Part) -> int:
    return part.total or part.batch.requests


def _failures(batch: Batch, parts: Sequence[Part]) -> Iterator[Alert]:
    answered, failed = sum(part.completed for part in parts), sum(part.failed for part in parts)
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


def _standstill(batch: Batch, parts: Sequence[Part]) -> Iterator[Alert]:
    """All of it stands still: one part that goes on is a batch that goes on."""
    connection = batch.connection
    limit = timedelta(minutes=connection.stall_minutes)
    quiet = [(_last_news(part), part.polled_at) for part in parts]
    rest = sum(_total(part) - part.completed - part.failed for part in parts)
    if rest <= 0 or not all(standstill(since, seen, limit) for since, seen in quiet):
        return
    latest = max(since for since, _ in quiet if since)
    waited = _whole(timezone.now() - latest)
    has_news = any(part.completed or part.failed for part in parts)
    what = f"No new answer for {waited}" if has_news else f"No answer yet after {waited}"
    yield Alert(
        "Stalled",
        "warn",
        "pause",
        f"{what}. {connection} still says it is running; it may go on by itself, or be cancelled.",
        is_costly=True,
    )


def _last_news(part: Part) -> datetime | None:
    since = unchanged_since(_marks(part))
    return datetime.fromtimestamp(since, UTC) if since is not None else None


def _lateness(batch: Batch, parts: Sequence[Part]) -> Iterator[Alert]:
    now = timezone.now()
    dues = [part.expires_at for part in parts if part.expires_at]
    if dues and min(dues) < now:
        past = roughly(now - min(dues))
        yield Alert("", "warn", "clock", f"It is {past} past its {batch.window} window. {BILLED}")
        return
    found = [
        overrun(left(_marks(part), _total(part)), part.polled_at, part.expires_at)
        for part in parts
        if part.polled_at
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
