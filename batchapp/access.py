"""Decide what a person may do in a project, and on whose key; the only place that decides it.

Services ask here before they spend, stop, write, or read results or keys. The answers know no
request: views turn a refusal into 404 or into a sentence.
"""

from enum import StrEnum
from functools import cache
from typing import Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef

from batchapp.models import (
    Batch,
    Budget,
    Membership,
    PortalKey,
    Project,
    ProviderKey,
    SavedView,
    User,
)
from batchapp.models.people.user import AnyUser, portal_key_of
from batchapp.models.portal_keys.key_holder import holder_of, holder_values
from batchapp.models.prepared_query import PreparedQuery

WRITERS = frozenset({Membership.Role.EDITOR, Membership.Role.OWNER})

ROLES: list[str] = [  # the lowest first
    *(Membership.Role.VIEWER, Membership.Role.EDITOR, Membership.Role.OWNER)
]


class Right(StrEnum):
    SEE = "see"
    WRITE = "write"
    STOP = "stop"  # what runs, also in an archived project
    MANAGE = "manage"
    SPEND = "spend"  # on one provider key
    IN_PERSON = "in person"  # signed in, not by a portal key
    APPROVE = "approve"  # a batch that another person ordered
    CREATE = "create"  # a project
    ADMINISTER = "administer"  # the portal: people, connections, prices
    AUDIT = "audit"  # the reports of all projects


class NotAllowed(PermissionDenied):
    """The person lacks ``right`` in ``project``, or on ``key``; nothing was written."""

    def __init__(
        self, right: Right, project: Project | None = None, key: ProviderKey | None = None
    ) -> None:
        super().__init__(right, project, key)
        self.right, self.project, self.key = right, project, key


class Operator:
    """Whoever runs commands on the server, and could write to the database anyway.

    An operator sets up keys and prices. A person does everything else, also in a command.
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


def assume_memberships(user: AnyUser, memberships: list[Membership]) -> None:
    """Let ``user``, which is not stored, have these memberships; for documents of the rights."""
    user._kept_memberships = memberships  # type: ignore[union-attr]


def memberships_of(user: AnyUser) -> list[Membership]:
    """Return the memberships with projects and connections, sorted by project name.

    A person who is deactivated or not signed in has none. By a portal key there is at most one,
    in the project of the key, and its role is no higher than the scope of the key.
    """
    kept: list[Membership] | None = getattr(user, "_kept_memberships", None)
    if kept is not None:
        return kept
    if not user.pk:
        return []
    key = portal_key_of(user)
    memberships = _held_memberships(key.scope if key else None).all(**holder_values(user, key))
    if key:
        for membership in memberships:
            membership.role = min(membership.role, key.role, key=ROLES.index)  # unsaved
    if hasattr(user, "_kept_memberships"):
        user._kept_memberships = memberships
    return memberships


@cache
def _held_memberships(scope: str | None) -> PreparedQuery[Membership]:
    """Return the query that is asked with every page and several times with an order."""
    rows = Membership.objects.held_by(holder_of(scope)).filter(project__deleted_at=None)
    rows = rows.select_related("project__connection")
    # In the same query, since every page has the menu that needs to know.
    asking = Budget.objects.filter(project=OuterRef("project"), when_over=Budget.Over.APPROVAL)
    rows = rows.annotate(budget_asks_approval=Exists(asking))
    return PreparedQuery(lambda: rows.order_by("project__name", "project__slug"))


def membership_in(user: AnyUser, project: Project) -> Membership | None:
    """Return the membership of ``user`` in ``project``; None for outsiders."""
    rows = (row for row in memberships_of(user) if row.project_id == project.pk)
    return next(rows, None)


def role_in(user: AnyUser, project: Project) -> str:
    """Return the role of ``user`` in ``project``; "" for outsiders."""
    membership = membership_in(user, project)
    return membership.role if membership else ""


def can_see(user: AnyUser, project: Project) -> bool:
    return bool(role_in(user, project))


def can_write(user: AnyUser, project: Project) -> bool:
    """Return True for editors and owners, unless the project is archived."""
    membership = membership_in(user, project)
    return membership is not None and writes(membership)


def writes(membership: Membership) -> bool:
    """Return True if the member may start something new in the project."""
    return membership.role in WRITERS and not membership.project.archived_at


def can_stop(user: AnyUser, project: Project) -> bool:
    """Return True for editors and owners, also in an archived project."""
    return role_in(user, project) in WRITERS


def can_manage(actor: Actor, project: Project) -> bool:
    if isinstance(actor, Operator):
        return True
    return role_in(actor, project) == Membership.Role.OWNER


def can_approve(user: AnyUser, batch: Batch) -> bool:
    """Return True for an owner in person, and for own batches only if the project allows that.

    This holds for denials as well, and says nothing of the state of the batch.
    """
    if not acts_in_person(user) or not can_manage(user, batch.project):
        return False
    return batch.created_by_id != user.pk or batch.project.approval_of_own


def can_create(user: AnyUser) -> bool:
    """Return True for those who may create projects, as the setting PROJECT_FOUNDERS says."""
    if settings.PROJECT_FOUNDERS == "administrators":
        return can_administer(user)
    return acts_in_person(user)


def can_administer(actor: Actor) -> bool:
    """Return True for the portal's administrators, whom Django calls superusers.

    Administrators see the files and answers of a project only as members of it.
    """
    if isinstance(actor, Operator):
        return True
    return acts_in_person(actor) and actor.is_superuser


def can_audit(actor: Actor) -> bool:
    """Return True for those who may read the reports of all projects, and the whole audit."""
    if can_administer(actor):
        return True
    return isinstance(actor, User) and acts_in_person(actor) and actor.is_auditor


def can_read_costs(user: AnyUser) -> bool:
    """Return True for those who may read reports: members of any project, and auditors of all.

    Viewers and editors read them as owners do, since the list of batches shows each cost and who
    ordered it. By a portal key the report is of its project alone.
    """
    return can_audit(user) or bool(memberships_of(user))


def can_read_statements(user: AnyUser, project: Project) -> bool:
    """Return True for owners of ``project``, also by a portal key, and for those who audit."""
    return can_audit(user) or can_manage(user, project)


def can_manage_key(actor: Actor, key: ProviderKey) -> bool:
    """Return True for the owner of a personal key, and for the owners of a project's key."""
    if isinstance(actor, Operator):
        return True
    if not acts_in_person(actor):
        return False
    if key.project:
        return can_manage(actor, key.project)
    return key.user_id == actor.pk


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


def acts_in_person(actor: Actor) -> bool:
    """Return True for a person who is signed in, and acts by no portal key."""
    if isinstance(actor, Operator):
        return False
    return actor.is_active and portal_key_of(actor) is None


def can_manage_portal_keys(actor: Actor, project: Project) -> bool:
    """Return True for whoever sees all portal keys of ``project``, and makes service keys."""
    return acts_in_person(actor) and can_manage(actor, project)


def can_manage_webhooks(actor: Actor, project: Project) -> bool:
    """Return True for whoever decides which programs outside of the portal are told of notices."""
    return acts_in_person(actor) and can_manage(actor, project)


def can_manage_portal_key(actor: Actor, key: PortalKey) -> bool:
    """Return True for the person of ``key`` and for the owners of its project."""
    if isinstance(actor, Operator) or not acts_in_person(actor):
        return False
    return key.user_id == actor.pk or can_manage(actor, key.project)


def can_rotate_portal_key(actor: Actor, key: PortalKey) -> bool:
    """Return True for the person of ``key``, and of a service key for the owners of its project.

    Whoever rotates a key reads its new secret, and acts by it as the person of the key.
    """
    is_own = isinstance(actor, User) and key.user_id == actor.pk
    return can_manage_portal_key(actor, key) and (is_own or key.is_service_key)


def can_manage_budgets(actor: Actor, project: Project) -> bool:
    """Return True for owners in person: a script that spends changes no limit of spending."""
    return acts_in_person(actor) and can_manage(actor, project)


def can_mail_statements(actor: Actor, project: Project) -> bool:
    """Return True for whoever decides to which addresses statements of ``project`` are mailed."""
    return acts_in_person(actor) and can_manage(actor, project)


def can_see_budget(user: AnyUser, budget: Budget, project: Project) -> bool:
    """Return True for members, and for the budget of a person or portal key only if it is theirs.

    Owners see all budgets of ``project``, which is that of the budget.
    """
    if can_manage(user, project):
        return True
    is_own = budget.person_id == user.pk
    if budget.portal_key:
        is_own = budget.portal_key.user_id == user.pk
    is_shared = budget.kind in {Budget.Kind.PROJECT, Budget.Kind.MODEL}
    return can_see(user, project) and (is_shared or is_own)


def can_change_view(user: AnyUser, view: SavedView) -> bool:
    """Return True for the maker of ``view``, and for owners of the project that it is shared in.

    To share a view takes an editor.
    """
    if view.project is None:
        return user.is_active and view.owner_id == user.pk
    if view.owner_id != user.pk:
        return view.is_shared and can_manage(user, view.project)
    return can_write(user, view.project) if view.is_shared else can_see(user, view.project)


def require_see(user: AnyUser, project: Project) -> None:
    if not can_see(user, project):
        raise NotAllowed(Right.SEE, project)


def require_write(user: AnyUser, project: Project) -> None:
    membership = membership_in(user, project)
    if membership is None or not writes(membership):
        # As it is stored: the refusal says whether the project is archived.
        raise NotAllowed(Right.WRITE, membership.project if membership else project)


def require_stop(user: AnyUser, project: Project) -> None:
    if not can_stop(user, project):
        raise NotAllowed(Right.STOP, project)


def require_open(project: Project) -> None:
    """Keep ``project`` from being archived or deleted until the end of the transaction.

    Whatever spends calls this in the transaction that writes it: the archiving comes either
    before, and this refuses, or after what was written.

    Raises:
        NotAllowed: the project is archived; roll back.
    """
    # SQLite has no row locks and needs none, because only one transaction writes at a time.
    open_projects = Project.objects.filter(pk=project.pk, archived_at=None)
    if not open_projects.select_for_update(no_key=True).values_list("pk"):
        raise NotAllowed(Right.WRITE, Project.objects.get(pk=project.pk))


def require_manage(actor: Actor, project: Project) -> None:
    if not can_manage(actor, project):
        raise NotAllowed(Right.MANAGE, project)


def require_manage_in_person(actor: Actor, project: Project) -> None:
    """Raise ``NotAllowed`` unless an owner asks who is signed in, and acts by no portal key."""
    require_manage(actor, project)
    if not acts_in_person(actor):
        raise NotAllowed(Right.IN_PERSON, project)


def require_manage_webhooks(actor: Actor, project: Project) -> None:
    """Raise ``NotAllowed`` unless an owner asks who is signed in, and acts by no portal key.

    A webhook carries facts of the project out of the portal for as long as it exists.
    """
    require_manage(actor, project)
    if not can_manage_webhooks(actor, project):
        raise NotAllowed(Right.IN_PERSON, project)


def require_mail_statements(actor: Actor, project: Project | None) -> None:
    """Raise ``NotAllowed`` unless ``actor`` may mail statements to people without an account.

    Those of ``project`` are for its owners, signed in; those of cost centres, with None, are for
    administrators.
    """
    if project is None:
        require_administer(actor)
        return
    require_manage(actor, project)
    if not can_mail_statements(actor, project):
        raise NotAllowed(Right.IN_PERSON, project)


def require_in_person(user: AnyUser) -> None:
    """Raise ``NotAllowed`` unless a person asks who is signed in, and acts by no portal key."""
    if not acts_in_person(user):
        raise NotAllowed(Right.IN_PERSON)


def require_approve(user: AnyUser, batch: Batch) -> None:
    if not can_approve(user, batch):
        raise NotAllowed(Right.APPROVE, batch.project)


def require_leave(user: AnyUser, project: Project) -> None:
    """Raise ``NotAllowed`` unless a member asks who is signed in, and acts by no portal key."""
    require_see(user, project)
    if not acts_in_person(user):
        raise NotAllowed(Right.IN_PERSON, project)


def require_manage_key(actor: Actor, key: ProviderKey) -> None:
    if not can_manage_key(actor, key):
        raise NotAllowed(Right.MANAGE, key.project, key)


def require_create(user: AnyUser) -> None:
    if not can_create(user):
        raise NotAllowed(Right.CREATE)


def require_administer(actor: Actor) -> None:
    if not can_administer(actor):
        raise NotAllowed(Right.ADMINISTER)


def require_audit(actor: Actor) -> None:
    if not can_audit(actor):
        raise NotAllowed(Right.AUDIT)


def require_read_statements(user: AnyUser, project: Project) -> None:
    if not can_read_statements(user, project):
        raise NotAllowed(Right.MANAGE, project)


def require_choose_key(user: AnyUser, key: ProviderKey, project: Project) -> None:
    require_write(user, project)
    if not can_choose_key(user, key, project):
        raise NotAllowed(Right.SPEND, project, key)


def require_spend(user: AnyUser, key: ProviderKey, project: Project) -> None:
    require_write(user, project)
    if not can_spend(user, key, project):
        raise NotAllowed(Right.SPEND, project, key)


def require_own_keys(person: AnyUser, project: Project) -> None:
    """Raise ``NotAllowed`` unless ``person`` may have portal keys in ``project``."""
    if not acts_in_person(person):
        raise NotAllowed(Right.IN_PERSON, project)
    require_see(person, project)


def require_manage_portal_keys(actor: Actor, project: Project) -> None:
    require_manage(actor, project)
    if not can_manage_portal_keys(actor, project):
        raise NotAllowed(Right.IN_PERSON, project)


def require_manage_portal_key(actor: Actor, key: PortalKey) -> None:
    if not can_manage_portal_key(actor, key):
        raise NotAllowed(Right.MANAGE, key.project)


def require_rotate_portal_key(actor: Actor, key: PortalKey) -> None:
    if not can_rotate_portal_key(actor, key):
        raise NotAllowed(Right.MANAGE, key.project)


def require_paying_key(key: ProviderKey, project: Project) -> None:
    """Raise ``NotAllowed`` unless ``key`` still pays for ``project``, whoever asks."""
    if not may_be_spent(key, project):
        raise NotAllowed(Right.SPEND, project, key)


def require_change_view(user: AnyUser, view: SavedView) -> None:
    if not can_change_view(user, view):
        is_own = view.owner_id == user.pk
        raise NotAllowed(Right.WRITE if is_own else Right.MANAGE, view.project)
