"""The lists of all batches and of the batches of one project."""

from dataclasses import replace
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from batchapp import access
from batchapp.domain.results.comparison import MAX_BATCHES
from batchapp.forms.batches.batch_list import BatchFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Project, SavedView
from batchapp.models.batches.small_batches import (
    MAX_SMALL_REQUESTS,
    MIN_GROUPED,
    small_batches,
)
from batchapp.pipeline.states import BATCH_STATES
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_details
from batchapp.presenters.batches.row_actions import row_actions
from batchapp.presenters.batches.view_chips import view_chips
from batchapp.presenters.list_text import no_match, page_text, small_batches_text
from batchapp.presenters.pagination import NEWEST_FIRST, SORTS, Order, list_page
from batchapp.views.batches.list_address import filter_values
from batchapp.views.permissions import can_write, memberships_of, project_of
from batchapp.views.project_page import project_page


@require_safe
def batch_list(request: Request) -> HttpResponse:
    return _list(request, {"nav": "batches"})


@require_safe
def project_batch_list(request: Request, slug: str) -> HttpResponse:
    project = project_of(request, slug)
    return _list(request, project_page(request, project, "project_batch_list"))


def _list(request: Request, context: dict[str, Any]) -> HttpResponse:
    project = context.get("project")
    projects = [project] if project else [row.project for row in memberships_of(request)]
    form = BatchFilterForm(request.GET, projects=projects, states=BATCH_STATES)
    if project:
        del form.fields["project"]
    rows = Batch.objects.visible_to(request.user)
    if project:
        rows = rows.filter(project=project)
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in SORTS:
        sort = NEWEST_FIRST
    is_selecting = "select" in request.GET
    wanted = form.narrow(rows)
    sums = _sums(wanted) if form.groups_small and not is_selecting else None
    has_group = sums is not None and sums["small"] >= MIN_GROUPED
    matching = wanted.exclude(small_batches()) if has_group else wanted
    page = list_page(
        matching,
        Order(sort, active_first=form.wants_active_first),
        among=rows,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    batches = with_details(Batch.objects.visible_to(request.user)).in_bulk(page.keys)
    if page.total is not None:
        number = page.total
    elif sums is not None:
        number = sums["number"] - (sums["small"] if has_group else 0)
    else:
        number = matching.count()
    values = filter_values(request)
    if project:
        values.pop("project", None)
    views = SavedView.objects.visible_to(request.user).filter(project=project)
    chips = view_chips(list(views.select_related("project")), values, request.GET.get("view", ""))
    current = next((chip for chip in chips if chip.is_current), None)
    summaries = [_with_menu(request, batches[key]) for key in page.keys if key in batches]
    context |= {
        "form": form,
        "no_match": no_match(
            "batch",
            "name, file or id",
            request.GET.get("q", ""),
            has_other_filters=not form.searches_only,
        ),
        "searched": _searched(form, project, rows.count()) if not summaries else "",
        "total": rows.count,
        "page": page,
        "page_text": page_text(page, number),
        "sort": sort,
        "summaries": summaries,
        "small_batches": small_batches_text(sums["small"], sums["cost"], unpriced=sums["unpriced"])
        if sums is not None and has_group
        else "",
        "most_small_requests": MAX_SMALL_REQUESTS,
        "fewest_grouped": MIN_GROUPED,
        "is_moving": not is_selecting and any(summary.is_moving for summary in summaries),
        "is_selecting": is_selecting,
        "has_menus": not is_selecting,
        "kept_filter": values.items(),
        "chips": chips,
        "current_view": current and current.view,
        "may_change_view": current and access.can_change_view(request.user, current.view),
        "can_save_view": bool(values) and (current is None or current.is_changed),
        "number_matching": number,
        "most_compared": MAX_BATCHES,
        "may_change": any(can_write(request, row.project) for row in memberships_of(request))
        if project is None
        else can_write(request, project),
    }
    return render_partial(request, "batchapp/batches/batch_list.html", "rows", context)


def _with_menu(request: Request, batch: Batch) -> Summary:
    summary = summarise(batch)
    menu = row_actions(summary, can_write=can_write(request, batch.project))
    return replace(summary, menu=menu)


def _sums(rows: "QuerySet[Batch]") -> dict[str, Any]:
    """Return the number of batches, and the number and cost of the small ones among them."""
    is_small = small_batches()
    return rows.order_by().aggregate(
        number=Count("pk"),
        small=Count("pk", filter=is_small),
        unpriced=Count("pk", filter=is_small & Q(actual_cost_usd=None)),
        cost=Sum("actual_cost_usd", filter=is_small),
    )


def _searched(form: BatchFilterForm, project: Project | None, total: int) -> str:
    """Say in which batches the filters looked, for a list that none is left in."""
    where = "this project" if project else form.project_label
    return f"0 of {total:,}. Searched in {where}, {form.range_label.lower()}."
