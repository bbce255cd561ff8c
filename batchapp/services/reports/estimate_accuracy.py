"""Compare estimates with costs, over the batches that later estimates learn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Abs, TruncMonth
from django.utils import timezone

from batchapp import access
from batchapp.models import ModelCost, User
from batchapp.models.fields.money_field import MoneyField

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """The estimates of one project and model, or of one month, compared with the costs.

    An estimate counts in proportion to the requests with an answer; counted in full, failures
    would look like errors of the estimate.

    ``missed_usd`` is the sum of the differences, up or down. ``inside`` batches cost no less than
    their low estimate and no more than their ceiling, if they had these.
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
        """Return the difference in per cent of the cost, None without any cost."""
        if not self.cost_usd:
            return None
        return int((100 * self.missed_usd / self.cost_usd).to_integral_value(ROUND_HALF_UP))


def comparable_model_costs(user: User, since: datetime) -> QuerySet[ModelCost]:
    """Return the costs with answers, all of which have a token count and a price.

    Raises:
        NotAllowed: ``user`` is no operator.
    """
    access.require_operate(user)
    return ModelCost.objects.measured(before=timezone.now(), is_sandbox=False).filter(
        measured_at__gte=since,
        answers__gt=0,
        answers_without_usage=0,
        cost_usd__isnull=False,
        estimated_cost_usd__isnull=False,
    )


def by_project_and_model(model_costs: QuerySet[ModelCost]) -> list[Line]:
    """Return one line per project and model, the highest cost first."""
    rows = model_costs.order_by().values("batch__project__name", "model").annotate(**_SUMS)
    lines = [_line(row["batch__project__name"], row["model"], row) for row in rows]
    return sorted(lines, key=lambda line: (-line.cost_usd, line.project, line.model))


def by_month(model_costs: QuerySet[ModelCost], today: date) -> list[tuple[date, Line]]:
    """Return one line per month of the last twelve, the oldest first, also without batches."""
    rows = model_costs.order_by().annotate(month=TruncMonth("measured_at"))
    sums: dict[date, Mapping[str, Any]] = {
        row["month"].date(): row for row in rows.values("month").annotate(**_SUMS)
    }
    empty: Mapping[str, Any] = dict.fromkeys(_SUMS, 0)
    return [(month, _line("", "", sums.get(month, empty))) for month in recent_months(today)]


def overall(lines: list[Line]) -> Line:
    return Line(
        project="",
        model="",
        batches=sum(line.batches for line in lines),
        estimated_usd=sum((line.estimated_usd for line in lines), Decimal(0)),
        cost_usd=sum((line.cost_usd for line in lines), Decimal(0)),
        missed_usd=sum((line.missed_usd for line in lines), Decimal(0)),
        inside=sum(line.inside for line in lines),
    )


def recent_months(today: date) -> Iterator[date]:
    """Yield the first days of the last twelve months, the current month included."""
    last = today.year * 12 + today.month - 1
    for number in range(last - MONTHS + 1, last + 1):
        yield date(number // 12, number % 12 + 1, 1)


def _answered(amount: str) -> Combinable:
    """Return the share of the field ``amount`` that belongs to the answered requests."""
    # Divide whole numbers first: the product may be larger than a column holds.
    quotient, remainder = F(amount) / F("requests"), F(amount) % F("requests")
    share = quotient * F("answers") + remainder * F("answers") / F("requests")
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
