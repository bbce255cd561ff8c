"""Add up the costs of finished batches by project, person, model or time."""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncMonth, TruncYear
from django.utils import timezone

from batchapp import access
from batchapp.domain.csv_list import escape_formula
from batchapp.models import ModelCost, Project, User

GROUPS = {
    "project": ("batch__project__slug", "batch__project__name"),
    "user": ("batch__created_by__email", "batch__created_by__email"),
    "model": ("model", "model"),
}
MAX_DAYS, MAX_MONTHS = 92, 60  # bars in a chart; a longer range gets larger steps


@dataclass(frozen=True, slots=True)
class Scope:
    """Select the finished batches of a report; ``first`` and ``last`` are both included.

    Days are days of the portal's time zone. Batches of a sandbox were not paid, so by default
    they are left out. ``viewer`` sees all projects as an operator, else the own ones; with
    ``own_projects`` an operator, too, sees only the projects of which the operator is a member.
    """

    first: date
    last: date
    viewer: User
    project: str = ""
    user: str = ""
    model: str = ""
    with_sandbox: bool = False
    own_projects: bool = False

    def model_costs(self) -> QuerySet[ModelCost]:
        """Return one row per batch and model; every figure of the report is a sum of these."""
        rows = self._all_model_costs()
        return rows if self.with_sandbox else rows.filter(batch__connection__is_sandbox=False)

    def sandbox_model_costs(self) -> QuerySet[ModelCost]:
        """Return the rows of sandboxes, for which nothing was paid."""
        return self._all_model_costs().filter(batch__connection__is_sandbox=True)

    def _all_model_costs(self) -> QuerySet[ModelCost]:
        filters = {
            "batch__project__slug": self.project,
            "batch__created_by__email": self.user,
            "model": self.model,
        }
        rows = ModelCost.objects.all()
        if self.own_projects or not access.can_operate(self.viewer):
            rows = rows.filter(batch__project__in=Project.objects.visible_to(self.viewer))
        return rows.filter(
            batch__finished_at__gte=_midnight(self.first),
            batch__finished_at__lt=_midnight(self.last + timedelta(days=1)),
            **{field: value for field, value in filters.items() if value},
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A sum of model costs. With ``unpriced`` costs in it, ``cost_usd`` is a minimum.

    ``saving_usd`` compares with ``realtime_usd``, over the costs that have both prices.
    """

    key: str
    name: str
    batches: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    realtime_usd: Decimal
    saving_usd: Decimal
    unpriced: int

    @property
    def saving_percent(self) -> int:
        return round(100 * self.saving_usd / self.realtime_usd) if self.realtime_usd else 0


@dataclass(frozen=True, slots=True)
class Group:
    """The known costs in USD of one project, person or model; ``costs`` has them by period.

    A period has the key of its line in ``sum_over_time``.
    """

    key: str
    name: str
    costs: dict[str, Decimal]


def sum_all(model_costs: QuerySet[ModelCost]) -> Line:
    return _line("", "Total", model_costs.aggregate(**_SUMS))


def sum_by(model_costs: QuerySet[ModelCost], by: str) -> list[Line]:
    """Return a line for each value of ``by``, a key of ``GROUPS``, sorted by name."""
    key, name = GROUPS[by]
    rows = model_costs.order_by().values(key, name).annotate(**_SUMS)
    lines = [_line(row[key], row[name], row) for row in rows]
    return sorted(lines, key=lambda line: line.name.casefold())


def sum_over_time(scope: Scope) -> tuple[str, list[Line]]:
    """Return a unit that suits the length of the range, and a line for each such unit.

    The unit is "day", "month" or "year". Units in which no batch finished have a line as well;
    ``key`` is the first day in ISO form.
    """
    unit, truncate = _unit(scope)
    rows = scope.model_costs().order_by().annotate(since=truncate("batch__finished_at"))
    sums: dict[date, dict[str, Any]] = {
        row["since"].date(): dict(row) for row in rows.values("since").annotate(**_SUMS)
    }
    empty: dict[str, Any] = dict.fromkeys(_SUMS, 0)
    return unit, [
        _line(day.isoformat(), _NAMES[unit](day), sums.get(day, empty))
        for day in _steps(scope, unit)
    ]


def groups_over_time(scope: Scope, by: str) -> list[Group]:
    """Return the costs of each value of ``by``, a key of ``GROUPS``, the highest total first."""
    _, truncate = _unit(scope)
    key, name = GROUPS[by]
    rows = scope.model_costs().order_by().annotate(since=truncate("batch__finished_at"))
    groups: dict[str, Group] = {}
    for row in rows.values("since", key, name).annotate(cost=Sum("cost_usd")):
        group = groups.setdefault(row[key], Group(row[key], row[name], {}))
        group.costs[row["since"].date().isoformat()] = row["cost"] or Decimal(0)
    return sorted(groups.values(), key=lambda group: (-sum(group.costs.values()), group.name))


def period_of(scope: Scope, line: Line) -> tuple[date, date]:
    """Return the first and the last day in ``scope`` of a line of ``sum_over_time``."""
    first = last = date.fromisoformat(line.key)
    unit, _ = _unit(scope)
    if unit == "month":
        last = first.replace(day=monthrange(first.year, first.month)[1])
    elif unit == "year":
        last = first.replace(month=12, day=31)
    return max(first, scope.first), min(last, scope.last)


def _unit(scope: Scope) -> tuple[str, type[TruncDay | TruncMonth | TruncYear]]:
    days = (scope.last - scope.first).days
    if days < MAX_DAYS:
        return "day", TruncDay
    return ("month", TruncMonth) if days < MAX_MONTHS * 30 else ("year", TruncYear)


def _steps(scope: Scope, unit: str) -> Iterator[date]:
    """Yield the first day of every unit of the range."""
    day = scope.first
    if unit != "day":
        day = day.replace(day=1, month=day.month if unit == "month" else 1)
    while day <= scope.last:
        yield day
        if unit == "day":
            day += timedelta(days=1)
        elif unit == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day = day.replace(year=day.year + 1)


_NAMES: dict[str, Callable[[date], str]] = {
    "day": lambda day: f"{day:%-d %b %Y}",
    "month": lambda day: f"{day:%B %Y}",
    "year": lambda day: f"{day:%Y}",
}


def csv_rows(model_costs: QuerySet[ModelCost]) -> Iterator[list[object]]:
    """Yield a header and one row per batch and model, oldest first; unknown costs are empty."""
    yield list(_CSV_COLUMNS)
    rows = model_costs.select_related("batch__project", "batch__created_by", "batch__connection")
    for row in rows.order_by("batch__finished_at", "batch_id", "model").iterator():
        yield [value(row) for value in _CSV_COLUMNS.values()]


_CSV_COLUMNS: dict[str, Callable[[ModelCost], object]] = {
    "finished_at": lambda row: row.batch.finished_at and row.batch.finished_at.isoformat(),
    "batch": lambda row: row.batch_id,
    "name": lambda row: escape_formula(row.batch.name),
    "project": lambda row: escape_formula(row.batch.project.name),
    "user": lambda row: escape_formula(row.batch.created_by.email),
    "connection": lambda row: escape_formula(row.batch.connection.name),
    "window": lambda row: row.batch.window,
    "model": lambda row: escape_formula(row.model),
    "requests": lambda row: row.requests,
    "input_tokens": lambda row: row.input_tokens,
    "output_tokens": lambda row: row.output_tokens,
    "estimated_cost_usd": lambda row: _plain(row.estimated_cost_usd),
    "cost_usd": lambda row: _plain(row.cost_usd),
    "realtime_cost_usd": lambda row: _plain(row.realtime_cost_usd),
}

_BOTH_PRICES = Q(cost_usd__isnull=False, realtime_cost_usd__isnull=False)
_SUMS: dict[str, Any] = {
    "batches": Count("batch", distinct=True),
    "sum_requests": Sum("requests"),
    "sum_input": Sum("input_tokens"),
    "sum_output": Sum("output_tokens"),
    "sum_cost": Sum("cost_usd"),
    "sum_paid": Sum("cost_usd", filter=_BOTH_PRICES),
    "sum_realtime": Sum("realtime_cost_usd", filter=_BOTH_PRICES),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
}


def _line(key: str, name: str, row: dict[str, Any]) -> Line:
    nothing = Decimal(0)
    return Line(
        key=key,
        name=name,
        batches=row["batches"],
        requests=row["sum_requests"] or 0,
        input_tokens=row["sum_input"] or 0,
        output_tokens=row["sum_output"] or 0,
        cost_usd=row["sum_cost"] or nothing,
        realtime_usd=row["sum_realtime"] or nothing,
        saving_usd=(row["sum_realtime"] or nothing) - (row["sum_paid"] or nothing),
        unpriced=row["unpriced"],
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"
