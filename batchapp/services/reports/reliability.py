"""How reliably models answered: failures, lateness and what was paid for nothing of use."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from batchapp.models import ModelCost
from batchapp.models.fields.money_field import rounded, total_or_unknown
from batchapp.services.reports import waste
from batchapp.services.reports.conditions import CUT_SHORT, FAILED, LATE, RETRY
from batchapp.services.reports.scope import Scope

Rows = QuerySet[ModelCost, Any]


@dataclass(frozen=True, slots=True)
class Reliability:
    """The finished batches of one model, or of all.

    ``failed`` of ``counted`` requests have no answer; batches with cancelled requests are not
    among these. ``late`` batches came after the end of their window. ``cut_short`` answers ended
    at their limit, ``retries`` are batches that ran requests of another batch again, and
    ``repeated`` answers are those of requests that are equal to an earlier one of their file. An
    amount in USD is None if any part of it is unknown.
    """

    model: str
    batches: int
    requests: int
    counted: int
    failed: int
    late: int
    cut_short: int
    cut_short_usd: Decimal | None
    retries: int
    retries_usd: Decimal | None
    repeated: int = 0
    repeated_usd: Decimal | None = Decimal(0)

    @property
    def failed_share(self) -> float:
        return self.failed / self.counted if self.counted else 0

    @property
    def late_share(self) -> float:
        return self.late / self.batches if self.batches else 0


_ADDED = ("requests", "counted", "failed", "cut_short", "repeated")
_ADDED_USD = ("cut_short_usd", "retries_usd", "repeated_usd")


def by_model(scope: Scope) -> list[Reliability]:
    """Return one row per model, that with the most requests first."""
    rows: Rows = scope.model_costs().order_by().values("model")
    repeats = _repeats(scope)
    lines = [
        replace(_reliability(row["model"], row), **repeats.get(row["model"], {}))
        for row in rows.annotate(**_sums())
    ]
    return sorted(lines, key=lambda line: (-line.requests, line.model))


def overall(scope: Scope, lines: Sequence[Reliability]) -> Reliability:
    """Return the sum of ``lines``, those of ``by_model``, in which each batch counts once."""
    if len(lines) == 1:
        return replace(lines[0], model="")
    batches, late, retries = (
        _batches(scope, condition) if any(getattr(line, name) for line in lines) else 0
        for name, condition in (("batches", Q()), ("late", LATE), ("retries", RETRY))
    )
    sums: dict[str, Any] = {name: sum(getattr(line, name) for line in lines) for name in _ADDED}
    amounts: dict[str, Any] = {
        name: total_or_unknown([getattr(line, name) for line in lines]) for name in _ADDED_USD
    }
    return Reliability(model="", batches=batches, late=late, retries=retries, **sums, **amounts)


def _batches(scope: Scope, condition: Q) -> int:
    """Return the number of batches; of several models, a batch has several costs."""
    return scope.model_costs().filter(condition).order_by().values("batch").distinct().count()


def _repeats(scope: Scope) -> dict[str, dict[str, Any]]:
    """Return the answered repeats of each model, in proportion, and what they cost.

    Results do not tell which request repeats another.
    """
    rows = (
        scope.model_costs()
        .order_by()
        .annotate(repeated=F("batch__upload__report_fields__repeated"))
        .exclude(repeated={})
    )
    numbers: defaultdict[str, Decimal] = defaultdict(Decimal)
    amounts: defaultdict[str, list[Decimal | None]] = defaultdict(list)
    columns = ("model", "requests", "answers", "cost_usd", "repeated")
    for model, requests, answers, cost, repeated in rows.values_list(*columns):
        number = waste.repeated_requests(repeated, model)
        if number and requests:
            numbers[model] += Decimal(number * answers) / requests
            amounts[model].append(None if cost is None else rounded(cost * number / requests))
    return {
        model: {"repeated": round(number), "repeated_usd": total_or_unknown(amounts[model])}
        for model, number in numbers.items()
    }


def _sums() -> dict[str, Any]:
    return {
        # A batch has one cost of each model.
        "batches": Count("pk"),
        "sum_requests": Sum("requests", default=0),
        "counted": Sum("requests", filter=Q(batch__cancelled=0), default=0),
        "failed": Sum(F("requests") - F("answers"), filter=FAILED, default=0),
        "late": Count("pk", filter=LATE),
        "sum_cut_short": Sum("cut_short", default=0),
        "sum_cut_short_usd": Sum("cut_short_usd", filter=CUT_SHORT),
        "cut_short_unknown": Count("pk", filter=CUT_SHORT & Q(cut_short_usd=None)),
        "retries": Count("pk", filter=RETRY),
        "retries_usd": Sum("cost_usd", filter=RETRY),
        "retries_unknown": Count("pk", filter=RETRY & Q(cost_usd=None)),
    }


def _reliability(model: str, row: dict[str, Any]) -> Reliability:
    nothing = Decimal(0)
    return Reliability(
        model=model,
        batches=row["batches"],
        requests=row["sum_requests"],
        counted=row["counted"],
        failed=row["failed"],
        late=row["late"],
        cut_short=row["sum_cut_short"],
        cut_short_usd=None if row["cut_short_unknown"] else row["sum_cut_short_usd"] or nothing,
        retries=row["retries"],
        retries_usd=None if row["retries_unknown"] else row["retries_usd"] or nothing,
    )
