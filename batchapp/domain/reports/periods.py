"""Divide a range of days into days, months or years."""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

MAX_DAYS, MAX_MONTHS = 92, 60  # bars in a chart; a longer range gets larger steps
DAY, MONTH, YEAR = "day", "month", "year"


@dataclass(frozen=True, slots=True)
class Period:
    """One unit of a range; ``following`` is the first day after it.

    The first period of a range may begin before the range, and the last may end after it.
    """

    first: date
    following: date
    name: str

    @property
    def key(self) -> str:
        return self.first.isoformat()


def unit_of(first: date, last: date) -> str:
    """Return the unit that suits the length of a range."""
    return DAY if (last - first).days < MAX_DAYS else month_or_year(first, last)


def month_or_year(first: date, last: date) -> str:
    """Return the unit of the columns of a table, which has no room for days."""
    return MONTH if (last - first).days < MAX_MONTHS * 30 else YEAR


def periods(first: date, last: date, unit: str) -> list[Period]:
    """Return every period of ``unit`` that has a day from ``first`` to ``last``."""
    days = list(_steps(first, last, unit))
    return [Period(day, following, _NAMES[unit](day)) for day, following in pairwise(days)]


def days_of(key: str, unit: str, first: date, last: date) -> tuple[date, date]:
    """Return the first and the last day, within the range, of the period with ``key``."""
    begin = end = date.fromisoformat(key)
    if unit == MONTH:
        end = month_end(begin)
    elif unit == YEAR:
        end = begin.replace(month=12, day=31)
    return max(begin, first), min(end, last)


def month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _steps(first: date, last: date, unit: str) -> Iterator[date]:
    """Yield the first day of every period of the range, and of the one after it."""
    day = first
    if unit != DAY:
        day = day.replace(day=1, month=day.month if unit == MONTH else 1)
    while day <= last:
        yield day
        if unit == DAY:
            day += timedelta(days=1)
        elif unit == MONTH:
            day = month_end(day) + timedelta(days=1)
        else:
            day = day.replace(year=day.year + 1)
    yield day


_NAMES: dict[str, Callable[[date], str]] = {
    DAY: lambda day: f"{day:%-d %b %Y}",
    MONTH: lambda day: f"{day:%B %Y}",
    YEAR: lambda day: f"{day:%Y}",
}
