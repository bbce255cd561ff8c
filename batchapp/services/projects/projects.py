"""Create projects, change how they look, archive and restore them."""

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Connection, Membership, Project, User


def create_project(project: Project, user: User) -> None:
    """Save ``project``, with ``user`` as its first owner.

    Raises:
        NotAllowed: nothing was written.
        Refused: the connection is archived; nothing was written.
        IntegrityError: another project has its slug; nothing was written.
    """
    access.require_create(user)
    with transaction.atomic():
        if not Connection.objects.lock_in_use(project.connection_id):
            raise Refused(Refusal.CONNECTION_ARCHIVED, connection=project.connection.name)
        project.save(force_insert=True)
        Membership.objects.create(project=project, user=user, role=Membership.Role.OWNER)
        AuditEvent.objects.record(
            AuditKind.PROJECT_CREATED, user, project, connection=project.connection.name
        )


def change_look(project: Project, user: User, *, name: str, colour: int) -> None:
    """Change the name and the colour of the mark; the address stays.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage(user, project)
    with transaction.atomic():
        old = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before, after = {"name": old.name, "colour": old.colour}, {"name": name, "colour": colour}
        if before != after:
            Project.objects.filter(pk=project.pk).update(**after)
            AuditEvent.objects.record(
                AuditKind.PROJECT_CHANGED, user, old, before=before, after=after
            )


def archive(project: Project, user: User) -> bool:
    """Let nothing new start in ``project`` from now on; False if it is archived already.

    Batches under way go on to their end. An order at the same moment is either stored before, and
    goes on as well, or refused.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage_in_person(user, project)
    with transaction.atomic():
        rows = Project.objects.filter(pk=project.pk, archived_at=None)
        if not rows.update(archived_at=timezone.now()):
            return False
        AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, user, project)
    return True


def restore(project: Project, user: User) -> bool:
    """Let work start again in an archived project; False if it is not archived.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage_in_person(user, project)
    with transaction.atomic():
        rows = Project.objects.filter(pk=project.pk, deleted_at=None, archived_at__isnull=False)
        if not rows.update(archived_at=None):
            return False
        AuditEvent.objects.record(AuditKind.PROJECT_RESTORED, user, project)
    return True
