"""How often values occur."""

from decimal import Decimal

from batchapp.presenters.charts.bars import Chart
from batchapp.presenters.charts.histogram import histogram


def chart(*values: float) -> Chart:
    drawn = histogram(
        [Decimal(str(value)) for value in values],
        "request",
        title="Tokens",
        column="Requests",
        show=lambda value: f"{value:,}",
    )
    assert drawn
    return drawn


def test_every_value_is_in_one_range_of_a_round_width() -> None:
    drawn = chart(0, 9.9, 10, 11, 95)

    counts = {bar.datum.name: bar.datum.total for bar in drawn.bars if bar.datum.total}
    assert counts == {"5 to 10": 1, "10 to 15": 2, "0 to 5": 1, "95 to 100": 1}
    assert drawn.label == "Tokens, 0 to 95: 5 requests. Most are at 10 to 15."
    assert len(drawn.bars) <= 20


def test_the_few_largest_share_the_last_range() -> None:
    drawn = chart(*range(100), 90_000)

    assert drawn.bars[-1].datum.name.endswith(" or more")
    assert sum(bar.datum.total for bar in drawn.bars) == 101
    assert len(drawn.bars) == 10
    assert [tick.text for tick in drawn.ticks][-1] == "80"


def test_equal_values_and_zeros_are_one_bar() -> None:
    for values in ((7, 7, 7), (0, 0)):
        assert [bar.datum.total for bar in chart(*values).bars if bar.datum.total] == [len(values)]


def test_labels_stand_at_the_edges_of_the_bars_and_are_few() -> None:
    ticks = chart(*range(100)).ticks

    assert (ticks[0].text, ticks[0].x) == ("0", "0.00")
    assert len(ticks) <= 9


def test_without_values_there_is_no_chart() -> None:
    assert histogram([], "request", title="", column="", show=str) is None


def test_a_value_to_compare_with_is_always_on_the_axis() -> None:
    for values in ((20, 30, 40), (150, 990), range(80, 130), (100,)):
        drawn = histogram(
            [Decimal(value) for value in values],
            "batch,batches",
            title="Share",
            column="Batches",
            show=lambda percent: f"{percent:,.0f} %",
            mark=Decimal(100),
        )

        assert drawn
        assert [tick.x for tick in drawn.ticks if tick.text == "100 %"] == [drawn.mark_x]
        assert 0 < float(drawn.mark_x) <= 100
        assert len(drawn.ticks) <= 10


def test_without_a_value_to_compare_with_nothing_is_marked() -> None:
    assert chart(1, 2, 3).mark_x == ""
