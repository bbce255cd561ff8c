"""How fast the provider answers, and how long what is left may take at that pace."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import floor, sqrt

ENOUGH = 10
"""Requests that must have ended before their pace says something about the others."""

SETTLED = 10.0
"""Seconds; a pace measured over less than this is mostly chance."""

MOST_MARKS = 30
MARK_EVERY = 60.0
"""Seconds between two marks of the same count."""

RECENT = (1 / 2, 1 / 8)
"""Of the time so far. Where the pace changes, these two differ, and the range is wide."""

WIDEST = 4.0
"""How many times the shortest the longest may be; beyond that it is a guess."""

NARROW = 1.2
"""Up to here one figure says as much as two."""

Mark = Sequence[float]
"""A Unix time, and how many requests had ended by then."""


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The time for the rest, at least and at most."""

    least: timedelta
    most: timedelta

    @property
    def is_narrow(self) -> bool:
        return self.most <= self.least * NARROW

    @property
    def middle(self) -> timedelta:
        return (self.least + self.most) / 2


def with_mark(
    marks: Sequence[Mark],
    moment: float,
    ended: int,
    *,
    begun: float | None = None,
    reopened: float | None = None,
) -> list[list[float]]:
    """``marks`` and what is seen at ``moment``, if that says something new.

    The first is the moment at which it had ``begun``. They begin anew where the count or the clock
    goes back, and when it was ``reopened``. A stretch in which nothing ended has a mark at both
    ends.
    """
    if not marks and begun is not None and reopened is None:
        marks = [(_short(min(begun, moment)), 0)]
    kept = [list(mark) for mark in marks if mark[0] >= (reopened or 0)]
    if kept and (ended < kept[-1][1] or moment < kept[-1][0]):
        kept = []
    if kept and ended == kept[-1][1]:
        if moment < kept[-1][0] + MARK_EVERY:
            return kept
        if len(kept) > 1 and kept[-2][1] == ended:
            kept.pop()
    kept.append([_short(moment), ended])
    return _thinned(kept)


def _short(moment: float) -> float:
    """A tenth of a second is enough; never a later one, which would look like a clock put back."""
    return floor(moment * 10) / 10


def _thinned(marks: list[list[float]]) -> list[list[float]]:
    """All the closer to each other the younger they are; the first and the last two stay."""
    while len(marks) > MOST_MARKS:
        now = marks[-1][0]
        inner = range(1, len(marks) - 2)
        gaps = {at: (marks[at + 1][0] - marks[at - 1][0]) / (now - marks[at][0]) for at in inner}
        del marks[min(gaps, key=gaps.__getitem__)]
    return marks


def last_progress_at(marks: Sequence[Mark]) -> float | None:
    """When the last new answer was seen; None if nobody looked yet."""
    if not marks:
        return None
    last = marks[-1][1]
    return min(mark[0] for mark in marks if mark[1] == last)


def time_left(marks: Sequence[Mark], total: int) -> TimeLeft | None:
    """The time for the rest at the recent pace, from the last of ``marks`` on.

    None while that would be a guess: too little ended, or the pace changes too much.
    """
    if not marks:
        return None
    end, ended = marks[-1]
    rest, span = total - ended, end - marks[0][0]
    if ended < max(1, min(ENOUGH, total)) or span < SETTLED or rest < 0:
        return None
    if not rest:
        return TimeLeft(timedelta(), timedelta())
    paces = _paces(marks)
    slowest, fastest = min(slow for slow, _ in paces), max(fast for _, fast in paces)
    if slowest <= 0 or fastest > WIDEST * slowest:
        return None
    return TimeLeft(timedelta(seconds=rest / fastest), timedelta(seconds=rest / slowest))


def _paces(marks: Sequence[Mark]) -> list[tuple[float, float]]:
    """Requests per second in the recent stretches, each at least and at most.

    How many end in a stretch differs by chance by about the root of their number. A stretch is
    left out if it is too short to say something that the longest does not.
    """
    end, ended = marks[-1]
    found: list[tuple[float, float]] = []
    for share in RECENT:
        seconds = share * (end - marks[0][0])
        if found and (seconds < SETTLED or seconds * found[0][1] < ENOUGH):
            continue
        count = ended - _count_at(marks, end - seconds)
        chance = sqrt(count)
        found.append(((count - chance) / seconds, (count + chance) / seconds))
    return found


def _count_at(marks: Sequence[Mark], moment: float) -> float:
    """As if requests had ended evenly between two marks."""
    after = bisect_right(marks, moment, key=lambda mark: mark[0])
    if not after or after == len(marks):
        return marks[min(after, len(marks) - 1)][1]
    (start, first), (stop, last) = marks[after - 1], marks[after]
    return first + (last - first) * (moment - start) / (stop - start)
