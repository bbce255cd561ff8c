"""The statement of one project for one month, on the screen, on paper, as CSV and as JSON."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp.http import Request, download_csv
from batchapp.models import Batch, Project, Statement, StatementLine
from batchapp.presenters.direct_text import beside_batches_text
from batchapp.presenters.statements.statement_text import (
    days_of,
    exact_usd,
    month_name,
    month_state,
)
from batchapp.services.statements import statement_lines
from batchapp.services.statements.part import Part
from batchapp.services.statements.sums import sum_by_each, total_of
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import memberships_of
from batchapp.views.portal_time import in_portal_time
from batchapp.views.statements.statement_pages import (
    NAV,
    closing_of,
    part_of,
    statement_project,
)

PAGE_SIZE = 50
PRINT_SIZE = 1000  # lines on one print; some seventy sheets
GROUPS = {"cost_centre": "Cost centre", "model": "Model", "person": "Person"}
WITHOUT = {"cost_centre": "No cost centre"}


@in_portal_time
@require_safe
def statement_detail(request: Request, month: date, slug: str) -> HttpResponse:
    """Show the statement, or the running total of a month that is not closed."""
    project, part, statement = _found(request, month, slug)
    is_print = "print" in request.GET
    size = PRINT_SIZE if is_print else PAGE_SIZE
    page, lines = statement_lines.line_page(part, request.GET.get("page"), size)
    groups = sum_by_each(part, list(GROUPS))
    context = NAV | {
        "statement_project": project,
        "name": statement.project_name if statement else project.name,
        "statement": statement,
        "month": month,
        "month_name": month_name(month),
        "days": days_of(month),
        "state": month_state(month, closing_of(month)),
        "part": part,
        "total": (total := total_of(groups["cost_centre"])),
        "direct": beside_batches_text(total.direct, total.in_all, exact_usd),
        "groups": [(GROUPS[by], WITHOUT.get(by, ""), rows) for by, rows in groups.items()],
        "page": page,
        "lines": lines,
        "visible": _visible(request, project, lines),
        "is_print": is_print,
        "parameters": request.GET.urlencode(),
    }
    return render(request, "batchapp/statements/statement_detail.html", context)


def _found(request: Request, month: date, slug: str) -> tuple[Project, Part, Statement | None]:
    """Return what the address names; 404 where a closed month has no statement of the project."""
    project = statement_project(request, slug)
    part = part_of(request, month, project)
    statement = Statement.objects.closed().filter(project=project, month=month).first()
    if statement is None and not part.is_open:
        raise Http404
    return project, part, statement


def _visible(request: Request, project: Project, lines: list[StatementLine]) -> set[Any]:
    """Return the ids of the batches whose pages are there and open to the person."""
    if project.pk not in {row.project_id for row in memberships_of(request)}:
        return set()
    batches = Batch.objects.filter(pk__in={line.batch_id for line in lines}, project=project)
    return set(batches.values_list("pk", flat=True))


@in_portal_time
@require_safe
def statement_csv(request: Request, month: date, slug: str) -> HttpResponseBase:
    """Download the lines of the statement; a portal key of an owner may, too."""
    project, part, _ = _found(request, month, slug)
    note_download(request, "statement", project, name=f"{slug}, {month:%Y-%m}")
    name = f"statement-{slug}-{month:%Y-%m}.csv"
    return download_csv(statement_lines.csv_rows(part), name)
