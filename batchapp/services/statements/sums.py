"""Add up the lines of a month by project, cost centre, model or person.

A closed month adds up its lines. A month that is not closed adds up the lines that it would have
now, without writing them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from batchapp.domain.money.statement_changes import LineKind
from batchapp.models import Project, Statement, StatementLine
from batchapp.models.direct.direct_request import DirectSum
from batchapp.services.statements import unstated
from batchapp.services.statements.direct_sums import direct_groups
from batchapp.services.statements.part import Part

TOKENS = ("input_tokens", "output_tokens", "cached_tokens")
COUNTED = ("requests", "answers", *TOKENS)
BY_LINE = {  # what a line is grouped by
    "project": "statement__project",
    "cost_centre": "cost_centre",
    "model": "model",
    "person": "person",
}
BY_COST = {
    "project": "batch__project",
    "cost_centre": "batch__cost_centre",
    "model": "model",
    "person": "batch__created_by__email",
}


@dataclass(slots=True)
class Total:
    """The sums of lines. With ``unpriced`` lines among them, ``cost_usd`` is a minimum.

    ``direct`` is the sum of the single requests, which have no lines and are not in the others.
    """

    key: str = ""
    name: str = ""
    batches: int = 0
    requests: int = 0
    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    adjustments_usd: Decimal = Decimal(0)
    unpriced: int = 0
    direct: DirectSum = field(default_factory=DirectSum)

    @property
    def in_all(self) -> DirectSum:
        """Return the sum of the lines and the single requests."""
        return DirectSum(self.requests, self.cost_usd, self.unpriced) + self.direct

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Add the sums of a query with ``_SUMS`` or ``_LINE_SUMS``."""
        self.batches += row["batches"]
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + (row[f"sum_{name}"] or 0))
        self.cost_usd += row["sum_cost"] or Decimal(0)
        self.adjustments_usd += row.get("sum_adjustments") or Decimal(0)
        self.unpriced += row["unpriced"]

    def add_lines(self, lines: Iterable[StatementLine]) -> None:
        """Add lines that are no batches of the month alone."""
        lines = list(lines)
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + sum(getattr(line, name) for line in lines))
        later = [line for line in lines if line.kind != LineKind.BATCH]
        self.cost_usd += unstated.known_usd(lines)
        self.adjustments_usd += unstated.known_usd(later)
        self.unpriced += sum(line.cost_usd is None for line in lines)
        self.batches += len({line.batch_id for line in lines if line.kind == LineKind.BATCH})


_SUMS: dict[str, Any] = {
    "batches": Count("batch", distinct=True),
    **{f"sum_{name}": Sum(name) for name in COUNTED},
    "sum_cost": Sum("cost_usd"),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
}
_OF_MONTH = Q(kind=LineKind.BATCH)
_LINE_SUMS = _SUMS | {
    "batches": Count("batch", distinct=True, filter=_OF_MONTH),
    "sum_adjustments": Sum("cost_usd", filter=~_OF_MONTH),
}


def sum_up(part: Part, by: str) -> list[Total]:
    """Return a total for each value of ``by``, a key of ``BY_LINE``, sorted by name.

    The key of a total of a project is the slug.
    """
    return sum_by_each(part, [by])[by]


def sum_by_each(part: Part, names: Sequence[str]) -> dict[str, list[Total]]:
    """Return ``sum_up`` for each of ``names``.

    The adjustments and the single requests are read only once.
    """
    # Few batches run again after their month is closed.
    changed = _changed_lines(part) if part.is_open else []
    direct = direct_groups(part)
    totals_by: dict[str, list[Total]] = {}
    for by in names:
        totals = _totals(part, by, changed)
        for key, added in direct[by].items():
            totals[key].direct = added
        totals_by[by] = _sorted(part, by, totals)
    return totals_by


def _totals(
    part: Part, by: str, changed: Iterable[tuple[UUID, StatementLine]]
) -> defaultdict[Any, Total]:
    totals: defaultdict[Any, Total] = defaultdict(Total)
    key, rows = BY_LINE[by], part.lines().values(BY_LINE[by]).annotate(**_LINE_SUMS)
    if part.is_open:
        fresh = part.costs().filter(~unstated.stated())
        key, rows = BY_COST[by], fresh.values(BY_COST[by]).annotate(**_SUMS)
    for row in rows.order_by():
        totals[row[key]].add_row(row)
    for project, line in changed:
        totals[project if by == "project" else getattr(line, BY_LINE[by])].add_lines([line])
    return totals


def _sorted(part: Part, by: str, totals: Mapping[Any, Total]) -> list[Total]:
    names = _names(part, by, totals)
    for key, total in totals.items():
        total.key, total.name = names[key]
    return sorted(totals.values(), key=lambda total: (total.name.casefold(), total.key))


def _changed_lines(part: Part) -> list[tuple[UUID, StatementLine]]:
    """Return the adjustments that the month would have now, each with its project."""
    costs = list(unstated.with_batches(part.costs().filter(unstated.stated())))
    projects = {cost.batch_id: cost.batch.project_id for cost in costs}
    return [
        (projects[line.batch_id], line)
        for line in unstated.draft_lines(costs, part.month)
        if part.has(line)
    ]


def _names(part: Part, by: str, totals: Mapping[Any, Total]) -> dict[Any, tuple[str, str]]:
    """Return key and name of each group; a project has its name at the close."""
    if by != "project":
        return {key: (key, key) for key in totals}
    projects = {row.pk: row for row in Project.objects.filter(pk__in=totals)}
    if part.is_open:
        return {pk: (row.slug, row.name) for pk, row in projects.items()}
    statements = Statement.objects.closed().filter(month=part.month, project__in=projects)
    then = dict(statements.values_list("project", "project_name"))
    return {pk: (row.slug, then.get(pk, row.name)) for pk, row in projects.items()}


def total_of(totals: Iterable[Total]) -> Total:
    """Return the sum of ``totals``, which have no batch in common."""
    together = Total(name="Total")
    for total in totals:
        for name in ("batches", *COUNTED, "cost_usd", "adjustments_usd", "unpriced"):
            setattr(together, name, getattr(together, name) + getattr(total, name))
        together.direct += total.direct
    return together
