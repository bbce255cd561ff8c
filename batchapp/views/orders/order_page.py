"""The context that all steps of an order share."""

from typing import Any

from batchapp.http import Request
from batchapp.models import Project
from batchapp.views.project_page import project_page


def order_page(request: Request, project: Project) -> dict[str, Any]:
    return project_page(request, project, "project_batch_list") | {"nav": "batches"}
