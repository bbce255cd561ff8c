"""The months with their sums, and one month by project or cost centre."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, QuerySet, Sum
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp import access
from batchapp.http import Request, download_csv
from batchapp.models import MonthClosing, Project, Statement
from batchapp.models.direct.direct_request import DirectSum
from batchapp.presenters.direct_text import beside_batches_text
from batchapp.presenters.statements.statement_text import (
    days_of,
    exact_usd,
    month_name,
    month_state,
)
from batchapp.services.statements import calendar, statement_lines
from batchapp.services.statements.direct_sums import direct_sums
from batchapp.services.statements.part import Part
from batchapp.services.statements.sums import Total, sum_up, total_of
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import memberships_of
from batchapp.views.portal_time import in_portal_time
from batchapp.views.statements.statement_pages import (
    NAV,
    closing_of,
    cost_centre_of,
    cost_centre_query,
    part_of,
    require_reader,
    statement_project,
)

PAGE_SIZE = 24  # two years
GROUPS = {"project": "Project", "cost_centre": "Cost centre"}


@in_portal_time
@require_safe
def statement_list(request: Request) -> HttpResponse:
    """List the months: those that are not closed with what they have cost so far."""
    project = _project(request)
    projects: Any = frozenset({project.pk}) if project else require_reader(request)
    page = Paginator(_closed_months(projects), PAGE_SIZE).get_page(request.GET.get("page"))
    closings = {row.month: row for row in MonthClosing.objects.filter(month__in=_months(page))}
    direct = direct_sums(projects)
    rows = [
        (month, month_state(month, closings.get(month)), _total(row, direct.get(month)), row)
        for row, month in zip(page, _months(page), strict=True)
    ]
    context = NAV | {
        "report_tab": "statements",
        "project": project,
        "page": page,
        "open_rows": _open_rows(projects, direct) if page.number == 1 else [],
        "rows": rows,
        "direct": sorted(direct.items(), reverse=True),
    }
    return render(request, "batchapp/statements/statement_list.html", context)


def _project(request: Request) -> Project | None:
    """Return the one project that the page is about: that of the address, or the only own one."""
    if slug := request.GET.get("project"):
        return statement_project(request, slug)
    projects = require_reader(request)
    if projects is None or len(projects) > 1:
        return None
    return next(row.project for row in memberships_of(request) if row.project_id in projects)


def _closed_months(projects: Any) -> QuerySet[Statement, Any]:
    rows = Statement.objects.closed()
    if projects is not None:
        rows = rows.filter(project__in=projects)
    return (
        rows.order_by("-month")
        .values("month")
        .annotate(
            projects=Count("pk"),
            batches=Sum("batches"),
            cost=Sum("cost_usd"),
            adjustments=Sum("adjustments_usd"),
            unpriced=Sum("unpriced"),
        )
    )


def _months(page: Any) -> list[date]:
    return [row["month"] for row in page]


def _total(row: dict[str, Any], direct: DirectSum | None) -> Total:
    total = Total(
        batches=row["batches"],
        cost_usd=row["cost"],
        adjustments_usd=row["adjustments"],
        unpriced=row["unpriced"],
    )
    return _with_direct(total, direct)


def _with_direct(total: Total, direct: DirectSum | None) -> Total:
    """Return ``total`` with the cost of the single requests of its month."""
    if direct is None:
        return total
    cost_usd, unpriced = total.cost_usd + direct.cost_usd, total.unpriced + direct.unpriced
    return replace(total, cost_usd=cost_usd, unpriced=unpriced)


def _open_rows(
    projects: Any, direct: Mapping[date, DirectSum]
) -> list[tuple[date, Any, Total, dict[str, int]]]:
    """Return the months that are not closed, the newest first, in the form of the others."""
    rows = []
    for month in reversed(calendar.open_months()):
        totals = sum_up(Part(month, projects), "project")
        state = month_state(month, closing_of(month))
        total = _with_direct(total_of(totals), direct.get(month))
        rows.append((month, state, total, {"projects": len(totals)}))
    return rows


@in_portal_time
@require_safe
def statement_month(request: Request, month: date) -> HttpResponse:
    """Show what one month cost, by project or by cost centre."""
    require_reader(request)
    part = part_of(request, month)
    by = request.GET.get("by", "")
    by = by if by in GROUPS else "project"
    totals = sum_up(part, by)
    closing = closing_of(month)
    context = NAV | {
        "month": month,
        "month_name": month_name(month),
        "days": days_of(month),
        "state": month_state(month, closing),
        "part": part,
        "by": by,
        "groups": GROUPS,
        "rows": [(total, _address(request, month, by, total)) for total in totals],
        "total": (total := total_of(totals)),
        "direct": beside_batches_text(total.direct, total.in_all, exact_usd),
        "may_mail": by == "cost_centre" and access.can_administer(request.user),
        "may_close": part.is_open
        and access.can_administer(request.user)
        and calendar.is_over(month)
        and (closing is None or closing.status == MonthClosing.Status.OPEN),
        "parameters": request.GET.urlencode(),
    }
    return render(request, "batchapp/statements/statement_month.html", context)


def _address(request: Request, month: date, by: str, total: Total) -> str:
    """Return the address of the statement of a project, or of the projects of a cost centre."""
    if by == "cost_centre":
        return f"{reverse('statement_month', args=[month])}?{cost_centre_query(total.key)}"
    query = cost_centre_query(cost_centre_of(request))
    return f"{reverse('statement_detail', args=[month, total.key])}{query and f'?{query}'}"


@in_portal_time
@require_safe
def statement_month_csv(request: Request, month: date) -> HttpResponseBase:
    """Download the lines of all statements of a month that the person may read."""
    require_reader(request)
    part = part_of(request, month)
    note_download(request, "statement", name=f"{month:%Y-%m}")
    return download_csv(statement_lines.csv_rows(part), f"statements-{month:%Y-%m}.csv")
