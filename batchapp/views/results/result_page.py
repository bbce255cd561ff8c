"""One page of the table of results, from the columns file or from the database."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import PAGE_SIZES, ResultView
from batchapp.forms.batches.results import ResultFilterForm, address
from batchapp.http import Request
from batchapp.models import Batch, Result, User
from batchapp.presenters.list_text import lines_text
from batchapp.presenters.results.facet_charts import FacetChart, facet_chart
from batchapp.presenters.results.result_columns import (
    ColumnGroup,
    ResultColumn,
    shown_columns,
    toggled_json,
)
from batchapp.presenters.results.result_rows import (
    NEEDED,
    READ_TEXT,
    ResultRow,
    columns_without_file,
    rows_of_columns,
    rows_of_results,
)
from batchapp.presenters.reuse_text import origin_text
from batchapp.services.results import browse, outcome_counts
from batchapp.services.results.columns.columns_reader import FIELD, ColumnsReader
from batchapp.services.results.columns.facets import are_kept, read_facets

NEEDS_FILE = "Filters on columns need the prepared table"
FACETS_AT_ONCE = 50_000  # requests; the distributions of more come after the page


@dataclass(frozen=True, slots=True)
class Pager:
    """The place of a page among the results that match."""

    total: int
    page: int = 1
    size: int = PAGE_SIZES[0]

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        return (self.page - 1) * self.size + 1

    @property
    def last(self) -> int:
        return min(self.total, self.page * self.size)


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The content of the table, from the columns file or from the database.

    ``facets_url`` is the address of the distributions if they come after the page. ``links`` are
    those of the pager, by name.
    """

    columns: list[ResultColumn]
    rows: list[ResultRow]
    counts: dict[Outcome, int]
    pager: Pager | None = None
    text: str = ""
    links: dict[str, str] = field(default_factory=dict)
    groups: list[ColumnGroup] = field(default_factory=list)
    facets: list[FacetChart] = field(default_factory=list)
    facets_url: str = ""
    json_url: str = ""
    problem: str = ""

    @property
    def has_fields(self) -> bool:
        return any(column.group == FIELD for column in self.columns)


def filter_form(request: Request, batch: Batch, retries: dict[UUID, str]) -> ResultFilterForm:
    """Return the form that reads the address of the list of results of ``batch``."""
    return ResultFilterForm(request.GET, has_retries=bool(retries), has_reused=bool(batch.reused))


def file_page(
    batch: Batch,
    reader: ColumnsReader,
    view: ResultView,
    retries: dict[UUID, str],
    *,
    is_valid: bool,
    wants_facets: bool,
) -> ResultPage:
    """Return a page of the columns file; without rows if it is not ``is_valid``.

    The distributions of many results come after the page, unless a person ``wants_facets``.
    """
    counts = reader.outcome_counts()
    columns, groups = columns_of(reader, view)
    unknown = unknown_column(reader, view)
    if unknown is not None or not is_valid:
        problem = "" if unknown is None else f"The results have no column “{unknown[:60]}”"
        return ResultPage(columns, [], counts, Pager(0), groups=groups, problem=problem)
    total = reader.count(view.chosen)
    pages = Pager(total, size=view.size).pages
    pager = Pager(total, min(view.page, pages), view.size)
    names = list(dict.fromkeys([*NEEDED, *(column.name for column in columns)]))
    rows = reader.page(
        view.chosen,
        view.sorting,
        names,
        start=(pager.page - 1) * pager.size,
        size=pager.size,
        longest=READ_TEXT,
    )
    facet_names = _facet_names(columns)
    has_facets = (
        reader.total <= FACETS_AT_ONCE
        or wants_facets
        or are_kept(reader, view.chosen, facet_names)
    )
    return ResultPage(
        columns=columns,
        rows=rows_of_columns(rows, columns, _origins_of(batch, rows, view, retries)),
        counts=counts,
        pager=pager,
        links=_links(view, pager),
        groups=groups,
        facets=facets_of(reader, columns, view) if total and has_facets else [],
        facets_url=address(view) if total and not has_facets else "",
        json_url=toggled_json(view, columns, reader),
    )


def _links(view: ResultView, pager: Pager) -> dict[str, str]:
    numbers = {"first": 1, "previous": pager.page - 1, "next": pager.page + 1, "last": pager.pages}
    return {
        name: address(view, page=number)
        for name, number in numbers.items()
        if 1 <= number <= pager.pages and number != pager.page
    }


def _facet_names(columns: list[ResultColumn]) -> list[str]:
    return [column.name for column in columns if column.kind != "line"]


def facets_of(
    reader: ColumnsReader, columns: list[ResultColumn], view: ResultView
) -> list[FacetChart]:
    facets = read_facets(reader, view.chosen, _facet_names(columns))
    return [facet_chart(column, facets.get(column.name), view) for column in columns]


def columns_of(
    reader: ColumnsReader, view: ResultView
) -> tuple[list[ResultColumn], list[ColumnGroup]]:
    """Return the columns of the page in their order, and all of them to choose from."""
    counts = reader.outcome_counts()
    answered = sum(number for outcome, number in counts.items() if outcome.is_answer)
    return shown_columns(reader, view, answered)


def kept_address(view: ResultView | None) -> str:
    """Return the filter and the order of the list, for the page of one of its results."""
    parameters = address(view or ResultView(), page=1, columns=None, size=PAGE_SIZES[0])
    return "" if parameters == "?" else parameters


def unknown_column(reader: ColumnsReader, view: ResultView) -> str | None:
    """Return a column that the filter or the order names and that is not there."""
    names = [*sorted(view.chosen.column_names), view.sorting.column]
    return next((name for name in names if not reader.has_column(name)), None)


def database_page(
    batch: Batch, user: User, form: ResultFilterForm, retries: dict[UUID, str]
) -> ResultPage:
    """Page by line number: this is as fast at the end of a large file as at its start."""
    view = form.view or ResultView()
    counts = outcome_counts.count_outcomes(batch, with_retries=form.is_merged)
    if view.chosen.column_names:
        return ResultPage(columns_without_file(), [], counts, problem=NEEDS_FILE)
    rows = form.narrow(Result.objects.filter(batch=batch).order_by("line"))
    cleaned: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    after, before, size = cleaned.get("after"), cleaned.get("before"), view.size
    if line := cleaned.get("line"):
        after = line - 1
    if before is not None:
        page = list(rows.filter(line__lt=before).order_by("-line")[: size + 1])[::-1]
        shown = page[-size:]
        has_previous, has_next = len(page) > size, True
    else:
        page = list(rows.filter(line__gt=after or 0)[: size + 1])
        shown = page[:size]
        has_previous, has_next = bool(after), len(page) > size
    questions = browse.read_questions(batch, user, shown) if shown else {}
    prefetch_related_objects(shown, "retried__batch")
    origins = {row.line: origin_text(row, _best(row), retries) for row in shown}
    links = {}
    if shown and has_previous:
        links["previous"] = f"{address(view)}&before={shown[0].line}"
    if shown and has_next:
        links["next"] = f"{address(view)}&after={shown[-1].line}"
    total = sum(counts.values()) if view.chosen.is_empty else None
    return ResultPage(
        columns=columns_without_file(),
        rows=rows_of_results(shown, questions, origins),
        counts=counts,
        text=lines_text(shown[0].line, shown[-1].line, total) if shown else "",
        links={name: url.replace("?&", "?") for name, url in links.items()},
    )


def _origins_of(
    batch: Batch, rows: list[dict[str, Any]], view: ResultView, retries: dict[UUID, str]
) -> dict[int, str]:
    """Map the lines of a page to where their answers are from, if not from their own request."""
    if view.chosen.own or not (retries or batch.reused):
        return {}
    results = batch.results.filter(line__in=[row["line"] for row in rows])
    results = results.select_related("retried__batch")
    return {row.line: origin_text(row, row.best, retries) for row in results}


def _best(result: Result) -> Result:
    """Return the result that counts, if the query chose one among retries."""
    return result.best if hasattr(result, "merged") else result
