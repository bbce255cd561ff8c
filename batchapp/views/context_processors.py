"""Values for the frame of every page: the projects of the person, and the theme."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from batchapp import access
from batchapp.models import Membership, Project, User
from batchapp.presenters.upload_targets import UploadTarget, upload_target
from batchapp.services.approvals import inbox
from batchapp.services.notifications.inbox import Unread, unread_of
from batchapp.views.permissions import memberships_of

THEME_COOKIE = "theme"
THEMES = {"": "System", "light": "Light", "dark": "Dark"}
DENSITY_COOKIE = "density"
DENSITIES = {"": "Comfortable", "compact": "Compact"}
MAX_PROJECTS = 12  # in the switcher; the list of projects has all


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return functions, so that fragments and error pages that do not call them need no query."""
    return {
        "switcher": lambda: _switcher(request),
        "may_administer": lambda: _may(request, access.can_administer),
        "may_read_costs": lambda: bool(memberships_of(request)) or _may(request, access.can_audit),
        "may_audit": lambda: _may(request, access.can_audit),
        "may_read_statements": lambda: _reads_statements(request),
        "may_create": lambda: _may(request, access.can_create),
        "has_approvals": lambda: _has_approvals(request),
        "approvals_waiting": lambda: _approvals_waiting(request),
        "may_order": lambda: bool(writable_projects(request)),
        # Read once, and only by what shows it.
        "unread": SimpleLazyObject(lambda: _unread(request)),
        "upload_targets": lambda: upload_targets(request),
        "theme": _kept(request, THEME_COOKIE, THEMES),
        "density": _kept(request, DENSITY_COOKIE, DENSITIES),
    }


def _reads_statements(request: HttpRequest) -> bool:
    owns = any(row.role == Membership.Role.OWNER for row in memberships_of(request))
    return owns or _may(request, access.can_audit)


def _has_approvals(request: HttpRequest) -> bool:
    """Return True if a project of the person asks for approval of batches, or a budget does."""
    return any(
        not row.project.approval_policy.is_empty or getattr(row, "budget_asks_approval", False)
        for row in memberships_of(request)
    )


def _approvals_waiting(request: HttpRequest) -> int:
    """Count the batches that the person may approve; without a query for whoever is no owner."""
    user = getattr(request, "user", None)
    owns = any(row.role == Membership.Role.OWNER for row in memberships_of(request))
    return inbox.waiting_for(user).count() if isinstance(user, User) and owns else 0


def _may(request: HttpRequest, can: Callable[[User], bool]) -> bool:
    user = getattr(request, "user", None)  # error pages may come before authentication
    return isinstance(user, User) and can(user)


def _unread(request: HttpRequest) -> Unread:
    user = getattr(request, "user", None)
    return unread_of(user) if isinstance(user, User) else Unread(0, 0)


def _kept(request: HttpRequest, cookie: str, choices: dict[str, str]) -> str:
    """Return the choice that this browser keeps; "" is the usual one."""
    choice = request.COOKIES.get(cookie, "")
    return choice if choice in choices else ""


def _switcher(request: HttpRequest) -> list[Membership]:
    return [row for row in memberships_of(request) if not row.project.archived_at][:MAX_PROJECTS]


def writable_projects(request: HttpRequest) -> list[Project]:
    """Return the projects in which the person may run a batch, and so upload files."""
    return [row.project for row in memberships_of(request) if access.writes(row)]


def upload_targets(request: HttpRequest) -> list[UploadTarget]:
    return [upload_target(project) for project in writable_projects(request)]
