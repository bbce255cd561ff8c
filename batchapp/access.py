"""From an address to a row: 404 for outsiders, 403 with a sentence for those who may only look."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from batchapp.http import Request
from batchapp.models import Batch, Membership, Project, ProviderKey, Upload


def memberships_of(request: HttpRequest) -> list[Membership]:
    """The person's roles with their projects and connections, by name; none for a stranger.

    They are read once a request, and answer all that is asked here about rights.
    """
    kept: list[Membership] | None = getattr(request, "_memberships", None)
    if kept is None:
        user = getattr(request, "user", None)  # an error page may come before anybody is known
        rows = (
            Membership.objects.filter(user=user.pk)
            if user and user.pk
            else Membership.objects.none()
        )
        rows = rows.select_related("project__connection")
        kept = list(rows.order_by("project__name", "project__slug"))
        request._memberships = kept  # type: ignore[attr-defined]  # ours
    return kept


def role_in(request: HttpRequest, project: Project) -> str:
    """The person's role in ``project``; "" for outsiders."""
    roles = {each.project_id: each.role for each in memberships_of(request)}
    return roles.get(project.pk, "")


def project_of(request: Request, slug: str) -> Project:
    for membership in memberships_of(request):
        if membership.project.slug == slug:
            return membership.project
    raise Http404


def upload_of(request: Request, pk: UUID) -> Upload:
    rows = Upload.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("project__connection", "uploaded_by"), pk=pk)


def batch_of(request: Request, pk: UUID) -> Batch:
    rows = Batch.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("project", "connection", "key", "upload", "created_by"), pk=pk
    )


def key_of(request: Request, pk: UUID) -> ProviderKey:
    """A key the person may change: their own, or one of a project they manage."""
    mine = Q(user=request.user) | Q(project__in=Project.objects.visible_to(request.user))
    rows = ProviderKey.objects.filter(mine).select_related("connection", "project")
    key = get_object_or_404(rows, pk=pk)
    if key.project:
        require_admin(request, key.project)
    return key


def can_write(request: Request, project: Project) -> bool:
    return role_in(request, project) in {Membership.Role.MEMBER, Membership.Role.ADMIN}


def can_manage(request: Request, project: Project) -> bool:
    return role_in(request, project) == Membership.Role.ADMIN


def require_member(request: Request, project: Project) -> None:
    if not can_write(request, project):
        raise PermissionDenied(
            f"You may look at everything in {project}, but not change it. Ask one of its admins "
            "to make you a member."
        )


def require_admin(request: Request, project: Project) -> None:
    if not can_manage(request, project):
        raise PermissionDenied(f"Only admins of {project} may do this. Ask one of them.")
