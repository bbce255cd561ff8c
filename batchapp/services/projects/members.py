"""Add people to a project, change their roles, and remove them; only admins of it may.

For others each function raises ``NotAllowed``, and nothing is written.
"""

from django.db import transaction

from batchapp import access
from batchapp.models import Membership, Project, User


def add_member(project: Project, user: User, person: User, role: str) -> Membership:
    """Give ``person`` a role in ``project``; whoever has one already keeps it."""
    access.require_manage(user, project)
    membership, _ = Membership.objects.get_or_create(
        project=project, user=person, defaults={"role": role}
    )
    return membership


def set_role(membership: Membership, user: User, role: str) -> bool:
    """Change the role; return False, and change nothing, if no admin would be left."""
    access.require_manage(user, membership.project)
    with transaction.atomic():
        _lock(membership.project)
        if role != Membership.Role.ADMIN and is_last_admin(membership):
            return False
        Membership.objects.filter(pk=membership.pk).update(role=role)
    return True


def remove_member(membership: Membership, user: User) -> bool:
    """Remove the member; return False, and change nothing, if no admin would be left."""
    access.require_manage(user, membership.project)
    with transaction.atomic():
        _lock(membership.project)
        if is_last_admin(membership):
            return False
        membership.delete()
    return True


def is_last_admin(membership: Membership) -> bool:
    """Return True if nobody else manages the project; a deactivated admin manages nothing."""
    admins = Membership.objects.filter(
        project=membership.project_id, role=Membership.Role.ADMIN, user__is_active=True
    )
    return set(admins.values_list("pk", flat=True)) == {membership.pk}


def _lock(project: Project) -> None:
    """Let two admins not demote each other at once.

    SQLite has no row locks and needs none, because only one transaction writes at a time.
    """
    list(Project.objects.select_for_update().filter(pk=project.pk))
