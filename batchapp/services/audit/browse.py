"""Read the audit: pages of events, newest first, and all events that filters leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from batchapp import access
from batchapp.models import AuditEvent, AuditSeal, Membership, Project, User
from batchapp.models.audit.audit_event import AuditEventQuerySet
from batchapp.models.row_blocks import newest_first

PAGE_SIZE = 50
SEARCHED_AT_ONCE = 20_000  # events that one page of a search for names looks through at most
NOBODY = 0  # as the id of a person: the operator, the portal, and people who are not known


@dataclass(frozen=True, slots=True)
class AuditScope:
    """Which events ``viewer`` wants to see: of the whole portal, or of ``project`` alone.

    Both days are included, in the current time zone.
    """

    viewer: User
    project: Project | None = None
    is_of_portal: bool = False
    person: int | None = None
    area: str = ""
    first: date | None = None
    last: date | None = None
    text: str = ""

    def events(self) -> AuditEventQuerySet:
        """Return the events, newest first, without regard to ``text``.

        Raises:
            NotAllowed: the viewer may not read them.
        """
        self._require_right()
        events = AuditEvent.objects.order_by("-at", "-pk")
        if self.project:
            events = events.filter(project=self.project)
        if self.person is not None:
            events = events.filter(actor=self.person or None)
        if self.area:
            events = events.filter(area=self.area)
        if self.first:
            events = events.filter(at__gte=_start_of(self.first))
        if self.last:
            events = events.filter(at__lt=_start_of(self.last + timedelta(days=1)))
        return events

    def words(self) -> Q:
        """Match the events whose names have every word of ``text``."""
        matches = Q()
        for word in self.text.casefold().split():
            matches &= Q(names__contains=word)
        return matches

    def hides_address_of(self, event: AuditEvent) -> bool:
        """Return True if the network address of ``event`` is none of the viewer's business.

        An owner of a project sees the own addresses, and not those of colleagues.
        """
        return not self.is_of_portal and event.actor_id != self.viewer.pk

    def _require_right(self) -> None:
        if self.is_of_portal:
            access.require_audit(self.viewer)
        elif self.project:
            access.require_manage(self.viewer, self.project)
        else:
            raise ValueError("the audit of neither the portal nor a project")


@dataclass(frozen=True, slots=True)
class AuditPage:
    """``next`` is the id of the event after which the next page begins; None on the last page.

    ``searched_to`` is set if the search stopped for now at an event of that time.
    """

    events: list[AuditEvent]
    next: int | None = None
    searched_to: datetime | None = None


def read_page(scope: AuditScope, after: int | None = None) -> AuditPage:
    """Return the first page of events, or the page after the event with the id ``after``.

    A search for names looks through ``SEARCHED_AT_ONCE`` events at most, so that a name that
    occurs nowhere takes no longer than others; the next page goes on from there.
    """
    events = scope.events()
    if after is not None:
        start = AuditEvent.objects.filter(pk=after).values_list("at", "pk").first()
        if start is None:
            return AuditPage([])
        events = events.filter(_beyond(*start))
    stop = None
    if scope.text:
        stop = events.values_list("at", "pk")[SEARCHED_AT_ONCE - 1 : SEARCHED_AT_ONCE].first()
        if stop:
            events = events.filter(~_beyond(*stop), at__gte=stop[0])
        events = events.filter(scope.words())
    found = list(events[: PAGE_SIZE + 1])
    if len(found) > PAGE_SIZE:
        return AuditPage(found[:PAGE_SIZE], found[PAGE_SIZE - 1].pk)
    return AuditPage(found, stop[1] if stop else None, stop[0] if stop else None)


def read_all(scope: AuditScope) -> Iterator[AuditEvent]:
    """Yield all events that the filters leave, newest first, without keeping them in memory."""
    return newest_first(scope.events().filter(scope.words()), "at")


def _beyond(at: datetime, pk: int) -> Q:
    """Match the events after this one in the order of the pages."""
    return Q(at__lte=at) & (Q(at__lt=at) | Q(pk__lt=pk))


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def read_event(viewer: User, pk: int) -> tuple[AuditEvent, AuditScope]:
    """Return an event, and the scope in which ``viewer`` sees it.

    Raises:
        AuditEvent.DoesNotExist: there is none with this id, or none that concerns the viewer.
        NotAllowed: the viewer is in its project, and no owner.
    """
    event = AuditEvent.objects.select_related("seal").defer("seal__entries").get(pk=pk)
    if access.can_audit(viewer):
        return event, AuditScope(viewer, is_of_portal=True)
    project = Project.objects.filter(pk=event.project_id).first() if event.project_id else None
    if project is None or not access.can_see(viewer, project):
        raise AuditEvent.DoesNotExist
    access.require_manage(viewer, project)
    return event, AuditScope(viewer, project)


def people(scope: AuditScope) -> list[tuple[int, str]]:
    """Return ids and names of the people to filter by: of the portal, or of the project."""
    if scope.is_of_portal:
        acted = AuditEvent.objects.filter(actor=OuterRef("pk"))
        users = User.objects.filter(Exists(acted))
    else:
        members = Membership.objects.filter(project=scope.project)
        users = User.objects.filter(pk__in=members.values("user"))
    names = [(user.pk, str(user)) for user in users]
    if scope.person and scope.person not in dict(names):  # deleted, or no member any more
        past = scope.events().values_list("actor_name", flat=True).first()
        names += [(scope.person, past)] if past else []
    return sorted(names, key=lambda row: row[1].casefold())


def newest_seal() -> AuditSeal | None:
    return AuditSeal.objects.defer("entries").order_by("-number").first()
