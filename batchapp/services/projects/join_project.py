"""Let an administrator into a project, as an owner whom its members see."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.models import AuditEvent, AuditKind, Membership, Project, User

SHOWN_FOR = timedelta(days=30)  # on the page of the members; the audit keeps all
MAX_SHOWN = 3


def recent_joins(project: Project) -> list[AuditEvent]:
    """Return the latest times that administrators joined ``project`` by themselves."""
    since = timezone.now() - SHOWN_FOR
    joins = AuditEvent.objects.filter(project=project, kind=AuditKind.PROJECT_JOINED)
    return list(joins.filter(at__gt=since)[:MAX_SHOWN])


def join_as_owner(project: Project, actor: User, *, address: str = "") -> bool:
    """Make ``actor`` an owner of ``project``; return False for an owner, or if it is deleted.

    Nothing else shows an administrator the files and answers of a project. The audit and the page
    of the members say that the administrator joined.

    Raises:
        NotAllowed: ``actor`` is no administrator; nothing was written.
    """
    access.require_administer(actor)
    with transaction.atomic():
        if Project.objects.filter(pk=project.pk, deleted_at__isnull=False).exists():
            return False
        membership, is_new = Membership.objects.get_or_create(
            project=project, user=actor, defaults={"role": Membership.Role.OWNER}
        )
        before = "" if is_new else membership.role
        if before == Membership.Role.OWNER:
            return False
        membership.role = Membership.Role.OWNER
        membership.save(update_fields=["role"])
        AuditEvent.objects.record(
            AuditKind.PROJECT_JOINED, actor, project, address=address, before=before
        )
    return True
