"""The geometry of bars."""

from decimal import Decimal

import pytest

from batchapp.presenters.charts.axis import money_label
from batchapp.presenters.charts.bars import BEYOND, HEAD, HEIGHT, Chart, Datum, Series, draw


def chart(*bars: tuple[str, ...]) -> Chart:
    """Draw bars of one or more values."""
    data = [
        Datum(str(number), "", tuple(map(Decimal, values)), tuple(values), figure=f"#{number}")
        for number, values in enumerate(bars)
    ]
    series = [Series(f"s{n}", str(n)) for n in range(1, len(bars[0]) + 1)]
    return draw(data, series, [], money_label, title="", label="", unit="day", column="Cost")


def test_heights_are_in_proportion_and_bars_stand_on_the_base_line() -> None:
    drawn = chart(("1",), ("0",), ("4",), ("2",))

    heights = [float(bar.height) for bar in drawn.bars]
    assert heights == [HEIGHT / 4, 0, HEIGHT, HEIGHT / 2]
    assert all(float(bar.y) + float(bar.height) == drawn.base for bar in drawn.bars)
    assert [(line.label, float(line.y)) for line in drawn.lines][::2] == [
        ("0", drawn.base),
        ("$4", HEAD),
    ]


def test_the_parts_of_a_bar_fill_it_from_below_without_gaps() -> None:
    bar = chart(("1", "0", "3"), ("2", "2", "0")).bars[0]

    low, high = bar.parts
    assert [part.series.name for part in bar.parts] == ["s1", "s3"]
    assert float(low.y) == pytest.approx(float(high.y) + float(high.height))
    assert float(low.height) * 3 == pytest.approx(float(high.height), abs=0.2)
    assert high.y == bar.y


def test_only_the_first_of_the_highest_bars_has_its_value_above() -> None:
    assert [bar.figure for bar in chart(("1",), ("3",), ("3",)).bars] == ["", "#1", ""]
    assert [bar.figure for bar in chart(("0",), ("0",)).bars] == ["", ""]


@pytest.mark.parametrize(("highest", "is_broken"), [("4", False), ("4.01", True), ("1e6", True)])
def test_a_bar_over_four_times_the_next_is_broken_so_that_the_others_can_be_read(
    highest: str, is_broken: bool
) -> None:
    drawn = chart(("0.5",), (highest,), ("1",))

    assert [bar.is_broken for bar in drawn.bars] == [False, is_broken, False]
    assert float(drawn.bars[1].y) == HEAD
    assert (float(drawn.bars[2].height) == HEIGHT) is is_broken
    assert drawn.top == HEAD + BEYOND * is_broken


def test_a_single_bar_and_two_giants_are_not_broken() -> None:
    for bars in ((("900",), ("0",)), (("900",), ("1",), ("901",))):
        assert not any(bar.is_broken for bar in chart(*bars).bars)


def test_the_smallest_amount_beside_a_large_one_is_still_seen() -> None:
    small = chart(("0.000001",), ("1000",), ("1000",)).bars[0]

    assert float(small.height) == 2


def test_figures_and_tooltips_at_the_edges_turn_inwards() -> None:
    bars = chart(*[("1",)] * 30).bars

    assert (bars[0].side, bars[0].edge, bars[0].figure_x) == ("start", "start", "0")
    assert (bars[15].side, bars[15].edge, bars[15].figure_x) == ("middle", "middle", "50%")
    assert (bars[29].side, bars[29].edge, bars[29].figure_x) == ("end", "end", "100%")
