"""What was spent: by project, person and model, over a range of days."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncMonth, TruncYear
from django.utils import timezone

from batchapp.models import ModelCost

GROUPS = {
    "project": ("batch__project__slug", "batch__project__name"),
    "user": ("batch__created_by__email", "batch__created_by__email"),
    "model": ("model", "model"),
}
MOST_DAYS = 62
MOST_MONTHS = 60
"""Lines in a row that are still told apart; a longer range is told in larger steps."""

CSV_COLUMNS = [
    "finished_at",
    "batch",
    "name",
    "project",
    "user",
    "connection",
    "window",
    "model",
    "requests",
    "input_tokens",
    "output_tokens",
    "estimated_cost_usd",
    "cost_usd",
    "realtime_cost_usd",
]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which finished batches a report is of: both days included, in the portal's time zone.

    What ran on a sandbox was not paid, so it is left out unless asked for.
    """

    first: date
    last: date
    project: str = ""
    user: str = ""
    model: str = ""
    with_sandbox: bool = False

    def model_costs(self) -> QuerySet[ModelCost]:
        """One row per batch and model: what every figure of the report is a sum of."""
        rows = self._all_charges()
        return rows if self.with_sandbox else rows.filter(batch__connection__is_sandbox=False)

    def sandbox_charges(self) -> QuerySet[ModelCost]:
        """Those for which nothing was paid, whether or not ``charges`` has them."""
        return self._all_charges().filter(batch__connection__is_sandbox=True)

    def _all_charges(self) -> QuerySet[ModelCost]:
        asked = {
            "batch__project__slug": self.project,
            "batch__created_by__email": self.user,
            "model": self.model,
        }
        return ModelCost.objects.filter(
            batch__finished_at__gte=_midnight(self.first),
            batch__finished_at__lt=_midnight(self.last + timedelta(days=1)),
            **{field: value for field, value in asked.items() if value},
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A sum over charges. ``unpriced`` of them had no price, so with any the cost is a floor.

    ``saving_usd`` is against the realtime price, over the charges that have both prices.
    """

    key: str
    name: str
    batches: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    saving_usd: Decimal
    unpriced: int


def total(model_costs: QuerySet[ModelCost]) -> Line:
    row = model_costs.aggregate(**_SUMS)
    return _line("", "Total", row)


def grouped(model_costs: QuerySet[ModelCost], by: str) -> list[Line]:
    """``charges`` summed by a key of ``GROUPS``, by name."""
    key, name = GROUPS[by]
    rows = model_costs.order_by().values(key, name).annotate(**_SUMS)
    lines = [_line(row[key], row[name], row) for row in rows]
    return sorted(lines, key=lambda line: line.name.casefold())


def over_time(scope: Scope) -> tuple[str, list[Line]]:
    """The scope's charges by "day", "month" or "year", whichever its length asks for.

    Every day, month or year of the range has a line, also one in which nothing finished; ``key``
    is its first day in ISO form.
    """
    unit, truncate = _unit(scope)
    rows = scope.model_costs().order_by().annotate(since=truncate("batch__finished_at"))
    found: dict[date, dict[str, Any]] = {
        row["since"].date(): dict(row) for row in rows.values("since").annotate(**_SUMS)
    }
    empty: dict[str, Any] = dict.fromkeys(_SUMS, 0)
    return unit, [
        _line(day.isoformat(), _NAMES[unit](day), found.get(day, empty))
        for day in _steps(scope, unit)
    ]


def _unit(scope: Scope) -> tuple[str, type[TruncDay | TruncMonth | TruncYear]]:
    days = (scope.last - scope.first).days
    if days < MOST_DAYS:
        return "day", TruncDay
    return ("month", TruncMonth) if days < MOST_MONTHS * 30 else ("year", TruncYear)


def _steps(scope: Scope, unit: str) -> Iterator[date]:
    """The first days of all units of the range."""
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
    """A header and one row per batch and model, oldest first; costs exact, empty if unknown."""
    yield list(CSV_COLUMNS)
    rows = model_costs.select_related("batch__project", "batch__created_by", "batch__connection")
    for model_cost in rows.order_by("batch__finished_at", "batch_id", "model").iterator():
        batch = model_cost.batch
        yield [
            batch.finished_at.isoformat() if batch.finished_at else "",
            batch.pk,
            _inert(batch.name),
            _inert(batch.project.name),
            _inert(batch.created_by.email),
            _inert(batch.connection.name),
            batch.window,
            _inert(model_cost.model),
            model_cost.requests,
            model_cost.input_tokens,
            model_cost.output_tokens,
            _plain(model_cost.estimated_cost_usd),
            _plain(model_cost.cost_usd),
            _plain(model_cost.realtime_cost_usd),
        ]


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
        saving_usd=(row["sum_realtime"] or nothing) - (row["sum_paid"] or nothing),
        unpriced=row["unpriced"],
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def _inert(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
