"""Rules that decide when a running batch needs attention: no progress, late, or failing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batchapp.domain.progress import TimeLeft

MIN_ENDED_REQUESTS = 50  # with fewer, the share of failures may be chance


@dataclass(frozen=True, slots=True)
class Overrun:
    """The expected delay of a batch; ``is_certain`` if even the shortest estimate is too long."""

    by: timedelta
    is_certain: bool


def find_overrun(
    left: TimeLeft | None, polled_at: datetime, due_at: datetime | None
) -> Overrun | None:
    """Return how long after ``due_at`` a batch ends that had ``left`` to go at ``polled_at``.

    None if the batch ends in time, or if its pace or its due time is not known.
    """
    if left is None or due_at is None or polled_at + left.most <= due_at:
        return None
    if polled_at + left.least > due_at:
        return Overrun(polled_at + left.middle - due_at, is_certain=True)
    return Overrun(polled_at + left.most - due_at, is_certain=False)


def is_standing_still(
    progressed_at: datetime | None, polled_at: datetime | None, limit: timedelta
) -> bool:
    """Return True if no request ended for ``limit``, measured to the last poll and not to now."""
    return bool(progressed_at and polled_at and polled_at - progressed_at >= limit)


def alarming_failed_percent(answered: int, failed: int, alarm_percent: int) -> int | None:
    """Return the share of failures, or None if it is below the alarm or too few requests ended."""
    ended = answered + failed
    if ended < MIN_ENDED_REQUESTS or 100 * failed < alarm_percent * ended:
        return None
    return 100 * failed // ended
