"""Pages of projects: the list, a new project, the page of a project, its settings."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
)
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.projects import LookForm, ProjectForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project, ProviderBatch
from batchapp.presenters.approval_card import policy_text
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.budget_meter import Meter, budget_card, meter_of
from batchapp.presenters.charts.sparkline import Sparkline
from batchapp.presenters.charts.spending import cost_text, spending_chart, spending_sparklines
from batchapp.presenters.direct_text import direct_text
from batchapp.presenters.keeping_text import kept_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.spending_change import change_since_before
from batchapp.services.archive import retention
from batchapp.services.budgets import budget_use
from batchapp.services.projects import projects
from batchapp.services.reports import cost_report
from batchapp.services.reports.direct_sums import direct_sum
from batchapp.services.reports.scope import Scope
from batchapp.templatetags.marks import mark_colour
from batchapp.views.permissions import memberships_of, project_of, require_owner
from batchapp.views.project_page import project_page

RECENT = 5
SPARKLINE_DAYS = 30


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in the list, with the reader's role and what was paid for it this month.

    ``sparkline`` is the cost of the latest days, None if no batch finished in them, and ``meter``
    the project's budget, None without one.
    """

    project: Project
    role: str
    cost: str
    sparkline: Sparkline | None
    meter: Meter | None


@require_safe
def project_list(request: Request) -> HttpResponse:
    """List the projects of the person: those that are archived only if the address asks."""
    is_archive = request.GET.get("archived") == "1"
    newest = Batch.objects.filter(project=OuterRef("pk")).order_by("-created_at")
    people = (
        Membership.objects.of_people().filter(project=OuterRef("pk")).order_by().values("project")
    )
    rows = (
        Project.objects.visible_to(request.user)
        .filter(archived_at__isnull=not is_archive)
        .select_related("connection")
        .annotate(
            running=Batch.objects.unfinished().count_for("project"),
            last_run=Subquery(newest.values("created_at")[:1]),
            people=Subquery(people.annotate(n=Count("pk")).values("n")),
        )
        .order_by(F("last_run").desc(nulls_last=True), "name", "slug")
    )
    memberships = memberships_of(request)
    roles = {row.project_id: row.get_role_display() for row in memberships}
    today = cost_report.portal_today()
    month = Scope(today.replace(day=1), today, request.user)
    latest = replace(month, first=today - timedelta(days=SPARKLINE_DAYS - 1))
    lines = spending_sparklines(latest)
    costs = {
        line.key: cost_text(line.cost_usd, line.unpriced)
        for line in cost_report.sum_up(month, "project").lines
    }
    limits = budget_use.month_uses(rows, request.user)
    projects_shown = [
        ProjectRow(
            row,
            roles.get(row.pk, ""),
            costs.get(row.slug, "\u2013"),
            lines.get(row.slug),
            meter_of(limits[row.pk]) if row.pk in limits else None,
        )
        for row in rows
    ]
    context = {
        "rows": projects_shown,
        "direct": direct_text(direct_sum(month)),
        "is_archive": is_archive,
        "archived": sum(bool(row.project.archived_at) for row in memberships),
        "nav": "projects",
    }
    return render(request, "batchapp/projects/project_list.html", context)


@require_http_methods(["GET", "POST"])
def project_add(request: Request) -> HttpResponse:
    """Create a project; the person becomes its first owner."""
    access.require_create(request.user)
    form = ProjectForm(
        request.POST if request.method == "POST" else None,
        initial={"connection": request.GET["connection"]} if "connection" in request.GET else None,
    )
    if request.method == "POST" and form.is_valid():
        project = form.unsaved_project()
        try:
            projects.create_project(project, request.user)
        except Refused as exc:
            form.add_error("connection", refusal_text(exc))
        except IntegrityError:  # the same name at the same moment: most likely a second click
            messages.error(
                request,
                "A project of this name was created at this very moment. If it is not among "
                "yours, create it again.",
            )
            return redirect("project_list")
        else:
            messages.success(request, f"{project.name} is ready. Upload its first file.")
            return redirect(project)
    return render(request, "batchapp/projects/project_add.html", {"form": form, "nav": "projects"})


@require_safe
def project_detail(request: Request, slug: str) -> HttpResponse:
    """Show the latest batches and files of a project, and its cost this month.

    Batches that need attention come before newer ones.
    """
    project = project_of(request, slug)
    summaries = [summarise(batch) for batch in with_details(_recent_batches(project))]
    today = cost_report.portal_today()
    scope = Scope(
        today.replace(day=1),
        today,
        request.user,
        project=project.slug,
        with_sandbox=project.connection.is_sandbox,
    )
    month = cost_report.sum_all(scope)
    context = project_page(request, project, "project_detail") | {
        "summaries": summaries,
        "uploads": project.uploads.filter(purged_at=None)
        .select_related("uploaded_by", "portal_key")
        .annotate(times_used=Batch.objects.count_for("upload"))[:RECENT],
        "month": month,
        "direct": direct_text(direct_sum(scope)),
        "change": change_since_before(scope, month, today),
        "chart": spending_chart(scope, colours={"": str(mark_colour(project))}),
        "under_way": project.batches.unfinished().aggregate(
            batches=Count("pk"), requests=Coalesce(Sum("requests"), 0)
        ),
        "cards": [budget_card(use) for use in budget_use.budgets_of(project, request.user)],
        "is_moving": any(summary.is_moving for summary in summaries),
    }
    return render_partial(request, "batchapp/projects/project_detail.html", "live", context)


def _recent_batches(project: Project) -> QuerySet[Batch]:
    """Return at most ``RECENT`` batches: those that need attention, then the newest others."""
    stuck = ProviderBatch.objects.needing_attention().filter(batch=OuterRef("pk"))
    batches = project.batches.order_by("-created_at", "-pk")
    # The few unfinished batches are searched apart: sorting all batches by need would be slow. In
    # an order, or up to a limit, a database might look for them among all batches.
    waiting = batches.unfinished().filter(Exists(stuck)).order_by().values_list("created_at", "pk")
    first = [pk for _, pk in sorted(waiting, reverse=True)[:RECENT]]
    needs_attention, newest = Q(pk__in=first), batches.values("pk")[:RECENT]
    urgency = Case(When(needs_attention, then=0), default=1)
    rows = project.batches.filter(needs_attention | Q(pk__in=newest))
    return rows.order_by(urgency, "-created_at", "-pk")[:RECENT]


@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: Request, slug: str) -> HttpResponse:
    """Show the settings of a project; its owners change its name and the colour of its mark."""
    project = project_of(request, slug)
    data = request.POST if request.method == "POST" else None
    form = LookForm(data, initial={"name": project.name, "colour": project.colour})
    if request.method == "POST":
        require_owner(request, project)
        if form.is_valid():
            projects.change_look(project, request.user, **form.cleaned_data)
            messages.success(request, "The settings are saved. The address stays the same.")
            return redirect("project_settings", slug)
    days = retention.days_kept(project)
    context = project_page(request, project, "project_settings") | {
        "form": form,
        "budgets": budget_use.budgets_of(project, request.user),
        "kept": kept_text(days),
        "is_limited": days is not None,
        "webhooks": project.webhook_endpoints.count(),
        "recipients": project.statement_recipients.count(),
        "approvals": policy_text(project),
    }
    return render(request, "batchapp/projects/project_settings.html", context)
