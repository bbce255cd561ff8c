"""Add up the single requests of a month, which stand on a statement beside its lines.

A statement has lines so that a cost can be adjusted later. The cost of a single request never
changes once the request ended, so its month needs a sum alone.
"""

from datetime import date
from uuid import UUID

from django.utils import timezone

from batchapp.domain import months
from batchapp.models import DirectRequest
from batchapp.models.direct.direct_request import DirectRequestQuerySet, DirectSum
from batchapp.services.statements.sums import Part


def direct_sum(part: Part) -> DirectSum:
    """Return the sum of the month of ``part``; once the month is over, the sum stays the same.

    A request has no cost centre, so the part of a cost centre has none of them.
    """
    if part.cost_centre:
        return DirectSum()
    start, end = months.bounds(part.month, timezone.get_default_timezone())
    rows = DirectRequest.objects.charged().filter(ended_at__gte=start, ended_at__lt=end)
    return _of_projects(rows, part.projects).sum_up()


def direct_sums(projects: frozenset[UUID] | None) -> dict[date, DirectSum]:
    """Return the sum of each month that has any such requests, of ``projects``, None for all."""
    rows = _of_projects(DirectRequest.objects.charged(), projects)
    return rows.sum_by_month(timezone.get_default_timezone())


def _of_projects(
    rows: DirectRequestQuerySet, projects: frozenset[UUID] | None
) -> DirectRequestQuerySet:
    return rows.paid() if projects is None else rows.paid().filter(project__in=projects)
