"""Add up the single requests of a month, which stand on a statement beside its lines.

A statement has lines so that a cost can be adjusted later. The cost of a single request never
changes once the request ended, so its month needs sums alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Sum
from django.utils import timezone

from batchapp.domain import months
from batchapp.models import REALTIME, DirectRequest
from batchapp.models.direct.direct_request import FLEX, DirectRequestQuerySet, DirectSum
from batchapp.services.statements.part import Part

GROUPS = {"project": "project", "model": "model", "person": "created_by__email"}
KIND = "single_requests"  # of a row of the CSV


def direct_sum(part: Part) -> DirectSum:
    """Return the sum of the month of ``part``; once the month is over, the sum stays the same."""
    return _requests(part).sum_up()


def direct_groups(part: Part) -> dict[str, dict[Any, DirectSum]]:
    """Return the sum of each project, cost centre, model and person, by the keys of ``BY_LINE``.

    One query gives them all. A request has no cost centre, so its cost centre is "".
    """
    sums = {by: defaultdict[Any, DirectSum](DirectSum) for by in (*GROUPS, "cost_centre")}
    for keys, added in _requests(part).sum_by(*GROUPS.values()):
        for by, key in zip(GROUPS, keys, strict=True):
            sums[by][key] += added
        sums["cost_centre"][""] += added
    return {by: dict(by_key) for by, by_key in sums.items()}


def direct_sums(projects: frozenset[UUID] | None) -> dict[date, DirectSum]:
    """Return the sum of each month that has any such requests, of ``projects``, None for all."""
    rows = _of_projects(DirectRequest.objects.charged(), projects)
    return rows.sum_by_month(timezone.get_default_timezone())


def csv_rows(part: Part) -> Iterator[dict[str, Any]]:
    """Yield the sums by project, person, model and window; unknown costs are apart."""
    is_flex = ExpressionWrapper(Q(tier=FLEX), BooleanField())
    is_unpriced = ExpressionWrapper(Q(cost_usd=None), BooleanField())
    groups = _requests(part).order_by().values("project__name", "created_by__email", "model")
    sums = groups.annotate(is_flex=is_flex, is_unpriced=is_unpriced).annotate(
        requests=Count("pk"),
        input=Sum("input_tokens"),
        output=Sum("output_tokens"),
        cached=Sum("cached_tokens"),
        cost=Sum("cost_usd"),
    )
    ordered = sums.order_by(
        "project__name", "created_by__email", "model", "is_flex", "is_unpriced"
    )
    for row in ordered:  # sums, so that all fit into memory
        yield {
            "project": row["project__name"],
            "kind": KIND,
            "person": row["created_by__email"],
            "model": row["model"],
            "window": FLEX if row["is_flex"] else REALTIME,
            "requests": row["requests"],
            "input_tokens": row["input"],
            "output_tokens": row["output"],
            "cached_tokens": row["cached"],
            "cost_usd": row["cost"],
        }


def _requests(part: Part) -> DirectRequestQuerySet:
    rows = DirectRequest.objects.charged()
    if part.cost_centre:
        return rows.none()
    start, end = months.bounds(part.month, timezone.get_default_timezone())
    return _of_projects(rows.filter(ended_at__gte=start, ended_at__lt=end), part.projects)


def _of_projects(
    rows: DirectRequestQuerySet, projects: frozenset[UUID] | None
) -> DirectRequestQuerySet:
    return rows.paid() if projects is None else rows.paid().filter(project__in=projects)
