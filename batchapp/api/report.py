"""The report of the project of a portal key, as a cross-tab."""

from typing import Any

from django.forms import BooleanField, ChoiceField, Field
from django.http import HttpResponse
from ninja import Router

from batchapp.api.errors import invalid
from batchapp.api.responses import json_response
from batchapp.api.schemas.report import Report
from batchapp.api.scopes import Scope, key_of, needs
from batchapp.forms.reports import BY, ReportForm
from batchapp.http import Request
from batchapp.presenters.report_json import cross_tab_json
from batchapp.services.audit.downloads import record_report
from batchapp.services.reports.cost_report import portal_today
from batchapp.services.reports.cross_tab import TIME, cross_tab
from batchapp.services.reports.direct_sums import direct_sum

router = Router(tags=["Report"])


def _parameter(name: str, field: Field) -> dict[str, Any]:
    """Describe a parameter that the form of the page checks, not django-ninja."""
    schema: dict[str, Any] = {"type": "string"}
    if isinstance(field, BooleanField):
        schema = {"enum": ["on"]}
    elif isinstance(field, ChoiceField):
        schema = {"enum": [value for value, _label in field.widget.choices]}
    return {"name": name, "in": "query", "required": False, "schema": schema}


PARAMETERS = [_parameter(name, field) for name, field in ReportForm.base_fields.items()]


@router.get("/report", response={200: Report}, **needs(Scope.READ, parameters=PARAMETERS))
def report_detail(request: Request) -> HttpResponse:
    """Add up costs by the groups ``by`` and ``across``; other parameters are those of the page.

    Unlike the page, which shows another report with a word, an odd parameter is an error.
    """
    today = portal_today()
    form = ReportForm.from_address(request.GET.dict(), today)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise invalid(str(errors[0]), None if field == "__all__" else field)
    scope = form.scope(today, request.user)
    by = form.cleaned_data["by"] or BY
    parameters = {name: value for name, value in request.GET.dict().items() if name in form.fields}
    record_report(request.user, "report", key_of(request).project, parameters=parameters)
    table = cross_tab(scope, by, form.cleaned_data["across"] or TIME)
    return json_response(cross_tab_json(scope, table, direct_sum(scope)))
