"""The single requests of a project as a list, with filters, and as a CSV."""

from collections.abc import Iterator

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.domain.csv_list import escape_formula
from batchapp.forms.direct.request_list import DirectRequestFilterForm
from batchapp.http import Request, download_csv, render_partial
from batchapp.presenters.direct_list import COLUMNS, csv_row, direct_row
from batchapp.services.direct import request_list
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import project_of
from batchapp.views.project_page import project_page


@require_safe
def direct_request_list(request: Request, slug: str) -> HttpResponse:
    """List the single requests of a project, newest first."""
    project = project_of(request, slug)
    form = DirectRequestFilterForm(request.GET, viewer=request.user, project=project)
    after = form.cleaned_data.get("after")
    page = request_list.read_page(form.scope(), after)
    context = project_page(request, project, "direct_request_list") | {
        "form": form,
        "page": page,
        "rows": [direct_row(row) for row in page.requests],
        "after": after,
    }
    return render_partial(request, "batchapp/direct/direct_request_list.html", "rows", context)


@require_safe
def direct_request_csv(request: Request, slug: str) -> HttpResponseBase:
    """Download the requests that the filters leave."""
    project = project_of(request, slug)
    form = DirectRequestFilterForm(request.GET, viewer=request.user, project=project)
    if not form.is_valid():  # the page shows the errors; a file of other rows would hide them
        return redirect(f"{reverse('direct_request_list', args=[slug])}?{request.GET.urlencode()}")
    # Now, as the days are those of the person's time zone, which is left before rows are sent.
    found = request_list.read_all(form.scope())

    def rows() -> Iterator[list[str]]:
        yield COLUMNS
        for row in found:
            yield [escape_formula(cell) for cell in csv_row(row)]

    note_download(request, "direct_requests", project)
    name = f"{project.slug}-single-requests-{timezone.localdate():%Y-%m-%d}.csv"
    return download_csv(rows(), name)
