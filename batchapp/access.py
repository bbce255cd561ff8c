"""Decide what a person may do in a project, and on whose key; the only place that decides it.

Services ask here before they spend, stop, write, or read results or keys. The answers know no
request: views turn a refusal into 404 or into a sentence.
"""

from enum import StrEnum
from typing import Final

from django.core.exceptions import PermissionDenied

from batchapp.models import Membership, Project, ProviderKey
from batchapp.models.people.user import AnyUser

WRITERS = frozenset({Membership.Role.MEMBER, Membership.Role.ADMIN})


class Right(StrEnum):
    SEE = "see"
    WRITE = "write"
    MANAGE = "manage"
    SPEND = "spend"  # on one provider key
    CREATE = "create"  # a project
    OPERATE = "operate"  # prices and reports, which belong to no project


class NotAllowed(PermissionDenied):
    """The person lacks ``right`` in ``project``, or on ``key``; nothing was written."""

    def __init__(
        self, right: Right, project: Project | None = None, key: ProviderKey | None = None
    ) -> None:
        super().__init__(right, project, key)
        self.right, self.project, self.key = right, project, key


class Operator:
    """Whoever runs commands on the server, and could write to the database anyway.

    An operator sets up keys and prices. Everything else is done by a person, also in a command.
    """


OPERATOR: Final = Operator()

Actor = AnyUser | Operator


def keep_memberships(user: AnyUser) -> None:
    """Read the memberships of ``user`` only once from now on, as long as this object lives.

    Use this only for an object that is made for one request: a person who loses a role keeps the
    role in this object.
    """
    if not hasattr(user, "_kept_memberships"):
        user._kept_memberships = None  # type: ignore[union-attr]


def memberships_of(user: AnyUser) -> list[Membership]:
    """Return the memberships with projects and connections, sorted by project name.

    A person who is deactivated or not signed in has none.
    """
    kept: list[Membership] | None = getattr(user, "_kept_memberships", None)
    if kept is not None:
        return kept
    if not user.pk:
        return []
    rows = Membership.objects.filter(user=user.pk, user__is_active=True)
    rows = rows.select_related("project__connection").order_by("project__name", "project__slug")
    memberships = list(rows)
    if hasattr(user, "_kept_memberships"):
        user._kept_memberships = memberships
    return memberships


def role_in(user: AnyUser, project: Project) -> str:
    """Return the role of ``user`` in ``project``; "" for outsiders."""
    roles = {row.project_id: row.role for row in memberships_of(user)}
    return roles.get(project.pk, "")


def can_see(user: AnyUser, project: Project) -> bool:
    return bool(role_in(user, project))


def can_write(user: AnyUser, project: Project) -> bool:
    return role_in(user, project) in WRITERS


def can_manage(actor: Actor, project: Project) -> bool:
    if isinstance(actor, Operator):
        return True
    return role_in(actor, project) == Membership.Role.ADMIN


def can_create(user: AnyUser) -> bool:
    return user.is_active


def can_operate(actor: Actor) -> bool:
    return isinstance(actor, Operator) or (actor.is_active and actor.is_staff)


def can_manage_key(actor: Actor, key: ProviderKey) -> bool:
    """Return True for the owner of a personal key, and for the admins of a project's key."""
    if isinstance(actor, Operator):
        return True
    if key.project:
        return can_manage(actor, key.project)
    return actor.is_active and key.user_id == actor.pk


def can_choose_key(user: AnyUser, key: ProviderKey, project: Project) -> bool:
    """Return True if ``user`` may start something in ``project`` on ``key``."""
    owns = key.user_id == user.pk or key.project_id == project.pk
    return owns and key.connection_id == project.connection_id and can_write(user, project)


def can_spend(user: AnyUser, key: ProviderKey, project: Project) -> bool:
    """Return True if ``user`` may let more of ``project`` run on ``key``, which it ran on before.

    The key may be a colleague's.
    """
    if not can_write(user, project):
        return False
    return key.user_id == user.pk or may_be_spent(key, project)


def may_be_spent(key: ProviderKey, project: Project) -> bool:
    """Return True if ``key`` still pays for ``project``, whoever asks.

    A key of a person pays while its owner is active and in the project.
    """
    if key.user_id is None:
        return key.project_id == project.pk
    owners = Membership.objects.filter(user=key.user_id, user__is_active=True)
    return owners.filter(project=project.pk).exists()


def require_see(user: AnyUser, project: Project) -> None:
    if not can_see(user, project):
        raise NotAllowed(Right.SEE, project)


def require_write(user: AnyUser, project: Project) -> None:
    if not can_write(user, project):
        raise NotAllowed(Right.WRITE, project)


def require_manage(actor: Actor, project: Project) -> None:
    if not can_manage(actor, project):
        raise NotAllowed(Right.MANAGE, project)


def require_manage_key(actor: Actor, key: ProviderKey) -> None:
    if not can_manage_key(actor, key):
        raise NotAllowed(Right.MANAGE, key.project, key)


def require_create(user: AnyUser) -> None:
    if not can_create(user):
        raise NotAllowed(Right.CREATE)


def require_operate(actor: Actor) -> None:
    if not can_operate(actor):
        raise NotAllowed(Right.OPERATE)


def require_choose_key(user: AnyUser, key: ProviderKey, project: Project) -> None:
    require_write(user, project)
    if not can_choose_key(user, key, project):
        raise NotAllowed(Right.SPEND, project, key)


def require_spend(user: AnyUser, key: ProviderKey, project: Project) -> None:
    require_write(user, project)
    if not can_spend(user, key, project):
        raise NotAllowed(Right.SPEND, project, key)


def require_paying_key(key: ProviderKey, project: Project) -> None:
    """Raise ``NotAllowed`` unless ``key`` still pays for ``project``, whoever asks."""
    if not may_be_spent(key, project):
        raise NotAllowed(Right.SPEND, project, key)
