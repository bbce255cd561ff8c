"""The statements of the project of a portal key."""

from datetime import date

from django.http import HttpResponse
from ninja import Router

from batchapp import access
from batchapp.api.errors import invalid, not_found
from batchapp.api.responses import json_response
from batchapp.api.schemas.statement import Statement as StatementObject
from batchapp.api.scopes import Scope, key_of, needs
from batchapp.http import Request
from batchapp.models import Statement
from batchapp.presenters.statements.statement_json import statement_json
from batchapp.services.audit.downloads import record_report
from batchapp.services.statements import calendar, statement_lines
from batchapp.services.statements.part import Part
from batchapp.services.statements.sums import sum_by_each, total_of

LINES = 1000  # on one page
GROUPS = ("cost_centre", "model", "person")

router = Router(tags=["Report"])


@router.get("/statements/{month}", response={200: StatementObject}, **needs(Scope.MANAGE))
def statement_detail(request: Request, month: str, page: int = 1) -> HttpResponse:
    """Return the statement of a month such as 2026-11, with a page of its lines.

    A month that is not closed has its running total, which may change. The person of the key
    must be an owner of the project.
    """
    project = key_of(request).project
    access.require_read_statements(request.user, project)
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise invalid("A month is written as 2026-11.", "month") from None
    part = Part(first, frozenset({project.pk}))
    statement = Statement.objects.closed().filter(project=project, month=first).first()
    if first > calendar.this_month() or (statement is None and not part.is_open):
        raise not_found("There is no statement of this month.")
    shown, lines = statement_lines.line_page(part, str(page), LINES)
    groups = sum_by_each(part, GROUPS)
    record_report(
        request.user, "statement", project, name=f"{project.slug}, {month}", parameters={}
    )
    data = statement_json(
        project,
        first,
        statement,
        total=total_of(groups["cost_centre"]),
        groups=groups,
        lines=lines,
    )
    return json_response(data | {"page": shown.number, "pages": shown.paginator.num_pages})
