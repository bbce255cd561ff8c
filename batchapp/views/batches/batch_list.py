"""The lists of all batches and of the batches of one project."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from batchapp.forms.batches.batch_list import BatchFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Project
from batchapp.pipeline.states import BATCH_STATES
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.list_text import no_match, page_text
from batchapp.presenters.pagination import NEWEST_FIRST, SORTS, Order, list_page
from batchapp.views.permissions import memberships_of, project_of
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
    matching = form.narrow(rows)
    page = list_page(
        matching,
        Order(sort, active_first=form.wants_active_first),
        among=rows,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    batches = with_details(Batch.objects.visible_to(request.user)).in_bulk(page.keys)
    summaries = [summarise(batches[key]) for key in page.keys if key in batches]
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
        "page_text": page_text(page, matching.count()),
        "sort": sort,
        "summaries": summaries,
        "is_moving": any(summary.is_moving for summary in summaries),
    }
    return render_partial(request, "batchapp/batches/batch_list.html", "rows", context)


def _searched(form: BatchFilterForm, project: Project | None, total: int) -> str:
    """Say in which batches the filters looked, for a list that none is left in."""
    where = "this project" if project else form.project_label
    return f"0 of {total:,}. Searched in {where}, {form.range_label.lower()}."
