"""The lines of statements: whatever the figures become, the lines together say them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.statement_changes import (
    COUNTS,
    NOTHING,
    Figures,
    LineKind,
    add_up,
    new_lines,
)

COST = st.none() | st.integers(0, 10**17).map(lambda units: units * Decimal("1E-8"))
FIGURES = st.builds(
    Figures,
    counts=st.tuples(*[st.integers(0, 10**12)] * len(COUNTS)),
    cost_usd=COST,
)


def figures(cost: str | None, first: int = 0) -> Figures:
    return Figures((first, *NOTHING[1:]), None if cost is None else Decimal(cost))


@given(st.lists(FIGURES, min_size=1, max_size=8))
def test_the_lines_together_always_say_the_newest_figures(history: list[Figures]) -> None:
    lines: list[Figures] = []

    for now in history:
        lines += [line for _, line in new_lines(now, add_up(lines), is_of_month=True)]
        assert add_up(lines) == now
        known = sum(line.cost_usd for line in lines if line.cost_usd is not None)
        assert known == (now.cost_usd or 0)


@given(FIGURES)
def test_the_same_figures_need_no_line(now: Figures) -> None:
    assert new_lines(now, now, is_of_month=False) == []


@pytest.mark.parametrize(
    ("stated", "now", "lines"),
    [
        (None, figures("2"), [(LineKind.BATCH, figures("2"))]),
        (figures("2"), figures("2.5"), [(LineKind.ADJUSTMENT, figures("0.5"))]),
        (figures("2"), figures("0.5"), [(LineKind.CREDIT, figures("-1.5"))]),
        (figures("2"), figures("2", 3), [(LineKind.ADJUSTMENT, figures("0", 3))]),
        (figures(None), figures("7"), [(LineKind.ADJUSTMENT, figures("7"))]),
        (figures(None), figures("0"), [(LineKind.ADJUSTMENT, figures("0"))]),
        (figures(None), figures(None, 3), [(LineKind.ADJUSTMENT, figures(None, 3))]),
        (
            figures("2"),
            figures(None, 1),
            [(LineKind.CREDIT, figures("-2")), (LineKind.ADJUSTMENT, figures(None, 1))],
        ),
        (figures("0"), figures(None), [(LineKind.ADJUSTMENT, figures(None))]),
    ],
)
def test_a_change_has_the_kind_and_the_difference_that_people_expect(
    stated: Figures | None, now: Figures, lines: list[tuple[LineKind, Figures]]
) -> None:
    assert new_lines(now, stated, is_of_month=True) == lines


def test_a_batch_of_an_earlier_month_that_no_statement_has_is_an_adjustment() -> None:
    assert new_lines(figures("2"), None, is_of_month=False) == [
        (LineKind.ADJUSTMENT, figures("2"))
    ]
