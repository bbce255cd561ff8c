"""Add up the single requests of a report: in its range, and by its groups."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, Value
from django.db.models.expressions import Combinable

from batchapp import access
from batchapp.models import REALTIME, DirectRequest, Project
from batchapp.models.direct.direct_request import FLEX, DirectRequestQuerySet, DirectSum
from batchapp.services.reports.dimensions import DIMENSIONS, SINGLE
from batchapp.services.reports.line import Values, WholeSum
from batchapp.services.reports.scope import Scope, midnight

OF_BATCHES = ("tag", "cost_centre")  # which a single request has none of
# The values of ``SUMS`` that a query gives; the others compare batches, and are 0.
_SUMS: dict[str, Any] = {
    "sum_requests": Count("pk"),
    "sum_input": WholeSum("input_tokens"),
    "sum_output": WholeSum("output_tokens"),
    "sum_cached": WholeSum("cached_tokens"),
    "sum_cost": WholeSum("cost_usd"),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
}


def direct_sum(scope: Scope) -> DirectSum:
    """Return the sum of the single requests of the report, which is a part of its total."""
    return direct_requests(scope).sum_up()


def direct_requests(scope: Scope) -> DirectRequestQuerySet:
    """Return the requests that ended in the days of ``scope``, in the viewer's projects."""
    rows = _all_direct_requests(scope)
    return rows if scope.with_sandbox else rows.paid()


def sandbox_direct_requests(scope: Scope) -> DirectRequestQuerySet:
    """Return those that a sandbox has answered, for which nothing was paid."""
    return _all_direct_requests(scope).filter(key__connection__is_sandbox=True)


def grouped(rows: DirectRequestQuerySet, columns: Sequence[Combinable] = ()) -> Iterator[Values]:
    """Yield the values of ``SUMS`` and of ``columns`` for each group of equal columns.

    A request is in no batch, and saves nothing against realtime.
    """
    named = {
        f"column_{number}": column
        for number, column in enumerate(columns)
        if not isinstance(column, Value)
    }
    if named:
        found = rows.order_by().values(**named).annotate(**_SUMS)
        sums = list(found.values_list(*_SUMS, *named))
    else:  # without a column to group by, Django would group by all of the table
        values = rows.order_by().aggregate(**_SUMS)
        sums = [tuple(values[name] for name in _SUMS)]
    for requests, read, written, cached, cost, unpriced, *keys in sums:
        if requests:
            given = iter(keys)
            groups = [
                column.value if isinstance(column, Value) else next(given) for column in columns
            ]
            yield (0, requests, read, written, cached, cost, 0, 0, unpriced, *groups)


def _all_direct_requests(scope: Scope) -> DirectRequestQuerySet:
    start, end = midnight(scope.first), midnight(scope.last + timedelta(days=1))
    rows = DirectRequest.objects.charged().filter(ended_at__gte=start, ended_at__lt=end)
    if scope.own_projects or not access.can_audit(scope.viewer):
        rows = rows.filter(project__in=Project.objects.visible_to(scope.viewer))
    if any(getattr(scope, name) for name in OF_BATCHES) or scope.kind not in {"", SINGLE}:
        return rows.none()
    if scope.only:
        rows = rows.filter(cost_usd=None) if scope.only == "unpriced" else rows.none()
    if "portal_key" in scope.without.split(","):
        rows = rows.filter(portal_key=None)
    if scope.window:
        of_window = {FLEX: Q(tier=FLEX), REALTIME: ~Q(tier=FLEX)}.get(scope.window)
        rows = rows.filter(of_window) if of_window else rows.none()
    chosen = {
        dimension.single_key: value
        for name, dimension in DIMENSIONS.items()
        if dimension.single_key and (value := getattr(scope, name))
    }
    return rows.filter(**chosen)
