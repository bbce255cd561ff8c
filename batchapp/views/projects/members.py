"""The members of a project: added, given a role, removed."""

from django.contrib import messages
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.forms.projects import MemberForm, RoleForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project
from batchapp.services.projects import members
from batchapp.views.permissions import project_of, require_admin
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
            members.add_member(project, request.user, user, role)
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
        if not members.remove_member(membership, request.user):
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
        "is_last_admin": members.is_last_admin(membership),
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
    elif members.set_role(membership, request.user, form.cleaned_data["role"]):
        messages.success(request, f"{membership.user} is {form.cleaned_data['role']} now.")
    else:
        messages.error(request, NEEDS_ADMIN)
