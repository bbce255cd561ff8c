"""What the pages of the report have in common: the right, the filters, and what is left out."""

from typing import Any

from django.core.exceptions import PermissionDenied

from batchapp.access import can_read_costs
from batchapp.forms.reports import ReportForm
from batchapp.http import Request
from batchapp.models import Connection
from batchapp.presenters.charts.spending import cost_text
from batchapp.presenters.report_text import contents_text, days_text
from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import portal_today
from batchapp.services.reports.scope import Scope
from batchapp.views.permissions import memberships_of
from batchapp.views.reports import addresses


def require_costs(request: Request) -> None:
    memberships_of(request)  # read once for the whole request
    if not can_read_costs(request.user):
        raise PermissionDenied(
            "The report is about the projects that you are in, and you are in none yet. Ask an "
            "owner of a project to add you."
        )


def report_form(request: Request) -> ReportForm:
    return ReportForm.from_address(request.GET.dict(), portal_today())


def head(request: Request, form: ReportForm, scope: Scope) -> dict[str, Any]:
    """Return what the filters and the tabs of the page show."""
    return {
        "form": form,
        "scope": scope,
        "days": days_text(scope.first, scope.last),
        "narrowed_to": addresses.narrowed_to(request, scope),
        "parameters": request.GET.urlencode(),
        "tab_parameters": addresses.of_tabs(request),
        "nav": "report",
        **_sandbox(scope),
    }


def _sandbox(scope: Scope) -> dict[str, Any]:
    """Return the sum of what sandboxes answered, which is left out unless the address asks."""
    if not Connection.objects.filter(is_sandbox=True).exists():
        return {}
    sandbox = cost_report.sum_sandbox(scope)
    return {
        "sandbox": sandbox,
        "sandbox_contents": contents_text(sandbox, "sandbox "),
        "sandbox_cost": cost_text(sandbox.cost_usd, sandbox.unpriced),
    }
