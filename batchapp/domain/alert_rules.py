"""What somebody should be told of a batch that runs: it stands still, is too slow, or fails."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batchapp.domain.progress import TimeLeft

ENOUGH_TO_JUDGE = 50
"""Requests that must have ended before the share of failures alarms anybody."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """How long after its window it ends; ``is_certain`` if even the shortest time is too long."""

    by: timedelta
    is_certain: bool


def overrun(left: TimeLeft | None, seen: datetime, due: datetime | None) -> Overrun | None:
    """How far a batch that has ``left`` to do, counted from ``seen``, ends after ``due``."""
    if left is None or due is None or seen + left.most <= due:
        return None
    if seen + left.least > due:
        return Overrun(seen + left.middle - due, is_certain=True)
    return Overrun(seen + left.most - due, is_certain=False)


def standstill(since: datetime | None, seen: datetime | None, limit: timedelta) -> bool:
    """Whether no new answer came for ``limit``, by the time at which we last looked."""
    return bool(since and seen and seen - since >= limit)


def failed_percent(answered: int, failed: int, alarm: int) -> int | None:
    """The share of failures if it is alarming; None if not, or if too few ended to tell."""
    ended = answered + failed
    if ended < ENOUGH_TO_JUDGE or 100 * failed < alarm * ended:
        return None
    return 100 * failed // ended
