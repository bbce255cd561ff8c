"""Read the list of single requests of a project: pages, and all that the filters leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from batchapp import access
from batchapp.models import DirectRequest, PortalKey, Project, User
from batchapp.models.direct.direct_request import DirectRequestQuerySet
from batchapp.models.row_blocks import newest_first

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class RequestScope:
    """Which single requests of ``project`` the ``viewer`` wants to see.

    Both days are included, in the current time zone; they are those on which requests were sent.
    """

    viewer: User
    project: Project
    model: str = ""
    person: int | None = None
    portal_key: UUID | None = None
    state: str = ""
    first: date | None = None
    last: date | None = None

    def requests(self) -> DirectRequestQuerySet:
        """Return the requests, newest first.

        Raises:
            NotAllowed: the viewer is not in the project.
        """
        access.require_see(self.viewer, self.project)
        rows = DirectRequest.objects.filter(project=self.project).order_by("-created_at", "-pk")
        if self.model:
            rows = rows.filter(model__icontains=self.model)
        if self.person:
            rows = rows.filter(created_by=self.person)
        if self.portal_key:
            rows = rows.filter(portal_key=self.portal_key)
        if self.state:
            rows = rows.filter(state=self.state)
        if self.first:
            rows = rows.filter(created_at__gte=_start_of(self.first))
        if self.last:
            rows = rows.filter(created_at__lt=_start_of(self.last + timedelta(days=1)))
        return rows.select_related("created_by", "portal_key")


@dataclass(frozen=True, slots=True)
class RequestPage:
    """``next`` is the id of the request after which the next page begins; None on the last."""

    requests: list[DirectRequest]
    next: UUID | None = None


def read_page(scope: RequestScope, after: UUID | None = None) -> RequestPage:
    """Return the first page, or the page after the request with the id ``after``.

    New requests arrive all the time, so the address names a request and no number of a page.
    """
    rows = scope.requests()
    if after is not None:
        start = DirectRequest.objects.filter(pk=after, project=scope.project)
        moment = start.values_list("created_at", flat=True).first()
        if moment is None:
            return RequestPage([])
        older = Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=after)
        rows = rows.filter(older, created_at__lte=moment)
    found = list(rows[: PAGE_SIZE + 1])
    is_last = len(found) <= PAGE_SIZE
    return RequestPage(found[:PAGE_SIZE], None if is_last else found[PAGE_SIZE - 1].pk)


def read_all(scope: RequestScope) -> Iterator[DirectRequest]:
    """Yield all requests that the filters leave, newest first, without keeping them in memory."""
    return newest_first(scope.requests().select_related("key__connection"), "created_at")


def people(project: Project) -> QuerySet[User]:
    """Return the people to filter by: each request came by a portal key, and keys are kept."""
    keys = PortalKey.objects.filter(project=project)
    return User.objects.filter(pk__in=keys.values("user")).order_by("first_name", "email")


def portal_keys(project: Project) -> QuerySet[PortalKey]:
    """Return the portal keys to filter by, also those that are revoked."""
    rows = PortalKey.objects.filter(project=project).select_related("user")
    return rows.order_by("name", "created_at")


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
