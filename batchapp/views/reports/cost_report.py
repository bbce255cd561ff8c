"""The page on costs, and its CSVs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp.forms.reports import ACROSS_NAMES, BY, GROUP_NAMES, ReportForm
from batchapp.http import Request, download_csv
from batchapp.models import Project
from batchapp.presenters.accuracy_text import together
from batchapp.presenters.charts import spending
from batchapp.presenters.cross_tab_table import cross_tab_table
from batchapp.presenters.direct_text import direct_text
from batchapp.presenters.forecast_text import forecast_card
from batchapp.presenters.report_json import cross_tab_rows
from batchapp.presenters.report_text import group_name
from batchapp.presenters.spending_change import change_since_before, changes_of
from batchapp.services.reports import cost_report, cost_rows, estimate_accuracy
from batchapp.services.reports.cost_report import Sums, portal_today
from batchapp.services.reports.cross_tab import TIME, cross_tab
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.direct_sums import direct_requests, direct_sum
from batchapp.services.reports.line import Line
from batchapp.services.reports.month_forecast import month_forecast
from batchapp.services.reports.scope import Scope
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import memberships_of
from batchapp.views.portal_time import in_portal_time
from batchapp.views.reports import addresses, report_batches, report_page

MAX_LINES = 25  # of the table of groups; the address asks for all of them
ORDERS: dict[str, Callable[[Line], Any]] = {
    "name": lambda line: line.name.casefold(),
    "batches": lambda line: line.batches,
    "requests": lambda line: line.requests,
    "input": lambda line: line.input_tokens,
    "output": lambda line: line.output_tokens,
    "cost": lambda line: line.cost_usd,
    "saved": lambda line: line.saving_usd,
}
LARGEST_FIRST = "-cost"


@in_portal_time
@require_safe
def cost_report_show(request: Request) -> HttpResponse:
    """Show sums by project, person, model or label over a range of days, down to the batches."""
    report_page.require_costs(request)
    form = report_page.report_form(request)
    today = portal_today()
    scope = form.scope(today, request.user)
    by, across = _groups(form)
    sums = _named(cost_report.sum_up(scope, by), by)
    styles = spending.styles(sums.groups, by)
    context = report_page.head(request, form, scope) | {
        "report_tab": "cost",
        "by": by,
        "across": across,
        "groupings": GROUP_NAMES,
        "columns_on_offer": {"": "Figures"}
        | {name: label for name, label in ACROSS_NAMES.items() if name != by},
        "by_label": GROUP_NAMES[by],
        "total": sums.total,
        "direct": direct_text(direct_sum(scope)),
        "requests_url": _requests_url(request, scope),
        "change": change_since_before(scope, sums.total, today),
        "forecast": forecast_card(month_forecast(scope, sums.total, today), today),
        "accuracy": together(estimate_accuracy.overall_of(scope.model_costs())),
        "stats": spending.stats(sums.total, with_sandbox=scope.with_sandbox),
        "chart": spending.spending_chart(
            scope,
            sums,
            lambda line: addresses.period_address(request, scope, line),
            colours=styles,
        ),
    }
    context |= report_batches.page_of(request, scope, sums.total.batches)
    context |= (
        _table(request, scope, sums, by, across)
        if across
        else _lines(request, scope, sums, by, styles)
    )
    return render(request, "batchapp/reports/cost_report.html", context)


@in_portal_time
@require_safe
def cost_report_csv(request: Request) -> HttpResponseBase:
    """Download one row for each batch and model, and rows of single requests.

    Their sums are the figures of the report.

    A portal key downloads the rows of its project.
    """
    report_page.require_costs(request)
    form = report_page.report_form(request)
    if not form.is_valid():
        return _errors(request)
    scope = form.scope(portal_today(), request.user)
    note_download(request, "report")
    rows = cost_rows.csv_rows(scope.model_costs(), direct_requests(scope))
    return download_csv(rows, f"costs-{_days(scope)}.csv")


@in_portal_time
@require_safe
def cross_tab_csv(request: Request) -> HttpResponseBase:
    """Download the table of the page, by default over the months of the range."""
    report_page.require_costs(request)
    form = report_page.report_form(request)
    if not form.is_valid():
        return _errors(request)
    scope = form.scope(portal_today(), request.user)
    by, across = _groups(form)
    table = cross_tab(scope, by, across or TIME)
    note_download(request, "report")
    return download_csv(cross_tab_rows(table), f"report-by-{by}-{_days(scope)}.csv")


def _requests_url(request: Request, scope: Scope) -> str:
    """Return the address of the single requests of the one project of the report, else "".

    Their list is for members, and has the days on which requests were sent, not those on which
    they ended.
    """
    if scope.project not in {row.project.slug for row in memberships_of(request)}:
        return ""
    names = {"q": scope.model, "portal_key": scope.portal_key, "first": scope.first}
    chosen = {name: value for name, value in (names | {"last": scope.last}).items() if value}
    return f"{reverse('direct_request_list', args=[scope.project])}?{urlencode(chosen)}"


def _errors(request: Request) -> HttpResponse:
    """Go to the page, which shows the errors; a file with other figures would hide them."""
    return redirect(f"{reverse('cost_report')}?{request.GET.urlencode()}")


def _days(scope: Scope) -> str:
    return f"{scope.first:%Y-%m-%d}-to-{scope.last:%Y-%m-%d}"


def _groups(form: ReportForm) -> tuple[str, str]:
    """Return the groups of the rows and, "" for the figures, of the columns."""
    cleaned = form.cleaned_data if form.is_valid() else {}
    return cleaned.get("by") or BY, cleaned.get("across") or ""


def _named(sums: Sums, by: str) -> Sums:
    """Return ``sums`` with the names of groups as people read them, as in "No tag"."""
    groups = [replace(group, name=group_name(by, group.name)) for group in sums.groups]
    lines = [replace(line, name=group_name(by, line.name)) for line in sums.lines]
    return replace(sums, groups=groups, lines=lines)


def _table(request: Request, scope: Scope, sums: Sums, by: str, across: str) -> dict[str, Any]:
    table = cross_tab(scope, by, across, sums)
    shown = cross_tab_table(
        table,
        lambda row, column: addresses.cell_address(request, scope, table, row, column),
        with_all=bool(request.GET.get("all")),
    )
    return {"table": shown, "across_label": ACROSS_NAMES[across], "hidden": shown.hidden}


def _lines(
    request: Request, scope: Scope, sums: Sums, by: str, styles: dict[str, str]
) -> dict[str, Any]:
    """Return the rows of the table of groups: line, name, colour, address, change."""
    earlier = scope.before(portal_today())
    before = cost_report.sum_groups(earlier[0], by) if earlier else {}
    sort = _sort(request)
    lines = _sorted(sums.lines, sort)
    shown = lines if request.GET.get("all") else lines[:MAX_LINES]
    changes = changes_of(shown, before) if before else {}
    return {
        "sort": sort,
        "compared_with": earlier[1] if earlier and before else "",
        "hidden": len(lines) - len(shown),
        "overlap": _overlap(sums, by),
        "deleted": _deleted(shown) if by == "project" else {},
        "lines": [
            (
                line,
                styles.get(line.key),
                addresses.group_address(request, scope, by, line),
                changes.get(line.key),
            )
            for line in shown
        ],
    }


def _deleted(lines: Sequence[Line]) -> set[str]:
    """Return the keys of those lines whose projects are deleted: two may have one name."""
    slugs = [line.key for line in lines]
    rows = Project.objects.filter(slug__in=slugs, deleted_at__isnull=False)
    return set(rows.values_list("slug", flat=True))


def _overlap(sums: Sums, by: str) -> bool:
    """Return True if the lines add up to more than the total."""
    counted = sum(line.batches for line in sums.lines)
    return DIMENSIONS[by].costs_overlap and counted > sums.total.batches


def _sort(request: Request) -> str:
    """Return the column to sort by, with "-" for the largest first."""
    sort = request.GET.get("sort", "")
    return sort if sort.removeprefix("-") in ORDERS else LARGEST_FIRST


def _sorted(lines: list[Line], sort: str) -> list[Line]:
    """Sort ``lines``; lines that are equal in that column stay in the order of their names."""
    return sorted(lines, key=ORDERS[sort.removeprefix("-")], reverse=sort.startswith("-"))
