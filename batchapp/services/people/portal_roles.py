"""Make people administrators or auditors of the portal, or neither; only administrators may."""

from enum import StrEnum, unique

from django.db import transaction

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, User


@unique
class PortalRole(StrEnum):
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    NONE = "none"


def portal_role_of(person: User) -> PortalRole:
    """Return the role as stored, also of a person who is deactivated and so may do nothing."""
    if person.is_superuser:
        return PortalRole.ADMINISTRATOR
    return PortalRole.AUDITOR if person.is_auditor else PortalRole.NONE


def set_portal_role(person: User, actor: User, role: PortalRole, *, address: str = "") -> bool:
    """Give ``person`` another role in the portal; return False if it is the role already.

    Raises:
        NotAllowed: ``actor`` is no administrator; nothing was written.
        Refused: no administrator would be left; nothing was written.
    """
    with transaction.atomic():
        # The lock lets two administrators not demote each other at once. SQLite has no row locks
        # and needs none, because only one transaction writes at a time.
        administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
        active = {row.pk for row in administrators.order_by("pk")}
        actor.refresh_from_db(fields=["is_superuser", "is_active"])
        access.require_administer(actor)
        person.refresh_from_db(fields=["is_superuser", "is_auditor", "is_active"])
        before = portal_role_of(person)
        if role == before:
            return False
        if role != PortalRole.ADMINISTRATOR and active == {person.pk}:
            raise Refused(Refusal.LAST_ADMINISTRATOR)
        is_administrator = role == PortalRole.ADMINISTRATOR
        person.is_superuser = person.is_staff = is_administrator
        person.is_auditor = role == PortalRole.AUDITOR
        person.save(update_fields=["is_superuser", "is_staff", "is_auditor"])
        AuditEvent.objects.record(
            AuditKind.PORTAL_ROLE_CHANGED,
            actor,
            address=address,
            person=person.email,
            before=before,
            after=role,
        )
    return True
