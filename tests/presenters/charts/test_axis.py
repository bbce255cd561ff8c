"""Lines at round values, and the labels below the bars."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from batchapp.presenters.charts.axis import (
    count_label,
    lines_up_to,
    money_label,
    time_ticks,
    width_of,
)


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        ("0.000001", ["0", "$0.0000005", "$0.0000010"]),
        ("0.0092", ["0", "$0.005", "$0.010"]),
        ("1", ["0", "$0.50", "$1.00"]),
        ("51.42", ["0", "$20", "$40", "$60"]),
        ("4321", ["0", "$2,000", "$4,000", "$6,000"]),
        ("12000", ["0", "$5k", "$10k", "$15k"]),
        ("1000000", ["0", "$0.5M", "$1.0M"]),
        ("0", ["0"]),
    ],
)
def test_at_most_three_lines_above_zero_have_round_amounts(
    highest: str, labels: list[str]
) -> None:
    values = lines_up_to(Decimal(highest))

    step = values[-1] / max(len(values) - 1, 1)
    assert [money_label(value, step) for value in values] == labels
    assert values[-1] >= Decimal(highest)


def test_counts_have_no_line_between_whole_numbers() -> None:
    values = lines_up_to(Decimal(1), least_step=Decimal(1))

    assert [count_label(value, Decimal(1)) for value in values] == ["0", "1"]


def test_the_axis_grows_with_its_longest_label() -> None:
    assert width_of(["0", "$20"]) == 48
    assert width_of(["0", "$0.0000010"]) > 80


def days(first: date, number: int) -> list[date]:
    return [first + timedelta(days=count) for count in range(number)]


def months(first: int, number: int) -> list[date]:
    return [date(2025 + (first + n) // 12, (first + n) % 12 + 1, 1) for n in range(number)]


@pytest.mark.parametrize(
    ("unit", "first_days", "labels"),
    [
        ("day", days(date(2026, 11, 1), 30), ["1 Nov", "8", "15", "22", "29"]),
        ("day", days(date(2026, 9, 25), 15), ["25 Sep", "2 Oct", "9"]),
        ("month", months(9, 6), ["Oct", "Nov", "Dec", "2026", "Feb", "Mar"]),
        ("month", months(0, 14), ["2025", "Apr", "Jul", "Oct", "2026"]),
        ("month", months(0, 40), ["2025", "2026", "2027", "2028"]),
        ("year", [date(2024, 1, 1), date(2025, 1, 1)], ["2024", "2025"]),
        ("year", [date(year, 1, 1) for year in range(2005, 2031)], ["2010", "2020", "2030"]),
    ],
)
def test_labels_name_weeks_months_or_years(
    unit: str, first_days: list[date], labels: list[str]
) -> None:
    ticks = time_ticks(unit, first_days)

    assert [tick.text for tick in ticks] == labels
    assert all(0 < float(tick.x) < 100 for tick in ticks)


def test_a_narrow_chart_of_many_days_or_months_has_half_of_the_labels_or_fewer() -> None:
    for unit, first_days in (("day", days(date(2026, 9, 1), 90)), ("month", months(0, 12))):
        ticks = time_ticks(unit, first_days)
        assert 3 < len([tick for tick in ticks if not tick.is_minor]) <= (len(ticks) + 1) / 2
