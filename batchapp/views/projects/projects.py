"""Pages of projects: the list, a new project, the page of a project, its settings."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import Count, F, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.forms.projects import NamedForm, ProjectForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.charts.sparkline import Sparkline
from batchapp.presenters.charts.spending import cost_text, spending_chart, spending_sparklines
from batchapp.presenters.spending_change import change_since_month_before
from batchapp.services.projects import projects
from batchapp.services.reports import cost_report
from batchapp.views.permissions import memberships_of, project_of, require_admin
from batchapp.views.project_page import project_page

RECENT = 5
SPARKLINE_DAYS = 30


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in the list, with the reader's role and what was paid for it this month.

    ``sparkline`` is the cost of the latest days, None if no batch finished in them.
    """

    project: Project
    role: str
    cost: str
    sparkline: Sparkline | None


@require_safe
def project_list(request: Request) -> HttpResponse:
    under_way = Q(batches__status__in=[Batch.Status.RUNNING, Batch.Status.SETTLING])
    people = Membership.objects.filter(project=OuterRef("pk")).order_by().values("project")
    rows = (
        Project.objects.visible_to(request.user)
        .select_related("connection")
        .annotate(
            running=Count("batches", filter=under_way),
            last_run=Max("batches__created_at"),
            people=Subquery(people.annotate(n=Count("pk")).values("n")),
        )
        .order_by(F("last_run").desc(nulls_last=True), "name", "slug")
    )
    roles = {row.project_id: row.get_role_display() for row in memberships_of(request)}
    today = timezone.localdate()
    month = cost_report.Scope(today.replace(day=1), today, request.user)
    latest = replace(month, first=today - timedelta(days=SPARKLINE_DAYS - 1))
    lines = spending_sparklines(latest)
    costs = {
        line.key: cost_text(line.cost_usd, line.unpriced)
        for line in cost_report.sum_by(month.model_costs(), "project")
    }
    projects_shown = [
        ProjectRow(row, roles.get(row.pk, ""), costs.get(row.slug, "\u2013"), lines.get(row.slug))
        for row in rows
    ]
    context = {"rows": projects_shown, "nav": "projects"}
    return render(request, "batchapp/projects/project_list.html", context)


@require_http_methods(["GET", "POST"])
def project_add(request: Request) -> HttpResponse:
    """Create a project; the person becomes its first admin."""
    form = ProjectForm(
        request.POST if request.method == "POST" else None,
        initial={"connection": request.GET["connection"]} if "connection" in request.GET else None,
    )
    if request.method == "POST" and form.is_valid():
        project = form.unsaved_project()
        try:
            projects.create_project(project, request.user)
        except IntegrityError:  # the same name at the same moment: most likely a second click
            messages.error(
                request,
                "A project of this name was created at this very moment. If it is not among "
                "yours, create it again.",
            )
            return redirect("project_list")
        messages.success(request, f"{project.name} is ready. Upload its first file.")
        return redirect(project)
    return render(request, "batchapp/projects/project_add.html", {"form": form, "nav": "projects"})


@require_safe
def project_detail(request: Request, slug: str) -> HttpResponse:
    """Show the latest batches and files of a project, and its cost this month."""
    project = project_of(request, slug)
    rows = with_details(Batch.objects.visible_to(request.user).filter(project=project))
    summaries = [summarise(batch) for batch in rows[:RECENT]]
    today = timezone.localdate()
    scope = cost_report.Scope(
        today.replace(day=1),
        today,
        request.user,
        project=project.slug,
        with_sandbox=project.connection.is_sandbox,
    )
    month = cost_report.sum_all(scope.model_costs())
    context = project_page(request, project, "project_detail") | {
        "summaries": summaries,
        "uploads": project.uploads.select_related("uploaded_by").annotate(
            times_used=Count("batches")
        )[:RECENT],
        "month": month,
        "change": change_since_month_before(scope, month),
        "chart": spending_chart(scope),
        "under_way": project.batches.unfinished().aggregate(
            batches=Count("pk"), requests=Coalesce(Sum("requests"), 0)
        ),
        "is_moving": any(summary.is_moving for summary in summaries),
    }
    return render_partial(request, "batchapp/projects/project_detail.html", "live", context)


@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: Request, slug: str) -> HttpResponse:
    """Show the settings of a project; its admins may rename it."""
    project = project_of(request, slug)
    data = request.POST if request.method == "POST" else None
    form = NamedForm(data, initial={"name": project.name})
    if request.method == "POST":
        require_admin(request, project)
        if form.is_valid():
            projects.rename_project(project, request.user, form.cleaned_data["name"])
            messages.success(request, "The project has its new name. Its address stays the same.")
            return redirect("project_settings", slug)
    context = project_page(request, project, "project_settings") | {
        "form": form,
    }
    return render(request, "batchapp/projects/project_settings.html", context)
