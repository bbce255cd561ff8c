"""The batches behind a report, the latest or the most expensive first, down to their rows."""

from collections.abc import Iterable
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, Sum
from django.urls import reverse

from batchapp.http import Request
from batchapp.models import Batch
from batchapp.presenters.batches.batch_cost import Cost, cost_of_models
from batchapp.services.reports.scope import Scope
from batchapp.views.permissions import memberships_of

PAGE_SIZE = 20
MOST_EXPENSIVE = "cost"
# What the report is narrowed to -> the outcome of the rows that are meant, and their name.
ROWS = {"failed": ("failed", "failed rows"), "cut_short": ("truncated", "rows cut short")}


def page_of(request: Request, scope: Scope, batches: int) -> dict[str, Any]:
    """Return a page of the batches in ``scope``, of which there are ``batches``."""
    by_cost = request.GET.get("order") == MOST_EXPENSIVE
    page = _by_cost(scope) if by_cost else Paginator(scope.batches().values_list("pk"), PAGE_SIZE)
    page.count = batches
    shown = page.get_page(request.GET.get("page"))
    keys = [row[0] for row in shown.object_list]
    rows = Batch.objects.select_related("project", "created_by", "connection")
    found = rows.prefetch_related("model_costs").in_bulk(keys)
    listed = [found[key] for key in keys if key in found]
    visible = _visible(request, listed)
    return {
        "page": shown,
        "order": MOST_EXPENSIVE if by_cost else "",
        "rows": [
            (batch, _models(batch), _cost(batch, scope), _rows_of(batch, scope, visible))
            for batch in listed
        ],
        "visible": visible,
    }


def _by_cost(scope: Scope) -> Any:
    costs = scope.model_costs().order_by().values("batch").annotate(cost=Sum("cost_usd"))
    ordered = costs.order_by(F("cost").desc(nulls_last=True), "batch")
    return Paginator(ordered.values_list("batch", "cost"), PAGE_SIZE)


def _rows_of(batch: Batch, scope: Scope, visible: set[Any]) -> tuple[str, str] | None:
    """Return the address and the name of the rows that are meant; None without any."""
    if scope.only not in ROWS or batch.pk not in visible:
        return None
    outcome, name = ROWS[scope.only]
    return f"{reverse('result_list', args=[batch.pk])}?outcome={outcome}", name


def _models(batch: Batch) -> list[str]:
    """Return the models of the batch, the most frequent first."""
    return [row.model for row in sorted(batch.model_costs.all(), key=lambda row: -row.requests)]


def _cost(batch: Batch, scope: Scope) -> Cost:
    """Return the cost of the batch, or of the one model that the report is about."""
    rows = [row for row in batch.model_costs.all() if scope.model in {"", row.model}]
    return cost_of_models([row.cost_usd for row in rows])


def _visible(request: Request, batches: Iterable[Batch]) -> set[Any]:
    """Return the ids of the batches whose pages the person may open.

    A report shows sums of all projects, but not the results of other teams.
    """
    projects = {membership.project_id for membership in memberships_of(request)}
    return {batch.pk for batch in batches if batch.project_id in projects}
