"""The operators' page on the cost of batches, and its CSV."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.access import can_operate
from batchapp.forms.reports import GROUP_NAMES, ReportForm
from batchapp.http import Request, download_csv
from batchapp.models import Batch, Project
from batchapp.presenters.batches.batch_cost import Cost, cost_of_models
from batchapp.presenters.charts import spending
from batchapp.presenters.spending_change import change_since_month_before
from batchapp.services.reports import cost_report
from batchapp.views.permissions import memberships_of

PAGE_SIZE = 20
DRILL_DOWN = {"project": "model", "user": "model", "model": "project"}  # by what a group opens
ORDERS: dict[str, Callable[[cost_report.Line], Any]] = {
    "name": lambda line: line.name.casefold(),
    "batches": lambda line: line.batches,
    "requests": lambda line: line.requests,
    "input": lambda line: line.input_tokens,
    "output": lambda line: line.output_tokens,
    "cost": lambda line: line.cost_usd,
    "saved": lambda line: line.saving_usd,
}
LARGEST_FIRST = "-cost"


@require_safe
def cost_report_show(request: Request) -> HttpResponse:
    """Show sums by project, person or model over a range of days, down to the batches."""
    _require_staff(request)
    form = _form(request)
    scope = form.scope(timezone.localdate(), request.user)
    model_costs = scope.model_costs()
    by = form.cleaned_data.get("by") or "project"
    total = cost_report.sum_all(model_costs)
    groups = cost_report.groups_over_time(scope, by)
    styles = spending.styles(groups, by)
    page = _batches(request, scope, total.batches)
    sort = _sort(request)
    sandbox = cost_report.sum_all(scope.sandbox_model_costs())
    context = {
        "form": form,
        "scope": scope,
        "narrowed_to": _narrowed_to(request, scope),
        "by": by,
        "groupings": GROUP_NAMES,
        "by_label": GROUP_NAMES[by],
        "total": total,
        "change": change_since_month_before(scope, total),
        "stats": spending.stats(total, with_sandbox=scope.with_sandbox),
        "lines": [
            (line, styles.get(line.key), _address(request, **{by: line.key, "by": DRILL_DOWN[by]}))
            for line in _sorted(cost_report.sum_by(model_costs, by), sort)
        ],
        "sort": sort,
        "chart": spending.spending_chart(
            scope, groups, lambda line: _link(request, scope, line), by=by
        ),
        "sandbox": sandbox,
        "sandbox_cost": spending.cost_text(sandbox.cost_usd, sandbox.unpriced),
        "page": page,
        "rows": [(batch, _models(batch), _cost(batch, scope)) for batch in page],
        "visible": _visible(request, page.object_list),
        "parameters": request.GET.urlencode(),
        "nav": "report",
    }
    return render(request, "batchapp/reports/cost_report.html", context)


@require_safe
def cost_report_csv(request: Request) -> HttpResponseBase:
    """Download one row for each batch and model; their sums are the figures of the report."""
    _require_staff(request)
    form = _form(request)
    if not form.is_valid():  # the page shows the errors; a file with other figures would hide them
        return redirect(f"{reverse('cost_report')}?{request.GET.urlencode()}")
    scope = form.scope(timezone.localdate(), request.user)
    name = f"batches-{scope.first:%Y-%m-%d}-to-{scope.last:%Y-%m-%d}.csv"
    return download_csv(cost_report.csv_rows(scope.model_costs()), name)


def _require_staff(request: Request) -> None:
    if not can_operate(request.user):
        raise PermissionDenied(
            "The report is for operators. What your projects spent is on their own pages."
        )


def _narrowed_to(request: Request, scope: cost_report.Scope) -> list[tuple[str, str, str]]:
    """Return kind, name and the address without it, of each group that the report is of."""
    slug = scope.project
    project = slug and Project.objects.filter(slug=slug).values_list("name", flat=True).first()
    values = {"project": project or slug, "user": scope.user, "model": scope.model}
    return [
        (GROUP_NAMES[kind], value, _address(request, **{kind: ""}))
        for kind, value in values.items()
        if value
    ]


def _link(request: Request, scope: cost_report.Scope, line: cost_report.Line) -> str:
    """Return the address of the report on the period of ``line`` alone, "" if it is this page."""
    first, last = cost_report.period_of(scope, line)
    if (first, last) == (scope.first, scope.last):
        return ""
    return _address(request, first=first, last=last)


def _address(request: Request, **changes: object) -> str:
    """Return the address of the first page of this report with ``changes``."""
    values: dict[str, object] = request.GET.dict() | changes | {"page": ""}
    return f"?{urlencode({name: value for name, value in values.items() if value})}"


def _sort(request: Request) -> str:
    """Return the column to sort by, with "-" for the largest first."""
    sort = request.GET.get("sort", "")
    return sort if sort.removeprefix("-") in ORDERS else LARGEST_FIRST


def _sorted(lines: list[cost_report.Line], sort: str) -> list[cost_report.Line]:
    """Sort ``lines``; lines that are equal in that column stay in the order of their names."""
    return sorted(lines, key=ORDERS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _form(request: Request) -> ReportForm:
    """Return the form of the address; without days it is about this month so far."""
    today = timezone.localdate()
    month = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
    values = {name: value for name, value in request.GET.dict().items() if value}
    return ReportForm(month | values)


def _models(batch: Batch) -> list[str]:
    """Return the models of the batch, the most frequent first."""
    return [row.model for row in sorted(batch.model_costs.all(), key=lambda row: -row.requests)]


def _cost(batch: Batch, scope: cost_report.Scope) -> Cost:
    """Return the cost of the batch, or of the one model that the report is about."""
    rows = [row for row in batch.model_costs.all() if scope.model in {"", row.model}]
    return cost_of_models([row.cost_usd for row in rows])


def _batches(request: Request, scope: cost_report.Scope, batches: int) -> Any:
    """Return a page of the batches in ``scope``, of which there are ``batches``."""
    chosen = scope.model_costs().order_by().values("batch")
    rows = Batch.objects.filter(pk__in=chosen).order_by("-finished_at", "pk")
    rows = rows.select_related("project", "created_by", "connection").prefetch_related(
        "model_costs"
    )
    paginator = Paginator(rows, PAGE_SIZE)
    paginator.count = batches
    return paginator.get_page(request.GET.get("page"))


def _visible(request: Request, batches: Iterable[Batch]) -> set[Any]:
    """Return the ids of the batches whose pages the person may open.

    A report shows sums of all projects, but not the results of other teams.
    """
    projects = {membership.project_id for membership in memberships_of(request)}
    return {batch.pk for batch in batches if batch.project_id in projects}
