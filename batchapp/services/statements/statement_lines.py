"""Read the lines of a statement, or those that a month would have now, page by page."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator

from batchapp.domain.csv_list import escape_formula
from batchapp.models import StatementLine
from batchapp.models.row_blocks import in_order
from batchapp.services.statements import direct_sums, unstated
from batchapp.services.statements.part import Part


def line_page(part: Part, number: str | None, size: int) -> tuple[Any, list[StatementLine]]:
    """Return a page of ``part``, which has one project, and its lines.

    A page of a month that is not closed may have some lines more or fewer than ``size``, since
    it has those of ``size`` costs.
    """
    if part.is_open:
        costs = unstated.with_batches(part.costs())
        page: Page[Any] = Paginator(
            costs.order_by("batch__finished_at", "batch_id", "pk"), size
        ).get_page(number)
        drafts = unstated.draft_lines(list(page.object_list), part.month)
        lines = [line for line in drafts if part.has(line)]
        for place, line in enumerate(lines, page.start_index()):
            line.number = place
        return page, lines
    rows = part.lines().select_related("earlier__statement").order_by("number")
    page = Paginator(rows, size).get_page(number)
    return page, list(page.object_list)


def csv_rows(part: Part) -> Iterator[list[object]]:
    """Yield a header, one row for each line, and rows that add up the single requests.

    Unknown costs are empty. The rows of a month that is not closed have no number, and may
    change.
    """
    yield ["month", *_COLUMNS]
    for project, line in _all_lines(part):
        values = [value(line) for value in _COLUMNS.values()]
        values[0] = escape_formula(project)
        yield [f"{part.month:%Y-%m}", *values]
    for row in direct_sums.csv_rows(part):
        row |= {name: escape_formula(row[name]) for name in ("project", "person", "model")}
        row["cost_usd"] = _plain(row["cost_usd"])
        yield [f"{part.month:%Y-%m}", *(row.get(column, "") for column in _COLUMNS)]


def _all_lines(part: Part) -> Iterator[tuple[str, StatementLine]]:
    """Yield each line with the name of its project, in blocks that bound the memory."""
    if not part.is_open:
        rows = part.lines().select_related("statement", "earlier__statement")
        rows = rows.order_by("statement__project_name", "statement", "number")
        for line in in_order(rows):
            yield line.statement.project_name, line
        return
    costs = part.costs().order_by("batch__finished_at", "batch_id", "pk")
    for block in unstated.in_blocks(costs):
        projects = {cost.batch_id: cost.batch.project.name for cost in block}
        for line in unstated.draft_lines(block, part.month):
            if part.has(line):
                yield projects[line.batch_id], line


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def _rate(name: str) -> Callable[[StatementLine], object]:
    return lambda line: _plain(getattr(line.unit_price, name, None))


def _earlier_month(line: StatementLine) -> str:
    return f"{line.earlier.statement.month:%Y-%m}" if line.earlier else ""


_COLUMNS: dict[str, Callable[[StatementLine], object]] = {
    "project": lambda _: "",
    "line": lambda line: line.number or "",
    "kind": lambda line: str(line.kind),
    "adjusts_month": _earlier_month,
    "finished_at": lambda line: line.finished_at.isoformat(),
    "batch": lambda line: line.batch_id,
    "name": lambda line: escape_formula(line.batch_name),
    "person": lambda line: escape_formula(line.person),
    "cost_centre": lambda line: escape_formula(line.cost_centre),
    "tags": lambda line: escape_formula(", ".join(line.tags)),
    "model": lambda line: escape_formula(line.model),
    "window": lambda line: line.window,
    "requests": lambda line: line.requests,
    "answers": lambda line: line.answers,
    "input_tokens": lambda line: line.input_tokens,
    "output_tokens": lambda line: line.output_tokens,
    "cached_tokens": lambda line: line.cached_tokens,
    "written_5m_tokens": lambda line: line.written_5m_tokens,
    "written_1h_tokens": lambda line: line.written_1h_tokens,
    "written_24h_tokens": lambda line: line.written_24h_tokens,
    "input_usd_per_million": _rate("input"),
    "output_usd_per_million": _rate("output"),
    "cached_usd_per_million": _rate("cached_read"),
    "cost_usd": lambda line: _plain(line.cost_usd),
    "total_usd": lambda line: _plain(line.total_usd),
}
