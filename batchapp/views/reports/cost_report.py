"""What was spent, for those who answer for it."""

import csv
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.access import memberships_of
from batchapp.forms.reports import GROUP_NAMES, ReportForm
from batchapp.http import Request
from batchapp.models import Batch
from batchapp.presenters.batch_summary import partial
from batchapp.presenters.charts import money, spending
from batchapp.services.reports import cost_report
from batchapp.templatetags.words import usd

PAGE_SIZE = 50
FINER = {"project": "model", "user": "model", "model": "project"}
"""What a group is broken down by when it is opened."""

ORDERS: dict[str, Callable[[cost_report.Line], Any]] = {
    "name": lambda line: line.name.casefold(),
    "batches": lambda line: line.batches,
    "requests": lambda line: line.requests,
    "input": lambda line: line.input_tokens,
    "output": lambda line: line.output_tokens,
    "cost": lambda line: line.cost_usd,
    "saved": lambda line: line.saving_usd,
}
DEAREST_FIRST = "-cost"


@require_safe
def cost_report_detail(request: Request) -> HttpResponse:
    """Sums by project, person or model over a range of days, down to the batches."""
    _require_staff(request)
    form = _form(request)
    scope = form.scope(timezone.localdate())
    model_costs = scope.model_costs()
    by = form.cleaned_data.get("by") or "project"
    total = cost_report.total(model_costs)
    page = _batches(request, scope, total.batches)
    sort = _sort(request)
    sandbox = cost_report.total(scope.sandbox_charges())
    context = {
        "form": form,
        "scope": scope,
        "by": by,
        "by_label": GROUP_NAMES[by],
        "finer": FINER[by],
        "total": total,
        "lines": _sorted(cost_report.grouped(model_costs, by), sort),
        "sort": sort,
        "chart": spending(scope),
        "sandbox": sandbox,
        "made_up": money(sandbox.cost_usd, sandbox.unpriced),
        "page": page,
        "rows": [(batch, _cost(batch, scope)) for batch in page],
        "visible": _visible(request, page.object_list),
        "is_narrowed": bool(scope.project or scope.user or scope.model),
        "parameters": request.GET.urlencode(),
        "nav": "report",
    }
    return render(request, "batchapp/reports/cost_report.html", context)


@require_safe
def cost_report_download(request: Request) -> HttpResponseBase:
    """The report's rows, one per batch and model; their sums are the report's figures."""
    _require_staff(request)
    form = _form(request)
    if not form.is_valid():  # the page says what is wrong; other figures than asked for would not
        return redirect(f"{reverse('cost_report')}?{request.GET.urlencode()}")
    scope = form.scope(timezone.localdate())
    name = f"batches-{scope.first:%Y-%m-%d}-to-{scope.last:%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        _csv(cost_report.csv_rows(scope.model_costs())),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


class _Echo:
    """A file that hands back what is written to it, so that rows leave one at a time."""

    def write(self, text: str) -> str:
        return text


def _csv(rows: Iterable[list[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)


def _require_staff(request: Request) -> None:
    if not request.user.is_staff:
        raise PermissionDenied(
            "The report is for operators. What your projects spent is on their own pages."
        )


def _sort(request: Request) -> str:
    """The column to sort by, with "-" for the largest first."""
    asked = request.GET.get("sort", "")
    return asked if asked.removeprefix("-") in ORDERS else DEAREST_FIRST


def _sorted(lines: list[cost_report.Line], sort: str) -> list[cost_report.Line]:
    """Lines that are alike in that column stay in the order of their names."""
    return sorted(lines, key=ORDERS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _form(request: Request) -> ReportForm:
    """What was asked for; this month so far where no days were."""
    today = timezone.localdate()
    month = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
    asked = {name: value for name, value in request.GET.dict().items() if value}
    return ReportForm(month | asked)


def _cost(batch: Batch, scope: cost_report.Scope) -> str:
    """What the batch adds to the report: all its charges, or those of the model it is about."""
    model_costs = [each for each in batch.model_costs.all() if scope.model in {"", each.model}]
    costs = [model_cost.cost_usd for model_cost in model_costs]
    known = [cost for cost in costs if cost is not None]
    return usd(sum(known, Decimal(0))) if len(known) == len(costs) else partial(costs)


def _batches(request: Request, scope: cost_report.Scope, batches: int) -> Any:
    """A page of the ``batches`` that the scope's charges are of."""
    chosen = scope.model_costs().order_by().values("batch")
    rows = Batch.objects.filter(pk__in=chosen).order_by("-finished_at", "pk")
    rows = rows.select_related("project", "created_by", "connection").prefetch_related(
        "model_costs"
    )
    paginator = Paginator(rows, PAGE_SIZE)
    paginator.count = batches
    return paginator.get_page(request.GET.get("page"))


def _visible(request: Request, batches: Iterable[Batch]) -> set[Any]:
    """Those whose pages the person may open: a report shows sums, not other teams' results."""
    mine = {each.project_id for each in memberships_of(request)}
    return {batch.pk for batch in batches if batch.project_id in mine}
