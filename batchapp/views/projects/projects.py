"""Projects: which there are, a new one, what goes on in one, what it is called."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.access import can_manage, can_write, memberships_of, project_of, require_admin
from batchapp.forms.projects import NamedForm, ProjectForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.presenters.batch_summary import summarise, with_details
from batchapp.presenters.charts import spending
from batchapp.services.reports import cost_report

RECENT = 5


@require_safe
def project_list(request: Request) -> HttpResponse:
    """The person's projects."""
    under_way = Q(batches__status__in=[Batch.Status.RUNNING, Batch.Status.SETTLING])
    people = Membership.objects.filter(project=OuterRef("pk")).order_by().values("project")
    rows = (
        Project.objects.visible_to(request.user)
        .select_related("connection")
        .order_by("name", "slug")
        .annotate(
            running=Count("batches", filter=under_way),
            people=Subquery(people.annotate(n=Count("pk")).values("n")),
        )
    )
    mine = {each.project_id: each for each in memberships_of(request)}
    listed = [(project, mine.get(project.pk)) for project in rows]
    return render(
        request, "batchapp/projects/project_list.html", {"rows": listed, "nav": "projects"}
    )


@require_http_methods(["GET", "POST"])
def project_add(request: Request) -> HttpResponse:
    """Found a project; who does is its first admin."""
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        project = form.make()
        try:
            with transaction.atomic():
                project.save(force_insert=True)
                Membership.objects.create(
                    project=project, user=request.user, role=Membership.Role.ADMIN
                )
        except IntegrityError:  # the same name, at the same instant: most likely a second click
            messages.error(
                request,
                "A project of this name was founded this very instant. If it is not among yours, "
                "found it again.",
            )
            return redirect("project_list")
        messages.success(request, f"{project.name} is ready. Upload its first file.")
        return redirect(project)
    return render(request, "batchapp/projects/project_add.html", {"form": form, "nav": "projects"})


@require_safe
def project_detail(request: Request, slug: str) -> HttpResponse:
    """What goes on in a project, and what it spent this month."""
    found = project_of(request, slug)
    rows = with_details(Batch.objects.visible_to(request.user).filter(project=found))
    summaries = [summarise(batch) for batch in rows[:RECENT]]
    today = timezone.localdate()
    scope = cost_report.Scope(
        today.replace(day=1), today, project=found.slug, with_sandbox=found.connection.is_sandbox
    )
    context = {
        "project": found,
        "summaries": summaries,
        "uploads": found.uploads.select_related("uploaded_by")[:RECENT],
        "month": cost_report.total(scope.model_costs()),
        "chart": spending(scope),
        "people": found.memberships.count(),
        "is_moving": any(summary.is_moving for summary in summaries),
        "can_write": can_write(request, found),
        "nav": "projects",
        "tab": "project_detail",
    }
    return render_partial(request, "batchapp/projects/project_detail.html", "live", context)


@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: Request, slug: str) -> HttpResponse:
    """What a project is called, which its admins change; and what stays as it is."""
    found = project_of(request, slug)
    asked = request.POST if request.method == "POST" else None
    form = NamedForm(asked, initial={"name": found.name})
    if request.method == "POST":
        require_admin(request, found)
        if form.is_valid():
            Project.objects.filter(pk=found.pk).update(name=form.cleaned_data["name"])
            messages.success(request, "The project has its new name. Its address stays the same.")
            return redirect("project_settings", slug)
    context = {
        "project": found,
        "form": form,
        "can_manage": can_manage(request, found),
        "can_write": can_write(request, found),
        "nav": "projects",
        "tab": "project_settings",
    }
    return render(request, "batchapp/projects/project_settings.html", context)
