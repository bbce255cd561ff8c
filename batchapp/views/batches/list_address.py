"""The address of the list of batches that a page or a form was opened from."""

from urllib.parse import urlencode

from django.urls import reverse

from batchapp.forms.batches.batch_list import FILTER_FIELDS
from batchapp.http import Request
from batchapp.views.permissions import memberships_of

SORT = "sort"


def filter_values(request: Request) -> dict[str, str]:
    """Return the filter and the order of a list of batches in the address of ``request``."""
    given = {name: request.GET.get(name, "") for name in (*FILTER_FIELDS, SORT)}
    return {name: value.replace("\0", "") for name, value in given.items() if value}


def list_address(request: Request) -> str:
    """Return the address of the list, with its filter; that of a project if ``of`` names one."""
    values = filter_values(request)
    slugs = {membership.project.slug for membership in memberships_of(request)}
    url = reverse("batch_list")
    if request.GET.get("of") in slugs:
        url = reverse("project_batch_list", args=[request.GET["of"]])
        values.pop("project", None)
    return f"{url}?{urlencode(values)}" if values else url
