"""What a month may cost in the end."""

from decimal import Decimal

import pytest

from batchapp.domain.reports.forecast import HISTORY_DAYS, LEAST_DAYS, forecast


def costs(*amounts: float) -> list[Decimal]:
    return [Decimal(str(amount)) for amount in amounts]


def test_the_rest_of_the_month_costs_what_as_many_days_in_a_row_cost_before() -> None:
    told = forecast(Decimal(30), costs(*[1] * 20, 8, *[1] * 7), 4)

    assert told is not None
    assert (told.low, told.high) == (34, 41)
    assert (told.low_rest, told.high_rest) == (4, 11)
    assert told.usual_rest == Decimal(4) + Decimal(28) / 25
    assert (told.days_left, told.history) == (4, 28)


@pytest.mark.parametrize("days_left", range(1, 31))
def test_the_expected_cost_is_never_outside_the_range(days_left: int) -> None:
    days = costs(*(n * n % 17 for n in range(1, HISTORY_DAYS + 1)))
    told = forecast(Decimal(5), days, days_left)

    assert told is not None
    assert told.so_far <= told.low <= told.usual <= told.high


@pytest.mark.parametrize(
    ("days", "days_left"),
    [
        (LEAST_DAYS - 1, 3),  # too few days
        (30, 25),  # too few stretches of 25 days
        (56, 0),  # the last day: nothing is left to forecast
        (0, 5),
    ],
)
def test_with_too_few_days_nothing_is_told(days: int, days_left: int) -> None:
    assert forecast(Decimal(5), costs(*[1] * days), days_left) is None


def test_days_before_the_first_cost_and_before_eight_weeks_do_not_count() -> None:
    new_team = costs(*[0] * 50, *[2] * 14)
    old_team = costs(*[900] * 10, *[1] * HISTORY_DAYS)

    new, old = (forecast(Decimal(0), team, 5) for team in (new_team, old_team))
    assert new
    assert old
    assert (new.history, new.low, new.high) == (14, 10, 10)
    assert (old.history, old.low, old.high) == (HISTORY_DAYS, 5, 5)
    assert forecast(Decimal(0), costs(*[0] * 60), 5) is None
