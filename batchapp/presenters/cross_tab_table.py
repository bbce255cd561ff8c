"""A cross-tab as a page shows it: the largest rows and columns, and a tint by size of cost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from batchapp.domain.reports.periods import MONTH
from batchapp.presenters.report_text import contents_text, group_name
from batchapp.services.reports.cross_tab import TIME, CrossTab
from batchapp.services.reports.line import Line, add
from batchapp.templatetags.words import count, short, usd, usd_in_column

MAX_ROWS = 25  # the largest; the address asks for all of them
MAX_COLUMNS = 10  # of groups; the smallest share one column, and months have one each
TINTS = 5

Link = Callable[[str | None, str | None], str]


@dataclass(frozen=True, slots=True)
class Cell:
    """``text`` is short, and "" without a batch; ``tint`` is 0 to 5."""

    text: str = ""
    title: str = ""
    url: str = ""
    tint: int = 0

    @property
    def tone(self) -> str:
        """Return the name of the tint in the style sheets."""
        return f"tint-{self.tint}"


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    url: str
    cells: list[Cell]
    total: Cell


@dataclass(frozen=True, slots=True)
class Table:
    """``hidden`` is the number of smaller rows that are left out; the foot counts them as well."""

    columns: list[tuple[str, str]]
    rows: list[Row]
    foot: list[Cell]
    total: Cell
    hidden: int
    overlap: str


def cross_tab_table(table: CrossTab, link: Link, *, with_all: bool) -> Table:
    """Return what the page shows; ``link`` has the address of a cell by the keys of its groups.

    One of the keys is None for the total of a row or a column.
    """
    shown, others = _columns(table)
    rows = table.rows if with_all or table.by == TIME else table.rows[:MAX_ROWS]
    largest = table.cells.largest_usd

    def cells_of(row: Line) -> list[Cell]:
        cells = [
            _cell(table.cells.get((row.key, column.key)), link(row.key, column.key), largest)
            for column in shown
        ]
        return [*cells, _cell(_sum_of(table, row, others))] if others else cells

    return Table(
        columns=[
            *((_head(table.across, table, column), link(None, column.key)) for column in shown),
            *([(count(len(others), "other"), "")] if others else []),
        ],
        rows=[
            Row(_head(table.by, table, row), link(row.key, None), cells_of(row), _cell(row))
            for row in rows
        ],
        foot=[
            *(_cell(column) for column in shown),
            *([_cell(add("", "", others))] if others else []),
        ],
        total=_cell(table.total),
        hidden=len(table.rows) - len(rows),
        overlap=_overlap(table),
    )


def _head(dimension: str, table: CrossTab, line: Line) -> str:
    """Return a name for a narrow column: a month by three letters, a model without its maker."""
    if dimension == TIME and table.unit == MONTH:
        return f"{date.fromisoformat(line.key):%b %Y}"
    name = group_name(dimension, line.name)
    return short(name) if dimension == "model" else name


def _columns(table: CrossTab) -> tuple[list[Line], list[Line]]:
    """Return the columns that are shown, and those that share one.

    Months before the first cost and after the last one are left out.
    """
    columns = table.columns
    if table.across == TIME:
        used = [number for number, column in enumerate(columns) if not column.is_empty]
        return (columns[used[0] : used[-1] + 1] if used else []), []
    if len(columns) <= MAX_COLUMNS:
        return columns, []
    if table.columns_overlap:  # together, tags would count a batch several times
        return columns, []
    return columns[: MAX_COLUMNS - 1], columns[MAX_COLUMNS - 1 :]


def _sum_of(table: CrossTab, row: Line, columns: list[Line]) -> Line | None:
    cells = [table.cells.get((row.key, column.key)) for column in columns]
    known = [cell for cell in cells if cell]
    return add("", "", known) if known else None


def _cell(line: Line | None, url: str = "", largest: Decimal = Decimal(0)) -> Cell:
    if line is None or line.is_empty:
        return Cell()
    title = f"{usd(line.cost_usd)}, {contents_text(line)}"
    text = usd_in_column(line.cost_usd, "≥ " if line.unpriced else "")
    if line.unpriced:
        title = f"At least {title}: {count(line.unpriced, 'cost')} without a price"
        if not line.cost_usd:
            text = "no price"
    share = TINTS * line.cost_usd / largest if largest else Decimal(0)
    return Cell(text, title, url, int(share.to_integral_value(ROUND_CEILING)))


def _overlap(table: CrossTab) -> str:
    if not table.rows_overlap and not table.columns_overlap:
        return ""
    side = "line" if table.rows_overlap else "column"
    return (
        f"A batch with several tags counts in the {side} of each, so the {side}s may add up to "
        "more than the totals. The totals count every batch once."
    )
