"""The members of a project: listed, given a role, removed, or leaving."""

from django.contrib import messages
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from batchapp.forms.projects import OwnRoleForm, RoleForm
from batchapp.http import Request, redirect_page, render_partial
from batchapp.models import Batch, Invitation, Membership, PortalKey, Project
from batchapp.presenters.role_table import PROJECT_ROLES, lost_rights, project_rights
from batchapp.services.projects import join_project, members
from batchapp.views.people.invitations import invitation_context
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page

NEEDS_OWNER = "A project needs an owner. Make somebody else one first."
SEARCHED_FROM = 10  # members; fewer are seen at a glance
MAX_SEARCH = 200  # characters


@require_http_methods(["GET", "HEAD", "POST"])
def member_list(request: Request, slug: str) -> HttpResponse:
    """List the members of a project; its owners invite people and change roles."""
    project = project_of(request, slug)
    if request.method == "POST":
        require_owner(request, project)
        return _change_role(request, project)
    invitations = Invitation.objects.filter(project=project, accepted_by=OuterRef("user"))
    name = Trim(Concat("invited_by__first_name", Value(" "), "invited_by__last_name"))
    named = invitations.annotate(
        inviter=Coalesce(NullIf(name, Value("")), "invited_by__email", output_field=CharField())
    )
    inviter = named.order_by("-accepted_at").values("inviter")[:1]
    memberships = _people(project).order_by("user__email").annotate(inviter=Subquery(inviter))
    total = memberships.count()
    searched = request.GET.get("q", "").replace("\0", "")[:MAX_SEARCH].strip()
    context = project_page(request, project, "member_list") | {
        "memberships": _matching(memberships, searched) if searched else memberships,
        "total": total,
        "searched": searched,
        "has_search": total > SEARCHED_FROM,
        "roles": Membership.Role.choices,
        "joined": join_project.recent_joins(project),
        "project_roles": list(PROJECT_ROLES.values()),
        "rights": project_rights(),
    }
    if context["can_manage"]:
        context |= invitation_context(request, project)
    return render(request, "batchapp/projects/member_list.html", context)


def _matching(memberships: QuerySet[Membership], text: str) -> QuerySet[Membership]:
    """Return the members whose name or address has every word of ``text``."""
    for word in text.split():
        has_word = Q(user__email__icontains=word) | Q(user__first_name__icontains=word)
        memberships = memberships.filter(has_word | Q(user__last_name__icontains=word))
    return memberships


@require_http_methods(["GET", "HEAD", "POST"])
def member_remove(request: Request, slug: str, member: int) -> HttpResponse:
    """Ask for confirmation, then remove a member; for oneself that is to leave."""
    project = project_of(request, slug)
    require_owner(request, project)
    membership = get_object_or_404(_people(project), pk=member)
    if membership.user_id == request.user.pk:
        return redirect_page(request, reverse("project_leave", args=[slug]))
    if request.method == "POST":
        if not members.remove_member(membership, request.user):
            messages.error(request, NEEDS_OWNER)
            return redirect("member_list", slug)
        messages.success(request, f"{membership.user} is no longer a member of the project.")
        return redirect("member_list", slug)
    context = _leaving(project, membership)
    return render_partial(request, "batchapp/projects/member_remove.html", "dialog", context)


@require_http_methods(["GET", "HEAD", "POST"])
def project_leave(request: Request, slug: str) -> HttpResponse:
    """Ask for confirmation, then take the person out of the project."""
    project = project_of(request, slug)
    if request.method == "POST":
        if not members.leave(project, request.user):
            messages.error(request, NEEDS_OWNER)
            return redirect("member_list", slug)
        messages.success(request, f"You are no longer a member of {project}.")
        return redirect("project_list")
    membership = get_object_or_404(project.memberships, user=request.user)
    context = _leaving(project, membership)
    return render_partial(request, "batchapp/projects/project_leave.html", "dialog", context)


@require_http_methods(["GET", "HEAD", "POST"])
def own_role_change(request: Request, slug: str) -> HttpResponse:
    """Say what an owner loses who becomes an editor or viewer, and change the role then."""
    project = project_of(request, slug)
    require_owner(request, project)
    membership = get_object_or_404(project.memberships, user=request.user)
    form = OwnRoleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        role = form.cleaned_data["role"]
        if members.set_role(membership, request.user, role):
            messages.success(request, f"You are {_an(role)} in {project} now.")
        else:
            messages.error(request, NEEDS_OWNER)
        return redirect("member_list", slug)
    context = {
        "project": project,
        "form": form,
        "choices": [
            (option, lost_rights(Membership.Role.OWNER, option.data["value"]))
            for option in form["role"]
        ],
        "is_last_owner": members.is_last_owner(membership),
        "nav": "projects",
        "tab": "member_list",
    }
    return render_partial(request, "batchapp/projects/own_role_change.html", "dialog", context)


def _leaving(project: Project, membership: Membership) -> dict[str, object]:
    """Return the context of the question whether a member is to leave."""
    own_key = Batch.objects.unfinished().filter(project=project, key__user=membership.user_id)
    return {
        "project": project,
        "membership": membership,
        "is_last_owner": members.is_last_owner(membership),
        "running": own_key.count(),
        "service_keys": PortalKey.objects.filter(project=project).known_to(membership.user),
        "nav": "projects",
        "tab": "member_list",
    }


def _change_role(request: Request, project: Project) -> HttpResponse:
    form = RoleForm(request.POST, project=project)
    is_valid = form.is_valid()
    membership = form.cleaned_data.get("membership")
    if membership is None:
        raise Http404
    role = form.cleaned_data.get("role")
    if not is_valid:
        messages.error(request, "Choose one of the roles.")
    elif membership.user_id == request.user.pk and role != Membership.Role.OWNER:
        return redirect("own_role_change", project.slug)  # which asks first
    elif members.set_role(membership, request.user, form.cleaned_data["role"]):
        messages.success(request, f"{membership.user} is {_an(form.cleaned_data['role'])} now.")
    else:
        messages.error(request, NEEDS_OWNER)
    return redirect("member_list", project.slug)


def _people(project: Project) -> QuerySet[Membership]:
    """Return the members of ``project`` without its service account, which is no person."""
    return project.memberships.of_people().select_related("user")


def _an(role: str) -> str:
    return f"a {role}" if role == Membership.Role.VIEWER else f"an {role}"
