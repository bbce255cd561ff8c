"""What each role may do, as ``access`` decides it: for the page of members and for the docs."""

from collections.abc import Callable
from dataclasses import dataclass

from batchapp import access
from batchapp.access import Right
from batchapp.models import Batch, Membership, Project, ProviderKey, User

Role = Membership.Role

PROJECT_ROLES = {str(role): str(role.label) for role in (Role.VIEWER, Role.EDITOR, Role.OWNER)}
# Who is neither a member nor anything else in the portal is an outsider.
ROLES = PROJECT_ROLES | {
    "auditor": "Auditor",
    "administrator": "Administrator",
    "outsider": "Outsider",
}
OF_PROJECTS = {Right.SEE, Right.WRITE, Right.SPEND, Right.STOP, Right.MANAGE}
OF_PROJECTS |= {Right.APPROVE, Right.IN_PERSON}


@dataclass(frozen=True, slots=True)
class RoleRight:
    """Something that people do, and the keys of ``ROLES`` of those who may do it."""

    right: Right
    text: str
    roles: frozenset[str]

    @property
    def in_project(self) -> dict[str, bool]:
        """Return which of the roles of a project have the right, in their order."""
        return {label: role in self.roles for role, label in PROJECT_ROLES.items()}


def _can_spend(user: User, project: Project) -> bool:
    key = ProviderKey(project=project, connection_id=project.connection_id)
    return access.can_choose_key(user, key, project)


def _can_approve(user: User, project: Project) -> bool:
    return access.can_approve(user, Batch(project=project, created_by_id=0))


_QUESTIONS: list[tuple[Right, str, Callable[[User, Project], bool]]] = [
    (
        Right.SEE,
        "See files, batches, answers, costs and budgets, and download them",
        access.can_see,
    ),
    (Right.WRITE, "Upload and correct files, make requests from tables", access.can_write),
    (
        Right.SPEND,
        "Run, retry and import batches, and send single requests, on keys of the project",
        _can_spend,
    ),
    (Right.STOP, "Cancel batches, also in an archived project", access.can_stop),
    (
        Right.MANAGE,
        "Manage members, keys, how long answers are kept, and see the audit",
        access.can_manage,
    ),
    (
        Right.IN_PERSON,
        "Set budgets, and see those of all persons and portal keys",
        access.can_manage_budgets,
    ),
    (Right.MANAGE, "Read the statements of the project", access.can_read_statements),
    (
        Right.IN_PERSON,
        "Let the statements of the project be mailed to any address",
        access.can_mail_statements,
    ),
    (Right.APPROVE, "Approve batches that others ordered, or deny them", _can_approve),
    (Right.MANAGE, "Rename, archive, transfer and delete the project", access.can_manage),
    (
        Right.IN_PERSON,
        "See all portal keys of the project, and make service keys",
        access.can_manage_portal_keys,
    ),
    (
        Right.IN_PERSON,
        "Send what happens in the project to other programs by webhooks",
        access.can_manage_webhooks,
    ),
    (Right.CREATE, "Create projects", lambda user, _: access.can_create(user)),
    (
        Right.AUDIT,
        "See the costs of all projects, and the whole audit",
        lambda user, _: access.can_audit(user),
    ),
    (
        Right.ADMINISTER,
        "Manage people, connections, models and prices",
        lambda user, _: access.can_administer(user),
    ),
]


def role_rights() -> list[RoleRight]:
    """Ask ``access`` what a person of each role may do in a project that is not archived."""
    project = Project(name="A project")
    people = {role: _person(role, project) for role in ROLES}
    return [
        RoleRight(
            right, text, frozenset(role for role, user in people.items() if may(user, project))
        )
        for right, text, may in _QUESTIONS
    ]


def project_rights() -> list[RoleRight]:
    """Return the rights that depend on the role in a project."""
    return [row for row in role_rights() if row.right in OF_PROJECTS]


def lost_rights(before: str, after: str) -> list[str]:
    """Return what a member with the role ``before`` may do, and with ``after`` may not."""
    return [row.text for row in project_rights() if before in row.roles and after not in row.roles]


def _person(role: str, project: Project) -> User:
    """Return an unsaved person of that role."""
    user = User(
        email="person@example.com",
        is_auditor=role == "auditor",
        is_superuser=role == "administrator",
    )
    memberships = [Membership(project=project, role=role)] if role in PROJECT_ROLES else []
    access.assume_memberships(user, memberships)
    return user
