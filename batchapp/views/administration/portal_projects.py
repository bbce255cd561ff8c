"""All projects of the portal; an administrator sees the content of those that they joined."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, OuterRef, Prefetch, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.forms.administration import ProjectsFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.presenters.charts.spending import cost_text
from batchapp.presenters.direct_text import direct_text
from batchapp.services.projects import join_project
from batchapp.services.reports import cost_report
from batchapp.services.reports.direct_sums import direct_sum
from batchapp.services.reports.scope import Scope
from batchapp.views.administration.console import (
    client_address,
    require_administrator,
)
from batchapp.views.permissions import memberships_of

PAGE_SIZE = 50
NAV = {"nav": "portal_projects"}


@require_safe
def portal_project_list(request: Request) -> HttpResponse:
    """List all projects, those with the newest batches first."""
    require_administrator(request)
    form = ProjectsFilterForm(request.GET)
    filters = form.cleaned()
    newest = Batch.objects.filter(project=OuterRef("pk")).order_by("-created_at")
    owners = Membership.objects.filter(role=Membership.Role.OWNER, user__is_active=True)
    rows = (
        Project.objects.filter(deleted_at=None)
        .select_related("connection")
        .prefetch_related(
            Prefetch("memberships", owners.select_related("user"), to_attr="owner_rows")
        )
        .annotate(
            running=Batch.objects.unfinished().count_for("project"),
            last_run=Subquery(newest.values("created_at")[:1]),
        )
        .order_by(F("last_run").desc(nulls_last=True), "name", "slug")
    )
    if filters["connection"]:
        rows = rows.filter(connection=filters["connection"])
    for word in (filters["q"] or "").split():
        rows = rows.filter(name__icontains=word)
    today = cost_report.portal_today()
    month = Scope(today.replace(day=1), today, request.user)
    costs = {
        line.key: cost_text(line.cost_usd, line.unpriced)
        for line in cost_report.sum_up(month, "project").lines
    }
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    own = {row.project_id: row.get_role_display() for row in memberships_of(request)}
    context = NAV | {
        "form": form,
        "page": page,
        "direct": direct_text(direct_sum(month)),
        "rows": [(row, costs.get(row.slug, ""), own.get(row.pk, "")) for row in page],
        "is_narrow": any(filters.values()),
    }
    return render(request, "batchapp/administration/portal_project_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def portal_project_join(request: Request, project: UUID) -> HttpResponse:
    """Ask for confirmation, then make the administrator an owner of the project."""
    require_administrator(request)
    row = get_object_or_404(Project, pk=project, deleted_at=None)
    if request.method == "POST":
        if join_project.join_as_owner(row, request.user, address=client_address(request)):
            messages.success(request, f"You are an owner of {row} now, as its members see.")
        return redirect(row)
    context = NAV | {"row": row}
    page = "batchapp/administration/portal_project_join.html"
    return render_partial(request, page, "dialog", context)
