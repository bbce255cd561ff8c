"""The pace at which a provider ends requests, and the time left at that pace."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import floor, sqrt

MIN_ENDED = 10  # ended requests, before their pace says something about the others
MIN_SECONDS = 10.0  # a pace measured over less time is mostly chance
MAX_MARKS = 30  # per provider batch
MARK_INTERVAL_SECONDS = 60.0  # between two marks of the same count
RECENT_SHARES = (1 / 2, 1 / 8)  # of the time so far; if the pace changes, the two paces differ
MAX_RANGE_RATIO = 4.0  # longest to shortest time left; a wider range would be a guess
NARROW_RANGE_RATIO = 1.2  # up to this ratio, the middle of the range says as much as its ends

Mark = Sequence[float]  # a Unix time, and the number of requests that had ended by then


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The time until all requests have ended, as a range."""

    least: timedelta
    most: timedelta

    @property
    def is_narrow(self) -> bool:
        return self.most <= self.least * NARROW_RANGE_RATIO

    @property
    def middle(self) -> timedelta:
        return (self.least + self.most) / 2


def with_mark(
    marks: Sequence[Mark],
    polled_at: float,
    ended: int,
    *,
    started_at: float | None = None,
    retried_at: float | None = None,
) -> list[list[float]]:
    """Return ``marks``, with a mark of ``ended`` at ``polled_at`` if it adds information.

    1. The first mark is the start of the batch.
    2. The marks start again if the count or the clock goes back, and at a retry in place.
    3. A period in which nothing ends has one mark at each of its ends.
    """
    if not marks and started_at is not None and retried_at is None:
        marks = [(_rounded(min(started_at, polled_at)), 0)]
    result = [list(mark) for mark in marks if mark[0] >= (retried_at or 0)]
    if result and (ended < result[-1][1] or polled_at < result[-1][0]):
        result = []
    if result and ended == result[-1][1]:
        if polled_at < result[-1][0] + MARK_INTERVAL_SECONDS:
            return result
        if len(result) > 1 and result[-2][1] == ended:
            result.pop()
    result.append([_rounded(polled_at), ended])
    return _thinned(result)


def _rounded(moment: float) -> float:
    # Rounded down to a tenth of a second: rounded up, the next mark could seem to go back.
    return floor(moment * 10) / 10


def _thinned(marks: list[list[float]]) -> list[list[float]]:
    """Drop marks so that the recent ones are the closest; the first and the last two stay."""
    while len(marks) > MAX_MARKS:
        now = marks[-1][0]
        inner = range(1, len(marks) - 2)
        gaps = {at: (marks[at + 1][0] - marks[at - 1][0]) / (now - marks[at][0]) for at in inner}
        del marks[min(gaps, key=gaps.__getitem__)]
    return marks


def last_progress_at(marks: Sequence[Mark]) -> float | None:
    """Return the Unix time at which the current count was first seen, or None without marks."""
    if not marks:
        return None
    last = marks[-1][1]
    return min(mark[0] for mark in marks if mark[1] == last)


def time_left(marks: Sequence[Mark], total: int) -> TimeLeft | None:
    """Return the time from the last mark until all ``total`` requests end, at the recent pace.

    None if it would be a guess: too few requests ended, or the pace changes too much.
    """
    if not marks:
        return None
    end, ended = marks[-1]
    remaining, seconds = total - ended, end - marks[0][0]
    if ended < max(1, min(MIN_ENDED, total)) or seconds < MIN_SECONDS or remaining < 0:
        return None
    if not remaining:
        return TimeLeft(timedelta(), timedelta())
    paces = _paces(marks)
    slowest, fastest = min(slow for slow, _ in paces), max(fast for _, fast in paces)
    if slowest <= 0 or fastest > MAX_RANGE_RATIO * slowest:
        return None
    return TimeLeft(timedelta(seconds=remaining / fastest), timedelta(seconds=remaining / slowest))


def _paces(marks: Sequence[Mark]) -> list[tuple[float, float]]:
    """Return the least and most requests per second in each recent period.

    The number of requests that end in a period varies by chance by about its square root. The
    shorter period is left out if it is too short to add something to the longer one.
    """
    end, ended = marks[-1]
    paces: list[tuple[float, float]] = []
    for share in RECENT_SHARES:
        seconds = share * (end - marks[0][0])
        if paces and (seconds < MIN_SECONDS or seconds * paces[0][1] < MIN_ENDED):
            continue
        count = ended - _count_at(marks, end - seconds)
        chance = sqrt(count)
        paces.append(((count - chance) / seconds, (count + chance) / seconds))
    return paces


def _count_at(marks: Sequence[Mark], moment: float) -> float:
    """Return the count at ``moment``, as if requests ended evenly between two marks."""
    after = bisect_right(marks, moment, key=lambda mark: mark[0])
    if not after or after == len(marks):
        return marks[min(after, len(marks) - 1)][1]
    (start, first), (stop, last) = marks[after - 1], marks[after]
    return first + (last - first) * (moment - start) / (stop - start)
