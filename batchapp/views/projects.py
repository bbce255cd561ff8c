"""Projects and the people in them."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.forms.projects import MemberForm, ProjectForm, RoleForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.services import reporting
from batchapp.views.access import can_manage, can_write, project_of, require_admin
from batchapp.views.summary import summarise, with_details

RECENT = 5


@require_safe
def projects(request: Request) -> HttpResponse:
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
    mine = {each.project_id: each for each in request.user.memberships.all()}
    listed = [(project, mine.get(project.pk)) for project in rows]
    return render(request, "batchapp/projects/projects.html", {"rows": listed, "nav": "projects"})


@require_http_methods(["GET", "POST"])
def project_new(request: Request) -> HttpResponse:
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
            return redirect("projects")
        messages.success(request, f"{project.name} is ready. Upload its first file.")
        return redirect(project)
    return render(request, "batchapp/projects/project_new.html", {"form": form, "nav": "projects"})


@require_safe
def project(request: Request, slug: str) -> HttpResponse:
    """What goes on in a project, and what it spent this month."""
    found = project_of(request, slug)
    rows = with_details(Batch.objects.visible_to(request.user).filter(project=found))
    summaries = [summarise(batch) for batch in rows[:RECENT]]
    today = timezone.localdate()
    scope = reporting.Scope(
        today.replace(day=1), today, project=found.slug, with_sandbox=found.connection.is_sandbox
    )
    context = {
        "project": found,
        "summaries": summaries,
        "uploads": found.uploads.select_related("uploaded_by")[:RECENT],
        "month": reporting.total(scope.charges()),
        "people": found.memberships.count(),
        "is_moving": any(summary.is_moving for summary in summaries),
        "can_write": can_write(request, found),
        "nav": "projects",
        "tab": "overview",
    }
    return render_partial(request, "batchapp/projects/project.html", "live", context)


@require_http_methods(["GET", "HEAD", "POST"])
def project_members(request: Request, slug: str) -> HttpResponse:
    """Who works in a project; its admins add people, change roles and take people out."""
    found = project_of(request, slug)
    form = MemberForm(project=found)
    if request.method == "POST":
        require_admin(request, found)
        if request.POST.get("action") != "add":
            _change(request, found)
            return redirect("project_members", slug)
        form = MemberForm(request.POST, project=found)
        if form.is_valid():
            user, role = form.cleaned_data["email"], form.cleaned_data["role"]
            Membership.objects.get_or_create(project=found, user=user, defaults={"role": role})
            messages.success(request, f"{user} is in the project now.")
            return redirect("project_members", slug)
    context = {
        "project": found,
        "form": form,
        "memberships": found.memberships.select_related("user").order_by(F("user__email")),
        "roles": Membership.Role.choices,
        "can_manage": can_manage(request, found),
        "nav": "projects",
        "tab": "members",
    }
    return render(request, "batchapp/projects/members.html", context)


def _change(request: Request, found: Project) -> None:
    """Give one person another role, or none; a project always keeps an admin."""
    form = RoleForm(request.POST, project=found)
    form.is_valid()  # a removal needs no role
    one, role = form.cleaned_data.get("membership"), form.cleaned_data.get("role", "")
    if one is None:
        raise Http404
    is_removal = request.POST.get("action") == "remove"
    if not is_removal and not role:
        messages.error(request, "Choose one of the roles.")
        return
    with transaction.atomic():
        # Two admins must not demote each other at once. SQLite has no row locks and needs none:
        # there the transaction itself is the only one that writes.
        list(Project.objects.select_for_update().filter(pk=found.pk))
        admins = found.memberships.filter(role=Membership.Role.ADMIN)
        is_last = set(admins.values_list("pk", flat=True)) == {one.pk}
        if is_last and (is_removal or role != Membership.Role.ADMIN):
            messages.error(request, "A project needs an admin. Make somebody else one first.")
            return
        if is_removal:
            one.delete()
        else:
            found.memberships.filter(pk=one.pk).update(role=role)
    done = "is out of the project" if is_removal else f"is {role} now"
    messages.success(request, f"{one.user} {done}.")
