"""The part of a month that a statement, a page or an e-mail is about, and who may read it."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db.models import Q, QuerySet

from batchapp import access
from batchapp.models import Membership, ModelCost, StatementLine, User
from batchapp.services.statements import calendar, unstated


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the lines of ``month``: those of ``projects``, None for all.

    ``cost_centre`` takes the lines of one alone, "" of none, and None of all.
    """

    month: date
    projects: frozenset[UUID] | None = None
    cost_centre: str | None = None
    is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        is_open = self.month in calendar.open_months()
        object.__setattr__(self, "is_open", is_open)

    def lines(self) -> QuerySet[StatementLine]:
        """Return the lines of closed statements."""
        rows = StatementLine.objects.filter(
            statement__month=self.month, statement__closed_at__isnull=False
        )
        if self.projects is not None:
            rows = rows.filter(statement__project__in=self.projects)
        return rows if self.cost_centre is None else rows.filter(cost_centre=self.cost_centre)

    def costs(self) -> QuerySet[ModelCost]:
        """Return the costs of the batches that completed in the month, whatever is stated."""
        rows = unstated.paid_costs().filter(**calendar.finished_in(self.month, "batch__"))
        if self.projects is not None:
            rows = rows.filter(batch__project__in=self.projects)
        if self.cost_centre is None:
            return rows
        # A batch that has lines is adjusted where these are charged, see `has`.
        return rows.filter(Q(batch__cost_centre=self.cost_centre) | unstated.stated())

    def has(self, line: StatementLine) -> bool:
        """Return True if a line drafted of ``costs`` is in the part."""
        return self.cost_centre in {None, line.cost_centre}


def readable_projects(user: User) -> frozenset[UUID] | None:
    """Return the projects whose statements ``user`` may read; None for all."""
    if access.can_audit(user):
        return None
    own = (row for row in access.memberships_of(user) if row.role == Membership.Role.OWNER)
    return frozenset(row.project_id for row in own)
