"""Add up the costs of finished batches and single requests by group and over time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Case, CharField, QuerySet, Value, When
from django.utils import timezone

from batchapp.domain.reports import periods
from batchapp.domain.reports.periods import Period
from batchapp.models import ModelCost
from batchapp.models.direct.direct_request import DirectRequestQuerySet
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.direct_sums import (
    direct_requests,
    grouped,
    sandbox_direct_requests,
)
from batchapp.services.reports.line import (
    COST,
    SUMS,
    Line,
    Values,
    add,
    add_rows,
    dollars,
    line_of,
    line_of_values,
)
from batchapp.services.reports.scope import Scope, midnight

KeyAndName = tuple[str, str]
SINCE = -1  # the place of the key of the period in ``Sums.rows``


@dataclass(frozen=True, slots=True)
class Group:
    """The known costs in USD of one group of a report; ``costs`` has them by period.

    A period has the key of its line in ``sum_over_time``.
    """

    key: str
    name: str
    costs: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a report: in all, by group, and by period of a ``unit`` as in ``sum_over_time``.

    ``lines`` are those of the groups, sorted by name; ``groups`` have the highest total first.
    ``rows`` has the rows of each group for each period in which it has a batch or single requests:
    the values of ``SUMS``, and in the end the key of the period.
    """

    total: Line
    lines: list[Line]
    groups: list[Group]
    unit: str
    periods: list[Line]
    rows: dict[KeyAndName, list[Values]]


def sum_all(scope: Scope) -> Line:
    return _sum_of(scope.model_costs(), direct_requests(scope))


def sum_sandbox(scope: Scope) -> Line:
    """Return the sum of what sandboxes have answered, for which nothing was paid."""
    return _sum_of(scope.sandbox_model_costs(), sandbox_direct_requests(scope))


def _sum_of(model_costs: QuerySet[ModelCost], requests: DirectRequestQuerySet) -> Line:
    of_batches = line_of("", "Total", model_costs.aggregate(**SUMS))
    singles = [line_of_values("", "", row) for row in grouped(requests)]
    return add("", "Total", [of_batches, *singles])


def sum_up(scope: Scope, by: str) -> Sums:
    """Return all sums of a report, grouped by ``by``, a key of ``DIMENSIONS``.

    One query gives them all for batches, and one for single requests. With models and tags more
    are needed, since a batch may have several. The key and the name of what has no tag or cost
    centre are "".
    """
    unit, rows = by_period(scope, by)
    of_groups: defaultdict[KeyAndName, list[Values]] = defaultdict(list)
    of_periods: defaultdict[str, list[Values]] = defaultdict(list)
    # The rows stay as they are read: hundreds of people times months make many.
    for row in rows:
        *_, key, name, since = row
        of_groups[str(key or ""), name or ""].append(row)
        of_periods[since].append(row)
    lines = [line_of_values(*names, add_rows(rows)) for names, rows in of_groups.items()]
    totals = {(line.key, line.name): line.cost_usd for line in lines}
    if DIMENSIONS[by].groups_overlap:
        unit, periods_shown = sum_over_time(scope)
    else:
        periods_shown = [
            line_of_values(period.key, period.name, add_rows(of_periods[period.key]))
            for period in periods.periods(scope.first, scope.last, unit)
        ]
    return Sums(
        total=add("", "Total", periods_shown),
        lines=sorted(lines, key=lambda line: line.name.casefold()),
        groups=[
            Group(*names, _costs_by_period(of_groups[names]))
            for names in sorted(totals, key=lambda names: (-totals[names], names[1]))
        ],
        unit=unit,
        periods=periods_shown,
        rows=dict(of_groups),
    )


def sum_groups(scope: Scope, by: str) -> dict[str, Line]:
    """Return the sum of each group by its key, over all days of ``scope``."""
    of_groups: defaultdict[KeyAndName, list[Values]] = defaultdict(list)
    for *values, key, name in by_columns(scope, by):
        of_groups[str(key or ""), name or ""].append(values)
    lines = [line_of_values(*names, add_rows(rows)) for names, rows in of_groups.items()]
    return {line.key: line for line in lines}


def sum_over_time(scope: Scope) -> tuple[str, list[Line]]:
    """Return a unit that suits the length of the range, and a line for each such unit.

    The unit is "day", "month" or "year". Units without any cost have a line as well; ``key`` is
    the first day in ISO form.
    """
    unit, rows = by_period(scope)
    of_periods: defaultdict[str, list[Values]] = defaultdict(list)
    for row in rows:
        of_periods[row[SINCE]].append(row)
    return unit, [
        line_of_values(period.key, period.name, add_rows(of_periods[period.key]))
        for period in periods.periods(scope.first, scope.last, unit)
    ]


def period_of(scope: Scope, line: Line) -> tuple[date, date]:
    """Return the first and the last day in ``scope`` of a line of ``sum_over_time``."""
    unit = periods.unit_of(scope.first, scope.last)
    return periods.days_of(line.key, unit, scope.first, scope.last)


def by_period(scope: Scope, by: str = "") -> tuple[str, list[Values]]:
    """Return the unit of the periods, and the sums of each period, and of each group of ``by``.

    The values of ``SUMS`` are followed by key and name of the group, and the key of the period. A
    period or group may have two rows, of batches and of single requests.
    """
    unit = periods.unit_of(scope.first, scope.last)
    of_range = periods.periods(scope.first, scope.last, unit)
    return unit, by_columns(scope, by, of_range=of_range)


def by_columns(scope: Scope, *names: str, of_range: Sequence[Period] = ()) -> list[Values]:
    """Return the sums of batches and of single requests in each group.

    The values of ``SUMS`` are followed by key and name in each of the dimensions ``names``, and,
    with ``of_range``, by the key of the period.
    """
    dimensions = [DIMENSIONS[name] for name in names if name]
    columns = [column for dimension in dimensions for column in dimension.columns]
    singles = [column for dimension in dimensions for column in dimension.single]
    if of_range:
        columns.append(since_column(of_range, "batch__finished_at"))
        singles.append(since_column(of_range, "ended_at"))
    named = {f"group_{number}": column for number, column in enumerate(columns)}
    rows = scope.model_costs().order_by().values(**named).annotate(**SUMS)
    of_batches = rows.values_list(*SUMS, *named)
    # Without a column that differs, there is a row also of no batch.
    found = [row for row in of_batches if row[0]]
    return [*found, *grouped(direct_requests(scope), singles)]


def _costs_by_period(rows: Iterable[Values]) -> dict[str, Decimal]:
    costs: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        costs[row[SINCE]] += dollars(row[COST])
    return dict(costs)


def since_column(of_range: Sequence[Period], moment: str) -> Case:
    """Return the key of the period in which ``moment``, a lookup, is.

    The periods are compared with their ends. To truncate times, SQLite would call a function of
    Python for each row.
    """
    return Case(
        *(
            When(**{f"{moment}__lt": midnight(period.following)}, then=Value(period.key))
            for period in of_range[:-1]
        ),
        default=Value(of_range[-1].key),
        output_field=CharField(),
    )


def portal_today() -> date:
    """Return the day of the portal's time zone, whatever the time zone of the person."""
    return timezone.localdate(timezone=timezone.get_default_timezone())
