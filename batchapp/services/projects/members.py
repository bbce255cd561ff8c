"""Change the roles of people in a project, and remove them; only owners of it may, signed in.

For others each function raises ``NotAllowed``, and nothing is written. Every member may leave.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from batchapp import access
from batchapp.models import AuditEvent, AuditKind, Membership, PortalKey, Project, User

Role = Membership.Role


def set_role(membership: Membership, user: User, role: str) -> bool:
    """Change the role; return False, and change nothing, if no owner would be left."""
    with _managing(membership.project, user):
        if role != Role.OWNER and is_last_owner(membership):
            return False
        _change_role(membership, user, role)
    return True


def remove_member(membership: Membership, user: User) -> bool:
    """Remove the member; return False, and change nothing, if no owner would be left."""
    with _managing(membership.project, user):
        if is_last_owner(membership):
            return False
        _remove(membership, user, AuditKind.MEMBER_REMOVED)
    return True


def leave(project: Project, user: User) -> bool:
    """Remove ``user`` from the project; False, and nothing changes, if no owner would be left.

    Raises:
        NotAllowed: the person is not in the project, or acts by a portal key.
    """
    access.require_leave(user, project)
    with transaction.atomic():
        _lock(project)
        membership = Membership.objects.filter(project=project, user=user).first()
        if membership is None or is_last_owner(membership):
            return False
        _remove(membership, user, AuditKind.MEMBER_LEFT)
    return True


def transfer(membership: Membership, user: User, own_role: str) -> bool:
    """Make the member an owner, and give ``user`` the role ``own_role``, or none with "".

    Returns False, and changes nothing, if the member is ``user``, left, or is deactivated.

    Raises:
        NotAllowed: nothing was written.
    """
    project = membership.project
    access.require_manage_in_person(user, project)
    with _managing(project, user):
        others = Membership.objects.of_people().exclude(user=user).filter(user__is_active=True)
        if not others.filter(pk=membership.pk).update(role=Role.OWNER):
            return False
        own = Membership.objects.filter(project=project, user=user)
        if own_role:
            own.update(role=own_role)
        else:
            own.delete()
            PortalKey.objects.filter(project=project, user=user).revoke(user)
        AuditEvent.objects.record(
            AuditKind.PROJECT_TRANSFERRED,
            user,
            project,
            person=membership.user.email,
            own_role=own_role,
        )
    return True


def is_last_owner(membership: Membership) -> bool:
    """Return True if nobody else manages the project; a deactivated owner manages nothing."""
    owners = Membership.objects.of_people().filter(
        project=membership.project_id, role=Role.OWNER, user__is_active=True
    )
    return set(owners.values_list("pk", flat=True)) == {membership.pk}


def _change_role(membership: Membership, user: User, role: str) -> None:
    """Store and record the role; the object may be older than a change by somebody else."""
    rows = Membership.objects.filter(pk=membership.pk)
    before = rows.values_list("role", flat=True).first()
    if before is None or role == before:
        return
    rows.update(role=role)
    person = membership.user.email
    AuditEvent.objects.record(
        AuditKind.ROLE_CHANGED,
        user,
        membership.project,
        person=person,
        before=before,
        after=role,
    )


def _remove(membership: Membership, user: User, kind: AuditKind) -> None:
    """Remove the member and revoke the member's portal keys: a later membership opens none."""
    data = {"person": membership.user.email, "role": membership.role}
    membership.delete()
    PortalKey.objects.filter(project=membership.project, user=membership.user).revoke(user)
    AuditEvent.objects.record(kind, user, membership.project, **data)


@contextmanager
def _managing(project: Project, user: User) -> Iterator[None]:
    """Open a transaction in which no other owner changes the members.

    Raises:
        NotAllowed: the person acts by a portal key, or another owner took the right away, perhaps
            while this waited.
    """
    access.require_manage_in_person(user, project)
    with transaction.atomic():
        _lock(project)
        # The person as stored now: ``user`` may keep memberships that were read earlier.
        access.require_manage(User.objects.get(pk=user.pk), project)
        yield


def _lock(project: Project) -> None:
    """Let two owners not demote each other at once.

    SQLite has no row locks and needs none, because only one transaction writes at a time.
    """
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
