"""Lists of batches."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from batchapp.forms.batches import BatchFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch
from batchapp.views.access import can_write, project_of
from batchapp.views.summary import summarise, with_details

PAGE_SIZE = 25


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
    form = BatchFilterForm(request.GET, user=request.user)
    rows = Batch.objects.visible_to(request.user)
    if project := context.get("project"):
        rows = rows.filter(project=project)
        del form.fields["project"]
    page = Paginator(with_details(form.narrow(rows)), PAGE_SIZE).get_page(request.GET.get("page"))
    summaries = [summarise(batch) for batch in page]
    context |= {
        "form": form,
        "page": page,
        "summaries": summaries,
        "is_moving": any(summary.is_moving for summary in summaries),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render_partial(request, "batchapp/batches/batches.html", "rows", context)
