"""Values for the frame of every page: the projects of the person, and the theme."""

from typing import Any

from django.http import HttpRequest

from batchapp.access import WRITERS
from batchapp.models import Membership, Project
from batchapp.presenters.upload_targets import UploadTarget, upload_target
from batchapp.views.permissions import memberships_of

THEME_COOKIE = "theme"
THEMES = {"": "System", "light": "Light", "dark": "Dark"}
MAX_PROJECTS = 12  # in the switcher; the list of projects has all


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return functions, so that fragments and error pages that do not call them need no query."""
    return {
        "switcher": lambda: _switcher(request),
        "may_order": lambda: bool(writable_projects(request)),
        "upload_targets": lambda: upload_targets(request),
        "theme": _theme(request),
    }


def _theme(request: HttpRequest) -> str:
    """Return the theme that this browser asked for; "" is the theme of the device."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in THEMES else ""


def _switcher(request: HttpRequest) -> list[Membership]:
    return memberships_of(request)[:MAX_PROJECTS]


def writable_projects(request: HttpRequest) -> list[Project]:
    """Return the projects in which the person may run a batch, and so upload files."""
    return [row.project for row in memberships_of(request) if row.role in WRITERS]


def upload_targets(request: HttpRequest) -> list[UploadTarget]:
    return [upload_target(project) for project in writable_projects(request)]
