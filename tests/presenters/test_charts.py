"""Bars of spending over time."""

from decimal import Decimal

from batchapp.presenters.charts import HEIGHT, WIDTH, cost_chart
from batchapp.services.reports.cost_report import Line


def line(name: str, cost: str, unpriced: int = 0) -> Line:
    return Line(
        key=name,
        name=name,
        batches=1,
        requests=1,
        input_tokens=1,
        output_tokens=1,
        cost_usd=Decimal(cost),
        saving_usd=Decimal(0),
        unpriced=unpriced,
    )


def test_heights_are_in_proportion_and_bars_stay_in_the_drawing() -> None:
    drawn = cost_chart([line("Mon", "1"), line("Tue", "0"), line("Wed", "4")], "day")

    heights = [float(bar.height) for bar in drawn.bars]
    assert heights == [HEIGHT / 4, 0, HEIGHT]
    for bar in drawn.bars:
        assert float(bar.y) + float(bar.height) == HEIGHT
        assert float(bar.x) + float(bar.width) <= WIDTH


def test_the_smallest_amount_beside_a_large_one_is_still_seen() -> None:
    small, _ = cost_chart([line("Mon", "0.000001"), line("Tue", "1000")], "day").bars

    assert float(small.height) > 0


def test_the_sentence_says_what_is_added_up_and_where_the_most_was() -> None:
    drawn = cost_chart([line("Mon", "1"), line("Tue", "2.5")], "day")

    assert drawn.label == "Cost per day, Mon to Tue: $3.50 in all. The most was $2.50, Tue."


def test_unknown_prices_are_never_drawn_or_said_as_zero() -> None:
    drawn = cost_chart([line("Mon", "0", 2), line("Tue", "1", 1), line("Wed", "0")], "day")

    assert [bar.is_unpriced for bar in drawn.bars] == [True, True, False]
    assert [bar.text for bar in drawn.bars] == [
        "2 costs without a price",
        "≥ $1.00 + 1 cost without a price",
        "$0.00",
    ]
    assert drawn.title == "Cost per day: ≥ $1.00 + 3 costs without a price in all"


def test_where_nothing_is_known_nothing_is_the_most() -> None:
    drawn = cost_chart([line("Mon", "0", 1)], "day")

    assert drawn.label == "Cost per day, Mon to Mon: 1 cost without a price in all."
    assert drawn.bars[0].height == "0.00"
