"""Decide who may see, change and manage a row: outsiders get 404, viewers 403 with a sentence."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from batchapp.http import Request
from batchapp.models import Batch, Membership, Project, ProviderKey, Upload


def memberships_of(request: HttpRequest) -> list[Membership]:
    """Return the person's memberships with projects and connections, sorted by project name.

    The memberships are read once for each request; all decisions on rights are made from them.
    """
    memberships: list[Membership] | None = getattr(request, "_memberships", None)
    if memberships is None:
        user = getattr(request, "user", None)  # error pages may come before authentication
        rows = Membership.objects.select_related("project__connection")
        rows = rows.order_by("project__name", "project__slug")
        memberships = list(rows.filter(user=user.pk)) if user and user.pk else []
        request._memberships = memberships  # type: ignore[attr-defined]  # ours
    return memberships


def role_in(request: HttpRequest, project: Project) -> str:
    """Return the person's role in ``project``; "" for outsiders."""
    roles = {row.project_id: row.role for row in memberships_of(request)}
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
    """Return a key that the person may change: an own key, or one of a managed project."""
    accessible = Q(user=request.user) | Q(project__in=Project.objects.visible_to(request.user))
    rows = ProviderKey.objects.filter(accessible).select_related("connection", "project")
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
