"""From an address to a row: 404 for outsiders, 403 with a sentence for those who may only look."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.shortcuts import get_object_or_404

from batchapp.http import Request
from batchapp.models import Batch, Project, ProviderKey, Upload


def project_of(request: Request, slug: str) -> Project:
    rows = Project.objects.visible_to(request.user).select_related("connection")
    return get_object_or_404(rows, slug=slug)


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
    return Project.objects.writable_by(request.user).filter(pk=project.pk).exists()


def can_manage(request: Request, project: Project) -> bool:
    return Project.objects.managed_by(request.user).filter(pk=project.pk).exists()


def require_member(request: Request, project: Project) -> None:
    if not can_write(request, project):
        raise PermissionDenied(
            f"You may look at everything in {project}, but not change it. Ask one of its admins "
            "to make you a member."
        )


def require_admin(request: Request, project: Project) -> None:
    if not can_manage(request, project):
        raise PermissionDenied(f"Only admins of {project} may do this. Ask one of them.")
