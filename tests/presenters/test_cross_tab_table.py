"""The cross-tab of the report as a page shows it."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from batchapp.models.fields.money_field import UNIT
from batchapp.presenters.cross_tab_table import MAX_COLUMNS, MAX_ROWS, cross_tab_table
from batchapp.services.reports.cross_tab import TIME, Cells, CrossTab
from batchapp.services.reports.line import Line, add


def line(key: str, cost: str = "1", unpriced: int = 0, batches: int = 1) -> Line:
    requests = int(batches > 0)
    return Line(
        key, key, batches, requests, 1, 1, 0, Decimal(cost), Decimal(0), Decimal(0), unpriced
    )


def table(by: str, across: str, rows: Sequence[Line], columns: Sequence[Line]) -> CrossTab:
    """Return a table in which each row has a cell in each column that has a batch."""
    cells = {
        (row.key, column.key): (1, 1, 1, 1, 0, int(row.cost_usd / UNIT), 0, 0, row.unpriced)
        for row in rows
        for column in columns
        if column.batches
    }
    total = add("", "Total", list(columns))
    return CrossTab(by, across, "month", list(rows), list(columns), Cells(cells), total)


def link(row: str | None, column: str | None) -> str:
    return f"?{row}-{column}"


def test_months_before_the_first_batch_and_after_the_last_are_left_out() -> None:
    months = [line(f"2026-{month:02}-01", batches=month in {3, 5}) for month in range(1, 9)]

    shown = cross_tab_table(
        table("model", TIME, [line("Qwen/Qwen3-30B")], months), link, with_all=False
    )

    assert [name for name, _ in shown.columns] == ["Mar 2026", "Apr 2026", "May 2026"]
    assert [cell.text for cell in shown.rows[0].cells] == ["$1.00", "", "$1.00"]
    assert shown.rows[0].name == "Qwen3-30B"


@pytest.mark.parametrize(("with_all", "rows", "hidden"), [(False, MAX_ROWS, 5), (True, 30, 0)])
def test_many_rows_are_cut_unless_all_are_asked_for(
    with_all: bool,  # a parameter of the test
    rows: int,
    hidden: int,
) -> None:
    many = [line(f"p{number}") for number in range(30)]

    shown = cross_tab_table(
        table("project", "window", many, [line("24h")]), link, with_all=with_all
    )

    assert (len(shown.rows), shown.hidden) == (rows, hidden)


def test_the_smallest_of_many_columns_share_one_with_their_sum() -> None:
    columns = [line(f"m{number}", "2") for number in range(MAX_COLUMNS + 2)]

    shown = cross_tab_table(
        table("project", "user", [line("a", "2")], columns), link, with_all=False
    )

    assert len(shown.columns) == MAX_COLUMNS
    assert shown.columns[-1] == ("3 others", "")
    assert shown.rows[0].cells[-1].text == "$6.00"
    assert shown.foot[-1].text == "$6.00"


def test_tags_share_no_column_because_a_batch_may_have_several() -> None:
    columns = [line(f"t{number}") for number in range(MAX_COLUMNS + 2)]

    shown = cross_tab_table(table("project", "tag", [line("a")], columns), link, with_all=False)

    assert len(shown.columns) == MAX_COLUMNS + 2
    assert "may add up to more than the totals" in shown.overlap


def test_what_has_no_price_is_named_and_the_largest_cost_has_the_strongest_tint() -> None:
    rows = [line("a", "5"), line("b", "1", 1), line("c", "0", 2)]

    shown = cross_tab_table(table("project", "window", rows, [line("24h")]), link, with_all=False)

    cells = [row.cells[0] for row in shown.rows]
    assert [cell.text for cell in cells] == ["$5.00", "≥ $1.00", "no price"]
    assert [cell.tint for cell in cells] == [5, 1, 0]
    assert cells[1].title == "At least $1.00, 1 batch: 1 cost without a price"
