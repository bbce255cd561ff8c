"""The context that all pages inside a project share."""

from typing import Any

from batchapp.http import Request
from batchapp.models import Project
from batchapp.views.permissions import can_manage, can_write


def project_page(request: Request, project: Project, tab: str) -> dict[str, Any]:
    return {
        "project": project,
        "can_write": can_write(request, project),
        "can_manage": can_manage(request, project),
        "nav": "projects",
        "tab": tab,
    }
