"""What is said of estimates and costs."""

from decimal import Decimal

import pytest

from batchapp.presenters.accuracy_text import by_difference, rails, summary
from batchapp.services.reports.estimate_accuracy import Line


def line(estimated: str, cost: str, low: str = "", high: str = "") -> Line:
    return Line(
        project="Team",
        model="Qwen",
        batches=1,
        estimated_usd=Decimal(estimated),
        cost_usd=Decimal(cost),
        inside=1,
        low_usd=Decimal(low) if low else None,
        high_usd=Decimal(high) if high else None,
    )


@pytest.mark.parametrize(
    ("batches", "inside", "said"),
    [
        (29, 29, "All 29 batches stayed inside the range shown"),
        (29, 27, "27 of 29 batches stayed inside the range shown"),
        (1, 1, "The one batch stayed inside the range shown"),
        (1, 0, "0 of 1 batch stayed inside the range shown"),
    ],
)
def test_the_headline_counts_batches_inside_the_range(
    batches: int, inside: int, said: str
) -> None:
    sentences = summary([line("1", "1")], batches, inside)

    assert sentences
    assert sentences.inside == said


@pytest.mark.parametrize(
    ("estimated", "cost", "said"),
    [
        ("370.44", "99.99", "73 % less than estimated: $99.99 against $370.44."),
        ("1", "3.7", "3.7 times the estimates: $3.70 against $1.00."),
        ("1.17", "1", "15 % less than estimated: $1.00 against $1.17."),
        ("0.83", "1", "20 % more than estimated: $1.00 against $0.83."),
        ("1.001", "1", "as much as estimated: $1.00 against $1.00."),
        ("1", "0", "100 % less than estimated: $0.00 against $1.00."),
        ("0", "1", "more than estimated: $1.00 against $0.00."),
    ],
)
def test_the_second_sentence_compares_the_sums(estimated: str, cost: str, said: str) -> None:
    sentences = summary([line(estimated, cost)], 1, 1)

    assert sentences
    assert sentences.together == f"Taken together, they cost {said}"


def test_without_batches_nothing_is_said() -> None:
    assert summary([], 0, 0) is None


def test_each_model_has_its_range_if_it_was_shown() -> None:
    (_, known), (_, unlimited), (_, unknown) = rails(
        [line("2", "3", "1", "5"), line("2", "3", "1"), line("2", "3")]
    )

    assert known
    assert (known.first, known.last) == ("least $1.00", "most $5.00")
    assert unlimited
    assert unlimited.last == "no limit"
    assert unknown is None


def test_the_estimates_that_were_the_furthest_off_come_first_and_are_marked() -> None:
    lines = [line("10", "10.5"), line("10", "37.3"), line("10", "7"), line("0", "1")]

    ordered = by_difference(lines)

    assert [(str(row.cost_usd), said, is_far) for row, said, is_far in ordered] == [
        ("37.3", "3.7 times", True),
        ("7", "30 % less", True),
        ("10.5", "5 % more", False),
        ("1", "", False),
    ]
