"""Compare estimates with costs, over the batches that later estimates learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.utils import timezone

from batchapp import access
from batchapp.models import ModelCost, Project, User
from batchapp.models.fields.money_field import MoneyField

MONTHS = 12
MAX_PERCENTAGES = 10_000  # so that a page of a large portal stays quick


@dataclass(frozen=True, slots=True)
class Line:
    """The estimates of one project and model, or of several, compared with the costs.

    An estimate counts in proportion to the requests with an answer; counted in full, failures
    would look like errors of the estimate.

    ``inside`` batches cost no less than their low estimate and no more than their ceiling, if
    they had these. ``low_usd`` and ``high_usd`` are the sums of both, None if one is unknown.
    """

    project: str
    model: str
    batches: int
    estimated_usd: Decimal
    cost_usd: Decimal
    inside: int
    low_usd: Decimal | None
    high_usd: Decimal | None


def comparable_model_costs(user: User, since: datetime) -> QuerySet[ModelCost]:
    """Return the costs with answers, all of which have a token count and a price.

    Administrators and auditors get those of all projects, others those of their own.
    """
    rows = ModelCost.objects.measured(before=timezone.now(), is_sandbox=False)
    if not access.can_audit(user):
        rows = rows.filter(batch__project__in=Project.objects.visible_to(user))
    return rows.filter(_COMPARABLE, measured_at__gte=since)


def overall_of(model_costs: QuerySet[ModelCost]) -> Line | None:
    """Return the sum of those of ``model_costs`` that can be compared; None without any."""
    rows = model_costs.filter(_COMPARABLE, measured_at__isnull=False).order_by()
    sums = rows.aggregate(**_SUMS)
    return _line("", "", sums) if sums["batches"] else None


def by_project_and_model(model_costs: QuerySet[ModelCost]) -> list[Line]:
    """Return one line per project and model, the highest cost first."""
    rows = model_costs.order_by().values("batch__project__name", "model").annotate(**_SUMS)
    lines = [_line(row["batch__project__name"], row["model"], row) for row in rows]
    return sorted(lines, key=lambda line: (-line.cost_usd, line.project, line.model))


def by_model(lines: Sequence[Line]) -> list[Line]:
    """Return one line per model, the highest cost first."""
    models = {line.model for line in lines}
    sums = [overall([line for line in lines if line.model == model]) for model in models]
    return sorted(sums, key=lambda line: (-line.cost_usd, line.model))


def overall(lines: Sequence[Line]) -> Line:
    """Return the sum of ``lines``, of which there is at least one."""
    models = {line.model for line in lines}
    return Line(
        project="",
        model=models.pop() if len(models) == 1 else "",
        batches=sum(line.batches for line in lines),
        estimated_usd=sum((line.estimated_usd for line in lines), Decimal(0)),
        cost_usd=sum((line.cost_usd for line in lines), Decimal(0)),
        inside=sum(line.inside for line in lines),
        low_usd=_sum([line.low_usd for line in lines]),
        high_usd=_sum([line.high_usd for line in lines]),
    )


def count_inside(model_costs: QuerySet[ModelCost], lines: Sequence[Line]) -> tuple[int, int]:
    """Return how many batches there are, and how many cost with no model more or less than shown.

    ``lines`` are those of ``model_costs``, which count a batch once for each of its models.
    """
    batches = sum(line.batches for line in lines)
    outside = batches - sum(line.inside for line in lines)
    # Only the batches of several models are looked at: to count all of them takes much longer.
    costs = ModelCost.objects.order_by().values("batch").annotate(number=Count("*"))
    several = costs.filter(number__gt=1).values("batch")
    rows = model_costs.filter(batch__in=several).order_by().values_list("batch")
    for _, number, number_outside in rows.annotate(
        Count("pk"), outside=Count("pk", filter=_UNDER | _OVER)
    ):
        batches -= number - 1
        outside -= max(0, number_outside - 1)
    return batches, batches - outside


def percentages(model_costs: QuerySet[ModelCost]) -> list[Decimal]:
    """Return the costs in per cent of their estimates, of the newest batches and their models."""
    rows = model_costs.order_by("-measured_at", "-pk").annotate(
        cost=ExpressionWrapper(F("cost_usd"), output_field=BigIntegerField()),
        estimate=ExpressionWrapper(_ESTIMATED, output_field=BigIntegerField()),
    )
    # Of whole numbers as they are stored: an amount of each would be made in vain.
    pairs = rows.values_list("cost", "estimate")[:MAX_PERCENTAGES]
    return [Decimal(100 * cost) / share for cost, share in pairs if share]


def first_day(today: date) -> date:
    """Return the first day of the last twelve months, the current month included."""
    month = today.year * 12 + today.month - MONTHS
    return date(month // 12, month % 12 + 1, 1)


def _answered(amount: str) -> Combinable:
    """Return the share of the field ``amount`` that belongs to the answered requests."""
    # Divide whole numbers first: the product may be larger than a column holds.
    quotient, remainder = F(amount) / F("requests"), F(amount) % F("requests")
    share = quotient * F("answers") + remainder * F("answers") / F("requests")
    return ExpressionWrapper(share, output_field=MoneyField())


# With answers, all of which have a token count and a price.
_COMPARABLE = Q(
    answers__gt=0,
    answers_without_usage=0,
    cost_usd__isnull=False,
    estimated_cost_usd__isnull=False,
)
_ESTIMATED = _answered("estimated_cost_usd")
_UNDER = Q(cost_usd__lt=_answered("estimated_low_usd"))
_OVER = Q(cost_usd__gt=_answered("estimated_ceiling_usd"))
_SUMS: dict[str, Any] = {
    "batches": Count("pk"),
    "estimated": Sum(_ESTIMATED, output_field=MoneyField()),
    "cost": Sum("cost_usd"),
    "outside": Count("pk", filter=_UNDER | _OVER),
    "low": Sum(_answered("estimated_low_usd"), output_field=MoneyField()),
    "high": Sum(_answered("estimated_ceiling_usd"), output_field=MoneyField()),
    "lows": Count("estimated_low_usd"),
    "highs": Count("estimated_ceiling_usd"),
}


def _line(project: str, model: str, row: Mapping[str, Any]) -> Line:
    return Line(
        project=project,
        model=model,
        batches=row["batches"],
        estimated_usd=Decimal(row["estimated"]),
        cost_usd=Decimal(row["cost"]),
        inside=row["batches"] - row["outside"],
        low_usd=Decimal(row["low"]) if row["lows"] == row["batches"] else None,
        high_usd=Decimal(row["high"]) if row["highs"] == row["batches"] else None,
    )


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None
