"""How far estimates were from what batches cost: the figures that the next ones learn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Abs, TruncMonth
from django.utils import timezone

from batchapp.models import ModelCost
from batchapp.models.fields.money_field import MoneyField

MONTHS = 12

PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Line:
    """Estimates of one project and model, or of one month, against what came of them.

    Of each estimate, the part counts that was for the requests with an answer: of the others it
    would be the failures that are measured.

    ``inside`` of the ``batches`` cost no less than their low estimate and no more than their
    ceiling, as far as they had these.
    """

    project: str
    model: str
    batches: int
    estimated_usd: Decimal
    cost_usd: Decimal
    missed_usd: Decimal
    inside: int

    @property
    def error(self) -> int | None:
        """Per cent that the estimates were off, up or down, weighed by what was spent."""
        return _percent(self.missed_usd, self.cost_usd)


def comparable(since: datetime) -> QuerySet[ModelCost]:
    """Charges whose answers all have a token count and a price, and there are some."""
    return ModelCost.objects.measured(before=timezone.now(), is_sandbox=False).filter(
        measured_at__gte=since,
        answers__gt=0,
        answers_without_usage=0,
        cost_usd__isnull=False,
        estimated_cost_usd__isnull=False,
    )


def by_project_and_model(model_costs: QuerySet[ModelCost]) -> list[Line]:
    """The most spent first."""
    rows = model_costs.order_by().values("batch__project__name", "model").annotate(**_SUMS)
    lines = [_line(row["batch__project__name"], row["model"], row) for row in rows]
    return sorted(lines, key=lambda line: (-line.cost_usd, line.project, line.model))


def by_month(model_costs: QuerySet[ModelCost], today: date) -> list[tuple[date, Line]]:
    """The last twelve months, the oldest first; also those without any batch."""
    rows = model_costs.order_by().annotate(month=TruncMonth("measured_at"))
    found: dict[date, Mapping[str, Any]] = {
        row["month"].date(): row for row in rows.values("month").annotate(**_SUMS)
    }
    empty: Mapping[str, Any] = dict.fromkeys(_SUMS, 0)
    return [(month, _line("", "", found.get(month, empty))) for month in months(today)]


def overall(lines: list[Line]) -> Line:
    """The sum of ``lines``."""
    return Line(
        project="",
        model="",
        batches=sum(line.batches for line in lines),
        estimated_usd=sum((line.estimated_usd for line in lines), Decimal(0)),
        cost_usd=sum((line.cost_usd for line in lines), Decimal(0)),
        missed_usd=sum((line.missed_usd for line in lines), Decimal(0)),
        inside=sum(line.inside for line in lines),
    )


def months(today: date) -> Iterator[date]:
    """The first days of the last twelve months, this one included."""
    last = today.year * 12 + today.month - 1
    for number in range(last - MONTHS + 1, last + 1):
        yield date(number // 12, number % 12 + 1, 1)


def _answered(amount: str) -> Combinable:
    """The share of ``amount`` that the answered requests have in it.

    In whole numbers; to multiply the whole amount first would be more than a column holds.
    """
    each, rest = F(amount) / F("requests"), F(amount) % F("requests")
    share = each * F("answers") + rest * F("answers") / F("requests")
    return ExpressionWrapper(share, output_field=MoneyField())


_ESTIMATED = _answered("estimated_cost_usd")
_ABOVE = Q(estimated_low_usd=None) | Q(cost_usd__gte=_answered("estimated_low_usd"))
_BELOW = Q(estimated_ceiling_usd=None) | Q(cost_usd__lte=_answered("estimated_ceiling_usd"))
_MISSED = Abs(F("cost_usd") - _ESTIMATED, output_field=MoneyField())
_SUMS: dict[str, Any] = {
    "batches": Count("pk"),
    "estimated": Sum(_ESTIMATED, output_field=MoneyField()),
    "cost": Sum("cost_usd"),
    "missed": Sum(_MISSED, output_field=MoneyField()),
    "inside": Count("pk", filter=_ABOVE & _BELOW),
}


def _line(project: str, model: str, row: Mapping[str, Any]) -> Line:
    return Line(
        project=project,
        model=model,
        batches=row["batches"],
        estimated_usd=Decimal(row["estimated"]),
        cost_usd=Decimal(row["cost"]),
        missed_usd=Decimal(row["missed"]),
        inside=row["inside"],
    )


def _percent(provider_batch: Decimal, whole: Decimal) -> int | None:
    """None where there is nothing to compare with."""
    if not whole:
        return None
    return int((PERCENT * provider_batch / whole).to_integral_value(ROUND_HALF_UP))
