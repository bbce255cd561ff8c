"""Lists of batches."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from batchapp.forms.batches import BatchFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch
from batchapp.views.access import can_write, project_of
from batchapp.views.stretch import stretch_of
from batchapp.views.summary import summarise, with_details


@require_safe
def batches(request: Request) -> HttpResponse:
    """All batches the person may see."""
    return _list(request, {"nav": "batches"})


@require_safe
def project_batches(request: Request, slug: str) -> HttpResponse:
    """The batches of one project."""
    project = project_of(request, slug)
    context = {"project": project, "nav": "projects", "tab": "batches"}
    return _list(request, context | {"can_write": can_write(request, project)})


def _list(request: Request, context: dict[str, Any]) -> HttpResponse:
    project = context.get("project")
    form = BatchFilterForm(request.GET, user=request.user, project=project)
    rows = Batch.objects.visible_to(request.user)
    if project:
        rows = rows.filter(project=project)
    stretch = stretch_of(
        form.narrow(rows),
        active_first=form.wants_active_first,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    found = with_details(Batch.objects.visible_to(request.user)).in_bulk(stretch.keys)
    summaries = [summarise(found[key]) for key in stretch.keys if key in found]
    context |= {
        "form": form,
        "stretch": stretch,
        "summaries": summaries,
        "is_moving": any(summary.is_moving for summary in summaries),
    }
    return render_partial(request, "batchapp/batches/batches.html", "rows", context)
