"""The people in a project: added, given a role, taken out."""

from django.contrib import messages
from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.access import can_manage, can_write, project_of, require_admin
from batchapp.forms.projects import MemberForm, RoleForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project

NEEDS_ADMIN = "A project needs an admin. Make somebody else one first."


@require_http_methods(["GET", "HEAD", "POST"])
def member_list(request: Request, slug: str) -> HttpResponse:
    """Who works in a project; its admins add people and change roles."""
    found = project_of(request, slug)
    form = MemberForm(project=found)
    if request.method == "POST":
        require_admin(request, found)
        if request.POST.get("action") != "add":
            _change_role(request, found)
            return redirect("member_list", slug)
        form = MemberForm(request.POST, project=found)
        if form.is_valid():
            user, role = form.cleaned_data["email"], form.cleaned_data["role"]
            Membership.objects.get_or_create(project=found, user=user, defaults={"role": role})
            messages.success(request, f"{user} is in the project now.")
            return redirect("member_list", slug)
    context = {
        "project": found,
        "form": form,
        "memberships": found.memberships.select_related("user").order_by(F("user__email")),
        "roles": Membership.Role.choices,
        "can_manage": can_manage(request, found),
        "can_write": can_write(request, found),
        "nav": "projects",
        "tab": "member_list",
    }
    return render(request, "batchapp/projects/member_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: Request, slug: str, member: int) -> HttpResponse:
    """Take one person out, once that is confirmed."""
    found = project_of(request, slug)
    require_admin(request, found)
    one = get_object_or_404(found.memberships.select_related("user"), pk=member)
    is_self = one.user_id == request.user.pk
    if request.method == "POST":
        if not _set_role(one, None):
            messages.error(request, NEEDS_ADMIN)
            return redirect("member_list", slug)
        if is_self:
            messages.success(request, f"You are out of {found}.")
            return redirect("project_list")
        messages.success(request, f"{one.user} is out of the project.")
        return redirect("member_list", slug)
    own_key = Batch.objects.unfinished().filter(project=found, key__user=one.user)
    context = {
        "project": found,
        "membership": one,
        "is_self": is_self,
        "is_last_admin": _is_last_admin(one),
        "running": own_key.count(),
        "nav": "projects",
        "tab": "member_list",
    }
    return render_partial(request, "batchapp/projects/member_remove.html", "dialog", context)


def _change_role(request: Request, found: Project) -> None:
    form = RoleForm(request.POST, project=found)
    is_whole = form.is_valid()
    one = form.cleaned_data.get("membership")
    if one is None:
        raise Http404
    if not is_whole:
        messages.error(request, "Choose one of the roles.")
    elif _set_role(one, form.cleaned_data["role"]):
        messages.success(request, f"{one.user} is {form.cleaned_data['role']} now.")
    else:
        messages.error(request, NEEDS_ADMIN)


def _set_role(one: Membership, role: str | None) -> bool:
    """Give ``one`` this role, or take it out for None; False if no admin would be left."""
    with transaction.atomic():
        # Two admins must not demote each other at once. SQLite has no row locks and needs none:
        # there the transaction itself is the only one that writes.
        list(Project.objects.select_for_update().filter(pk=one.project_id))
        if role != Membership.Role.ADMIN and _is_last_admin(one):
            return False
        if role is None:
            one.delete()
        else:
            Membership.objects.filter(pk=one.pk).update(role=role)
    return True


def _is_last_admin(one: Membership) -> bool:
    admins = Membership.objects.filter(project=one.project_id, role=Membership.Role.ADMIN)
    return set(admins.values_list("pk", flat=True)) == {one.pk}
