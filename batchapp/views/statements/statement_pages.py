"""What the pages of statements share: who may read, and which part of a month they show."""

from datetime import date
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404

from batchapp import access
from batchapp.http import Request
from batchapp.models import MonthClosing, Project
from batchapp.services.statements import calendar
from batchapp.services.statements.part import Part, readable_projects
from batchapp.views.permissions import memberships_of, project_of, require_owner

NAV = {"nav": "report"}
MAX_COST_CENTRE = 200  # characters of an address that are looked up


def require_reader(request: Request) -> frozenset[object] | None:
    """Return the ids of the projects whose statements the person may read; None for all.

    Raises:
        PermissionDenied: there is no such project.
    """
    memberships_of(request)
    projects = readable_projects(request.user)
    if projects is not None and not projects:
        raise PermissionDenied(
            "Statements are for the owners of projects, for administrators and for auditors."
        )
    return projects


def statement_project(request: Request, slug: str) -> Project:
    """Return the project, also a deleted one for those who audit; 404 for outsiders."""
    if access.can_audit(request.user):
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise Http404
        return project
    project = project_of(request, slug)
    require_owner(request, project)
    return project


def cost_centre_of(request: Request) -> str | None:
    """Return the cost centre in the address: None if there is none, "" for lines without one."""
    if request.GET.get("without") == "cost_centre":
        return ""
    return request.GET.get("cost_centre", "")[:MAX_COST_CENTRE] or None


def cost_centre_query(cost_centre: str | None) -> str:
    """Return the parameters by which an address names ``cost_centre``."""
    if cost_centre is None:
        return ""
    return urlencode({"cost_centre": cost_centre} if cost_centre else {"without": "cost_centre"})


def part_of(request: Request, month: date, project: Project | None = None) -> Part:
    """Return the part of ``month`` that the address names.

    Raises:
        Http404: the month has not begun.
    """
    if month > calendar.this_month():
        raise Http404
    projects = frozenset({project.pk}) if project else readable_projects(request.user)
    return Part(month, projects, cost_centre_of(request))


def closing_of(month: date) -> MonthClosing | None:
    return MonthClosing.objects.filter(month=month).select_related("closed_by").first()
