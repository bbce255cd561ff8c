"""What surrounds every page: the projects to switch between."""

from typing import Any

from django.http import HttpRequest

from batchapp.access import memberships_of
from batchapp.models import Membership

SHOWN = 12
"""Projects in the switcher; the list of projects has the rest."""

WRITERS = {Membership.Role.ADMIN, Membership.Role.MEMBER}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Looked up when a page uses them, so fragments and errors cost nothing."""
    return {"switcher": lambda: _switcher(request), "may_order": lambda: _may_order(request)}


def _switcher(request: HttpRequest) -> list[Membership]:
    return memberships_of(request)[:SHOWN]


def _may_order(request: HttpRequest) -> bool:
    """Whether there is a project in which the person may run a batch."""
    mine = memberships_of(request)
    return any(each.role in WRITERS for each in mine)
