"""Bars of spending over time."""

from decimal import Decimal

import pytest

from batchapp.presenters.charts.spending import cost_chart, spending_sparkline, stats, styles
from batchapp.services.reports.cost_report import Group
from batchapp.services.reports.line import Line
from batchapp.templatetags.marks import automatic_colour


def line(day: int, cost: str, unpriced: int = 0, batches: int = 1) -> Line:
    return Line(
        key=f"2026-11-{day:02}",
        name=f"{day} Nov 2026",
        batches=batches,
        requests=batches,
        input_tokens=1,
        cached_tokens=0,
        output_tokens=1,
        cost_usd=Decimal(cost),
        realtime_usd=Decimal(4),
        saving_usd=Decimal(1),
        unpriced=unpriced,
    )


def group(name: str, *costs: str) -> Group:
    return Group(
        name, name, {f"2026-11-{day:02}": Decimal(cost) for day, cost in enumerate(costs, 1)}
    )


def test_the_sentence_says_what_is_added_up_and_where_the_most_was() -> None:
    drawn = cost_chart([line(1, "1"), line(2, "2.5")], "day")

    assert drawn.label == (
        "Cost per day, 1 Nov 2026 to 2 Nov 2026: $3.50 in all. The most was $2.50, 2 Nov 2026."
    )


def test_unknown_prices_are_never_drawn_or_said_as_zero() -> None:
    drawn = cost_chart([line(1, "0", 2), line(2, "1", 1), line(3, "0", batches=0)], "day")

    assert [bar.datum.is_unpriced for bar in drawn.bars] == [True, True, False]
    assert [bar.datum.text for bar in drawn.bars] == [
        "2 costs without a price, 1 batch",
        "≥ $1.00 + 1 cost without a price, 1 batch",
        "$0.00",
    ]
    assert drawn.bars[1].figure == "≥ $1.00"
    assert drawn.has_unpriced
    assert "≥ $1.00 + 3 costs without a price in all" in drawn.label


def test_where_nothing_is_known_nothing_is_the_most() -> None:
    drawn = cost_chart([line(1, "0", 1)], "day")

    assert drawn.label.endswith(": 1 cost without a price in all.")
    assert drawn.bars[0].parts == []


def test_bars_are_stacked_by_group_in_the_order_of_the_groups() -> None:
    groups = [group("Qwen/large", "2", "1"), group("Qwen/small", "0", "0.5")]

    drawn = cost_chart([line(1, "2"), line(2, "1.5")], "day", groups)

    assert [(one.name, one.style) for one in drawn.series] == [("large", "1"), ("small", "2")]
    assert [[part.text for part in bar.parts] for bar in drawn.bars] == [
        ["$2.00"],
        ["$1.00", "$0.50"],
    ]


def test_of_forty_groups_the_six_largest_have_colours_and_the_rest_is_one_sum() -> None:
    groups = [group(f"model {number}", "1") for number in range(40)]

    drawn = cost_chart([line(1, "40")], "day", groups)

    assert [one.style for one in drawn.series] == ["1", "2", "3", "4", "5", "6", "other"]
    assert drawn.series[-1].name == "34 others"
    assert sum((bar.datum.total for bar in drawn.bars), Decimal(0)) == 40
    assert list(styles(groups).values()) == ["1", "2", "3", "4", "5", "6", *["other"] * 34]


def test_a_single_group_is_no_stack() -> None:
    assert len(cost_chart([line(1, "2")], "day", [group("one", "2")]).series) == 1


@pytest.mark.django_db
def test_projects_have_the_colours_of_their_marks_as_far_as_these_differ() -> None:
    slugs = {automatic_colour(slug): slug for slug in map(str, range(100))}
    twin = next(slug for slug in map(str, range(100, 200)) if automatic_colour(slug) == 3)

    colours = styles([group(slugs[3], "3"), group(twin, "2"), group(slugs[5], "1")], "project")

    assert colours == {slugs[3]: "3", twin: "1", slugs[5]: "5"}


def test_bars_with_batches_lead_to_their_day() -> None:
    drawn = cost_chart(
        [line(1, "2"), line(2, "0", batches=0)], "day", link=lambda day: f"?day={day.key}"
    )

    assert [bar.datum.url for bar in drawn.bars] == ["?day=2026-11-01", ""]
    assert drawn.is_linked


@pytest.mark.parametrize(
    ("with_sandbox", "unpriced", "first"),
    [
        (False, 0, ("$3.00", "paid")),
        (True, 0, ("$3.00", "cost")),
        (False, 2, ("≥ $3.00", "paid, 2 costs without a price")),
    ],
)
def test_figures_say_paid_only_of_what_was_paid(
    with_sandbox: bool, unpriced: int, first: tuple[str, str]
) -> None:
    figures = stats(line(1, "3", unpriced), with_sandbox=with_sandbox)

    assert figures == [
        first,
        ("$1.00", "saved by batches, 25 %"),
        ("1", "batch"),
        ("1", "request"),
    ]


def test_a_sparkline_says_its_days_and_its_sum() -> None:
    drawn = spending_sparkline([line(1, "1"), line(2, "2.5")], "day")

    assert drawn.label == "Cost per day, 1 Nov 2026 to 2 Nov 2026: $3.50 in all"
