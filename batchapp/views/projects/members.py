"""The members of a project: added, given a role, removed."""

from django.contrib import messages
from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.access import project_of, require_admin
from batchapp.forms.projects import MemberForm, RoleForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.views.project_page import project_page

NEEDS_ADMIN = "A project needs an admin. Make somebody else one first."


@require_http_methods(["GET", "HEAD", "POST"])
def member_list(request: Request, slug: str) -> HttpResponse:
    """List the members of a project; its admins add people and change roles."""
    project = project_of(request, slug)
    form = MemberForm(project=project)
    if request.method == "POST":
        require_admin(request, project)
        if request.POST.get("action") != "add":
            _change_role(request, project)
            return redirect("member_list", slug)
        form = MemberForm(request.POST, project=project)
        if form.is_valid():
            user, role = form.cleaned_data["email"], form.cleaned_data["role"]
            Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
            messages.success(request, f"{user} is in the project now.")
            return redirect("member_list", slug)
    context = project_page(request, project, "member_list") | {
        "form": form,
        "memberships": project.memberships.select_related("user").order_by(F("user__email")),
        "roles": Membership.Role.choices,
    }
    return render(request, "batchapp/projects/member_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: Request, slug: str, member: int) -> HttpResponse:
    """Ask for confirmation, then remove a member."""
    project = project_of(request, slug)
    require_admin(request, project)
    membership = get_object_or_404(project.memberships.select_related("user"), pk=member)
    is_self = membership.user_id == request.user.pk
    if request.method == "POST":
        if not _set_role(membership, None):
            messages.error(request, NEEDS_ADMIN)
            return redirect("member_list", slug)
        if is_self:
            messages.success(request, f"You are no longer a member of {project}.")
            return redirect("project_list")
        messages.success(request, f"{membership.user} is no longer a member of the project.")
        return redirect("member_list", slug)
    own_key = Batch.objects.unfinished().filter(project=project, key__user=membership.user)
    context = {
        "project": project,
        "membership": membership,
        "is_self": is_self,
        "is_last_admin": _is_last_admin(membership),
        "running": own_key.count(),
        "nav": "projects",
        "tab": "member_list",
    }
    return render_partial(request, "batchapp/projects/member_remove.html", "dialog", context)


def _change_role(request: Request, project: Project) -> None:
    form = RoleForm(request.POST, project=project)
    is_valid = form.is_valid()
    membership = form.cleaned_data.get("membership")
    if membership is None:
        raise Http404
    if not is_valid:
        messages.error(request, "Choose one of the roles.")
    elif _set_role(membership, form.cleaned_data["role"]):
        messages.success(request, f"{membership.user} is {form.cleaned_data['role']} now.")
    else:
        messages.error(request, NEEDS_ADMIN)


def _set_role(membership: Membership, role: str | None) -> bool:
    """Change the role, or remove the member for None.

    Return False, and change nothing, if no admin would be left.
    """
    with transaction.atomic():
        # Two admins must not demote each other at once. SQLite has no row locks and needs none,
        # because only one transaction writes at a time.
        list(Project.objects.select_for_update().filter(pk=membership.project_id))
        if role != Membership.Role.ADMIN and _is_last_admin(membership):
            return False
        if role is None:
            membership.delete()
        else:
            Membership.objects.filter(pk=membership.pk).update(role=role)
    return True


def _is_last_admin(membership: Membership) -> bool:
    admins = Membership.objects.filter(project=membership.project_id, role=Membership.Role.ADMIN)
    return set(admins.values_list("pk", flat=True)) == {membership.pk}
