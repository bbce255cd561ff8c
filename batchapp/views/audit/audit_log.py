"""The audit as a list, with filters, and as a CSV."""

from collections.abc import Iterator

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp import access
from batchapp.domain.csv_list import escape_formula
from batchapp.forms.audit import AuditFilterForm
from batchapp.http import Request, download_csv, render_partial
from batchapp.models import Project
from batchapp.presenters.audit_csv import COLUMNS, csv_row
from batchapp.presenters.audit_text import audit_row
from batchapp.services.audit import browse
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page

PAGE = "batchapp/audit/audit_log.html"


@require_safe
def audit_log(request: Request) -> HttpResponse:
    """List the events of the whole portal, newest first."""
    access.require_audit(request.user)
    return _page(request, None)


@require_safe
def project_audit_log(request: Request, slug: str) -> HttpResponse:
    """List the events of one project, newest first."""
    project = project_of(request, slug)
    require_owner(request, project)
    return _page(request, project)


@require_safe
def audit_csv(request: Request) -> HttpResponseBase:
    access.require_audit(request.user)
    return _csv(request, None)


@require_safe
def project_audit_csv(request: Request, slug: str) -> HttpResponseBase:
    project = project_of(request, slug)
    require_owner(request, project)
    return _csv(request, project)


def _page(request: Request, project: Project | None) -> HttpResponse:
    form = AuditFilterForm(request.GET, viewer=request.user, of_project=project)
    scope = form.scope()
    after = form.cleaned_data.get("after")
    page = browse.read_page(scope, after)
    prefix, args = ("project_", [project.slug]) if project else ("", [])
    context = {
        "form": form,
        "page": page,
        "rows": [audit_row(event, scope) for event in page.events],
        "after": after,
        "csv_url": reverse(f"{prefix}audit_csv", args=args),
        "zone": timezone.get_current_timezone_name(),
        "portal_zone": timezone.get_default_timezone_name(),
        "nav": "audit",
    }
    if project:
        context |= project_page(request, project, "project_settings")
    else:
        context["seal"] = browse.newest_seal()
    return render_partial(request, PAGE, "rows", context)


def _csv(request: Request, project: Project | None) -> HttpResponseBase:
    form = AuditFilterForm(request.GET, viewer=request.user, of_project=project)
    if not form.is_valid():  # the page shows the errors; a file of other events would hide them
        name, args = ("project_audit_log", [project.slug]) if project else ("audit_log", [])
        return redirect(f"{reverse(name, args=args)}?{request.GET.urlencode()}")
    scope = form.scope()
    # Now, as the days are those of the person's time zone, which is left before rows are sent.
    events = browse.read_all(scope)

    def rows() -> Iterator[list[str]]:
        yield COLUMNS
        for event in events:
            yield [escape_formula(cell) for cell in csv_row(event, scope)]

    note_download(request, "audit", project)
    prefix = f"{project.slug}-" if project else ""
    return download_csv(rows(), f"{prefix}audit-{timezone.localdate():%Y-%m-%d}.csv")
