"""The periods into which a report divides its days."""

from datetime import date, timedelta

import pytest

from batchapp.domain.reports.periods import days_of, month_or_year, periods, unit_of

FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)


@pytest.mark.parametrize(
    ("days", "unit"), [(1, "day"), (92, "day"), (93, "month"), (1800, "month"), (1801, "year")]
)
def test_a_longer_range_has_larger_periods(days: int, unit: str) -> None:
    first = date(2024, 2, 29)

    assert unit_of(first, first + timedelta(days=days - 1)) == unit
    assert month_or_year(first, first) == "month"


@pytest.mark.parametrize("unit", ["day", "month", "year"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2024, 2, 29), date(2024, 2, 29)),
        (date(2024, 2, 28), date(2024, 3, 1)),
        (date(2025, 12, 31), date(2026, 1, 1)),
        (date(2026, 1, 15), date(2026, 11, 29)),
    ],
)
def test_each_day_of_a_range_is_in_one_of_its_periods(first: date, last: date, unit: str) -> None:
    days: list[date] = []
    for period in periods(first, last, unit):
        begin, end = days_of(period.key, unit, first, last)
        days += [begin + timedelta(days=n) for n in range((end - begin).days + 1)]
        assert period.first <= begin <= end < period.following

    assert days == [first + timedelta(days=n) for n in range((last - first).days + 1)]


def test_periods_are_named_as_people_name_them() -> None:
    names = {unit: periods(date(2024, 2, 29), date(2024, 2, 29), unit)[0].name for unit in UNITS}

    assert names == {"day": "29 Feb 2024", "month": "February 2024", "year": "2024"}


UNITS = ("day", "month", "year")


def test_the_longest_range_has_a_period_for_each_year() -> None:
    assert len(periods(FIRST, LAST, unit_of(FIRST, LAST))) == 101
