"""The table of results: a page of them, their distributions, and what narrows them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import BY_LINE, PAGE_SIZES, ResultView
from batchapp.forms.batches.results import ResultFilterForm, address, parameters
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.presenters.list_text import no_match
from batchapp.presenters.result_chips import result_chips
from batchapp.presenters.results.active_filters import active_filters
from batchapp.presenters.results.facet_charts import FacetChart
from batchapp.presenters.results.result_columns import heads
from batchapp.services.results.columns.columns_reader import ColumnsReader
from batchapp.services.results.columns.open_columns import open_columns
from batchapp.views.permissions import batch_with_content
from batchapp.views.results.columns_file import ColumnsState, columns_state_of
from batchapp.views.results.head import head_of
from batchapp.views.results.result_page import (
    ResultPage,
    columns_of,
    database_page,
    facets_of,
    file_page,
    filter_form,
    kept_address,
    unknown_column,
)

PAGE = "batchapp/results/result_list.html"


@require_safe
def result_list(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_with_content(request, pk)
    retries = retry_labels(batch)
    form = filter_form(request, batch, retries)
    view = form.view or ResultView()
    state = columns_state_of(request, batch)
    with open_columns(state.columns, request.user, own=view.chosen.own) as reader:
        usable = reader if state.is_usable else None
        if state.is_usable and not reader:  # it is built again when the page asks once more
            state = replace(state, is_usable=False, percent=0)
        if usable and form.is_valid() and (line := form.cleaned_data["line"]):
            return redirect(request.path + _address_of_line(usable, view, line))
        page = (
            file_page(
                batch,
                usable,
                view,
                retries,
                is_valid=form.is_valid(),
                wants_facets="distributions" in request.GET,
            )
            if usable
            else database_page(batch, request.user, form, retries)
        )
        filters = active_filters(view, usable)
    is_merged = bool(retries or batch.reused)
    head = head_of(request, batch, has_retries=is_merged, outcomes=page.counts)
    context = head | _context(request, form, view, page, state) | {"active_filters": filters}
    return render_partial(request, PAGE, "rows", context)


@require_safe
def result_facets(request: Request, pk: UUID) -> HttpResponse:
    """Show the distributions alone, for the head of a table that is shown already."""
    batch = batch_with_content(request, pk)
    view = filter_form(request, batch, retry_labels(batch)).view
    state = columns_state_of(request, batch)
    facets: list[FacetChart] = []
    own = bool(view and view.chosen.own)
    with open_columns(state.columns, request.user, own=own) as reader:
        if reader and view and state.is_usable and unknown_column(reader, view) is None:
            facets = facets_of(reader, columns_of(reader, view)[0], view)
    return render(request, "batchapp/results/_facets.html", {"facets": facets})


def _address_of_line(reader: ColumnsReader, view: ResultView, line: int) -> str:
    """Return the parameters of the page with ``line``, in the order of the lines."""
    if unknown_column(reader, view) is not None:
        return address(view)
    place = min(reader.place_of(line, view.chosen), max(0, reader.count(view.chosen) - 1))
    shown = address(view, sorting=BY_LINE, page=place // view.size + 1)
    return f"{shown}#line-{line}"


def _context(
    request: Request,
    form: ResultFilterForm,
    view: ResultView,
    page: ResultPage,
    state: ColumnsState,
) -> dict[str, Any]:
    chosen = view.chosen
    is_narrowed = not chosen.is_empty
    where = "custom_id, question or answer" if page.pager else "custom_id"
    has_others = bool(chosen.outcome or chosen.column_names)
    return {
        "form": form,
        "view": view,
        "page": page,
        "state": state,
        "heads": heads(page.columns, view) if page.pager else [],
        "chips": result_chips(page.counts, view),
        "is_fragment": wants_fragment(request),
        "is_all": not is_narrowed and form.is_valid() and not request.GET.get("after"),
        "no_match": page.problem
        or no_match("request", where, request.GET.get("q", ""), has_other_filters=has_others),
        "filter": kept_address(view),
        "search_parameters": parameters(view, without={"q", "attempts", "page"}),
        "column_parameters": parameters(view, without={"columns", "page"}),
        "line_parameters": parameters(view, without={"page", "sort"}),
        "size_urls": [
            (size, address(view, size=size, page=1), size == view.size) for size in PAGE_SIZES
        ],
        "missing": page.counts.get(Outcome.MISSING, 0),
    }
