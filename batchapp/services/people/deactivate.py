"""Deactivate the account of a person, and activate it again; only administrators may."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Batch, Membership, PortalKey, Project, User


@dataclass(frozen=True, slots=True)
class Consequences:
    """What the deactivation of a person touches.

    ``batches`` under way run on personal keys of the person. ``estimated_usd`` is what they are
    expected to cost in full; ``unpriced`` of them have no estimate, and sandboxes cost nothing.
    ``ownerless`` projects would have no active owner. ``service_keys`` go on, though the person
    was shown their secrets.
    """

    batches: int
    estimated_usd: Decimal
    unpriced: int
    ownerless: list[Project]
    service_keys: list[PortalKey]


def batches_paid_by(person: User) -> QuerySet[Batch]:
    """Return the unfinished batches that run on a personal key of ``person``."""
    return Batch.objects.unfinished().filter(key__user=person)


def consequences_of(person: User, actor: User) -> Consequences:
    access.require_administer(actor)
    rows = batches_paid_by(person).filter(connection__is_sandbox=False)
    costs = list(rows.values_list("estimated_cost_usd", flat=True))
    return Consequences(
        batches=batches_paid_by(person).count(),
        estimated_usd=sum((cost for cost in costs if cost is not None), Decimal(0)),
        unpriced=costs.count(None),
        ownerless=_ownerless_without(person),
        service_keys=list(PortalKey.objects.known_to(person).select_related("project")),
    )


def _ownerless_without(person: User) -> list[Project]:
    owners = Membership.objects.filter(role=Membership.Role.OWNER, user__is_active=True)
    others = owners.exclude(user=person)
    owned = owners.filter(user=person)
    projects = Project.objects.filter(pk__in=owned.values("project"))
    return list(projects.exclude(pk__in=others.values("project")))


def deactivate(person: User, actor: User, *, address: str = "") -> bool:
    """End all sessions of ``person`` and let nobody sign in with the account.

    Personal provider keys pay for nothing new, and portal keys do not work, until the account is
    active again. Batches that are at the provider go on. Returns False if the account was
    deactivated before.

    Raises:
        NotAllowed: ``actor`` is no administrator; nothing was written.
        Refused: it is the own account, or no administrator would be left; nothing was written.
    """
    with transaction.atomic():
        # As in `set_portal_role`: two administrators must not deactivate each other at once.
        administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
        active = {row.pk for row in administrators.order_by("pk")}
        actor.refresh_from_db(fields=["is_superuser", "is_active"])
        access.require_administer(actor)
        if person.pk == actor.pk:
            raise Refused(Refusal.OWN_ACCOUNT)
        if active == {person.pk}:
            raise Refused(Refusal.LAST_ADMINISTRATOR)
        if not User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
            return False
        for session in _sessions_of(person):
            session.delete()
        UserSession.objects.filter(user=person).delete()
        _record(AuditKind.PERSON_DEACTIVATED, actor, person, address)
    person.is_active = False
    return True


def activate(person: User, actor: User, *, address: str = "") -> bool:
    """Let ``person`` sign in again, with all roles and keys; False if the account was active."""
    access.require_administer(actor)
    with transaction.atomic():
        if not User.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
            return False
        _record(AuditKind.PERSON_ACTIVATED, actor, person, address)
    person.is_active = True
    return True


def _sessions_of(person: User) -> Iterator[Session]:
    """Yield the sessions in which ``person`` is signed in, also those of an older portal."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(person.pk):
            yield session


def _record(kind: AuditKind, actor: User, person: User, address: str) -> None:
    AuditEvent.objects.record(kind, actor, address=address, person=person.email)
