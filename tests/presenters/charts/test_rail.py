"""Ranges with the expected and the actual amount."""

from decimal import Decimal

import pytest

from batchapp.presenters.charts.rail import Rail, rail


def drawn(low: str, high: str | None, expected: str = "", actual: str = "") -> Rail:
    amounts = [Decimal(amount) if amount else None for amount in (high or "", expected, actual)]
    return rail(Decimal(low), amounts[0], expected=amounts[1], actual=amounts[2])


def test_the_marks_divide_the_range_as_the_amounts_do() -> None:
    range_ = drawn("1", "5", "2", "4")

    assert (range_.first, range_.last) == ("least $1.00", "most $5.00")
    assert [float(place) for place in (range_.expected, range_.actual)] == [25, 75]
    assert [float(place) for place in range_.ticks] == [0, 100]
    assert range_.label == "from $1.00 to $5.00, expected $2.00, cost $4.00"
    assert (range_.below, range_.above) == ("", "")


@pytest.mark.parametrize(
    ("actual", "ends", "below", "above"),
    [
        ("45", ("$10.00", "most $20.00"), "", "$45.00"),
        ("3", ("least $10.00", "$20.00"), "$3.00", ""),
    ],
)
def test_a_cost_beyond_the_range_stands_apart_from_its_line(
    actual: str, ends: tuple[str, str], below: str, above: str
) -> None:
    range_ = drawn("10", "20", "15", actual)

    assert (range_.first, range_.last) == ends
    assert (range_.below, range_.above, range_.actual) == (below, above, "")


@pytest.mark.parametrize("actual", ["", "2"])
def test_without_a_limit_the_line_goes_on_behind_the_last_mark(actual: str) -> None:
    range_ = drawn("1", None, "3", actual)

    assert range_.ticks == ["0"]
    assert range_.last == "no limit"
    assert 50 < float(range_.expected) < 100
    assert range_.label.startswith("from $1.00 without a limit, expected $3.00")


def test_an_end_below_a_dot_has_no_mark_of_its_own() -> None:
    assert drawn("0.0020", "0.01", "0.0022").ticks == ["100"]
    assert drawn("0.0020", "0.01", "0.0060").ticks == ["0", "100"]


def test_both_ends_have_the_same_decimals() -> None:
    range_ = drawn("0.0020", "0.01", "0.0022")

    assert (range_.first, range_.last) == ("least $0.0020", "most $0.0100")
    assert range_.label == "from $0.0020 to $0.0100, expected $0.0022"


def test_a_range_of_one_amount_has_its_mark_in_the_middle() -> None:
    assert float(drawn("0.5", "0.5", "0.5").expected) == 50


def test_tiny_and_huge_amounts_stay_on_the_line() -> None:
    range_ = drawn("0.000001", "1000000", "2", "400000")

    assert (range_.first, range_.last) == ("least $0.000001", "most $1,000,000.00")
    assert [float(range_.expected), float(range_.actual)] == [0, 40]
