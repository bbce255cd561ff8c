"""Choose the days before a range that the range is fairly compared with."""

from dataclasses import dataclass
from datetime import date, timedelta

from batchapp.domain.reports.periods import month_end

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class EarlierRange:
    """The days to compare with, both included; ``name`` is as in "against October"."""

    first: date
    last: date
    name: str


def range_before(first: date, last: date, today: date) -> EarlierRange | None:
    """Return the range before ``first`` to ``last``, of which days after ``today`` do not count.

    1. A part of a month from its first day is compared with the same days of the month before,
       and a part of a year likewise with the same days of the year before. So a period that is
       not over is compared with as many days.
    2. Whole months or years are compared with as many months or years, however many days these
       have.
    3. Any other range is compared with as many days directly before it.

    None if the range has not begun.
    """
    end = min(last, today)
    if first > end:
        return None
    months = 12 * (end.year - first.year) + end.month - first.month + 1
    is_whole = end == month_end(end)
    if first.day == 1 and first.month == 1 and months > 1 and first.year == end.year:
        return _year_before(first, end)
    if first.day == 1 and months == 1:
        return _month_before(first, end, is_whole=is_whole)
    if first.day == 1 and is_whole:
        return _months_before(first, months)
    days = (end - first).days + 1
    name = "the day before" if days == 1 else f"the {days:,} days before"
    return EarlierRange(first - days * ONE_DAY, first - ONE_DAY, name)


def _month_before(first: date, end: date, *, is_whole: bool) -> EarlierRange:
    before = first - ONE_DAY
    last = before if is_whole else before.replace(day=min(end.day, before.day))
    if last == before:
        return EarlierRange(before.replace(day=1), last, f"{before:%B}")
    days = f"1\u2013{last.day}" if last.day > 1 else "1"
    return EarlierRange(before.replace(day=1), last, f"{days} {before:%B}")


def _months_before(first: date, months: int) -> EarlierRange:
    number = first.year * 12 + first.month - 1 - months
    begin = date(number // 12, number % 12 + 1, 1)
    if months % 12 == 0 and first.month == 1:
        years = months // 12
        name = f"{begin.year}" if years == 1 else f"{begin.year}\u2013{first.year - 1}"
    else:
        name = f"{begin:%B %Y} to {first - ONE_DAY:%B %Y}"
    return EarlierRange(begin, first - ONE_DAY, name)


def _year_before(first: date, end: date) -> EarlierRange:
    begin = first.replace(year=first.year - 1)
    if (end.month, end.day) == (12, 31):
        return EarlierRange(begin, first - ONE_DAY, f"{begin.year}")
    # 29 February has no counterpart: its year is compared up to the last day of February.
    day = min(end.day, month_end(date(begin.year, end.month, 1)).day)
    last = date(begin.year, end.month, day)
    if end == month_end(end):
        last = month_end(last)
    return EarlierRange(begin, last, f"1 January to {last:%-d %B %Y}")
