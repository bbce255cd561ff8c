"""Find the rows that a request names: 404 for outsiders, 403 with a sentence for viewers."""

from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from batchapp import access
from batchapp.http import Request
from batchapp.models import Batch, Membership, Project, ProviderKey, Upload, User


def memberships_of(request: HttpRequest) -> list[Membership]:
    """Return the person's memberships, which are read once for each request."""
    user = getattr(request, "user", None)  # error pages may come before authentication
    if not user:
        return []
    access.keep_memberships(user)
    return access.memberships_of(user)


def project_of(request: Request, slug: str) -> Project:
    for membership in memberships_of(request):
        if membership.project.slug == slug:
            return membership.project
    raise Http404


def upload_of(request: Request, pk: UUID) -> Upload:
    rows = Upload.objects.visible_to(_person(request))
    rows = rows.select_related("project__connection", "uploaded_by", "portal_key")
    return get_object_or_404(rows, pk=pk)


def batch_of(request: Request, pk: UUID) -> Batch:
    rows = Batch.objects.visible_to(_person(request))
    return get_object_or_404(
        rows.select_related(
            *("project", "connection", "key", "upload", "created_by"), "approval__decided_by"
        ),
        pk=pk,
    )


def upload_with_content(request: Request, pk: UUID) -> Upload:
    """Return a file whose requests are there.

    Raises:
        Refused: they were deleted; the page that is shown instead says when.
    """
    upload = upload_of(request, pk)
    upload.require_content()
    return upload


def batch_with_content(request: Request, pk: UUID) -> Batch:
    """Return a batch whose requests and answers are there.

    Raises:
        Refused: they were deleted; the page that is shown instead says when, and why.
    """
    batch = batch_of(request, pk)
    batch.require_content()
    return batch


def key_of(request: Request, pk: UUID) -> ProviderKey:
    """Return a key that the person may change: an own key, or one of a managed project."""
    user = _person(request)
    accessible = Q(user=user) | Q(project__in=Project.objects.visible_to(user))
    rows = ProviderKey.objects.filter(accessible).select_related("connection", "project")
    key = get_object_or_404(rows, pk=pk)
    access.require_manage_key(user, key)
    return key


def can_write(request: Request, project: Project) -> bool:
    return access.can_write(_person(request), project)


def can_stop(request: Request, project: Project) -> bool:
    return access.can_stop(_person(request), project)


def can_manage(request: Request, project: Project) -> bool:
    return access.can_manage(_person(request), project)


def require_editor(request: Request, project: Project) -> None:
    access.require_write(_person(request), project)


def require_owner(request: Request, project: Project) -> None:
    access.require_manage(_person(request), project)


def _person(request: Request) -> User:
    access.keep_memberships(request.user)
    return request.user
