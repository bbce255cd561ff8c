"""Compute what a batch costs from its tokens and the prices that were frozen with it."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Sum, Value, When

from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.models import Batch, ModelCost, Result
from batchapp.models.fields.money_field import rounded_or_unknown, total_or_unknown

# Columns of a result, in the order of the fields of ``Usage`` after ``requests``.
TOKENS = (
    *("input_tokens", "output_tokens", "cached_tokens"),
    *("written_5m_tokens", "written_1h_tokens", "written_24h_tokens"),
)


def settle_costs(batch: Batch, completed_at: datetime | None) -> list[ModelCost]:
    """Write tokens and cost of each model.

    ``completed_at`` is None if the batch did not complete. Estimates do not learn from such a
    batch, because short answers come first.
    """
    model_costs = list(batch.model_costs.all())
    answers = batch.results.filter(outcome__in=SUCCEEDED)
    prices = [price for row in model_costs for price in (row.unit_price, row.realtime_price)]
    usages, without_usage = _usages(answers, [price for price in prices if price])
    for model_cost in model_costs:
        rows = usages[model_cost.model]
        cut_short = [row for row in rows if row.outcome == Outcome.TRUNCATED]
        model_cost.cut_short = sum(row.usage.requests for row in cut_short)
        for name, total in zip(("answers", *TOKENS), _sums(rows), strict=True):
            setattr(model_cost, name, total)
        model_cost.answers_without_usage = without_usage[model_cost.model]
        has_usage = model_cost.answers > model_cost.answers_without_usage
        model_cost.measured_at = completed_at if has_usage else None
        if not model_cost.answers:  # nothing answered costs nothing, whatever the price
            model_cost.cost_usd = model_cost.cut_short_usd = Decimal(0)
            model_cost.realtime_cost_usd = Decimal(0)
            continue
        if price := model_cost.unit_price:
            model_cost.cost_usd = _cost(rows, price)
            model_cost.cut_short_usd = _cost(cut_short, price)
        if price := model_cost.realtime_price:
            model_cost.realtime_cost_usd = _cost(rows, price)
    fields = ["answers", *TOKENS, "answers_without_usage", "cut_short", "cut_short_usd"]
    fields += ["measured_at", "cost_usd", "realtime_cost_usd"]
    ModelCost.objects.bulk_update(model_costs, fields)
    return model_costs


class _PricedUsage(NamedTuple):
    """The usage of answers that have the same outcome, and one price for each kind of token.

    ``created_at`` is a time that no end of a price parts from the creation of their provider
    batches; None if that was before all ends.
    """

    outcome: str
    usage: Usage
    created_at: datetime | None


def _usages(
    answers: QuerySet[Result], prices: list[UnitPrice]
) -> tuple[defaultdict[str, list[_PricedUsage]], defaultdict[str, int]]:
    """Return the usages of each model in parts, and the number of its answers without usage."""
    bounds = sorted({tier.above for price in prices for tier in price.tiers})
    ends = sorted({price.cached_until for price in prices if price.cached_until})
    tiers = [When(input_tokens__gt=bound, then=Value(bound)) for bound in reversed(bounds)]
    periods = [
        When(provider_batch__submitted_at__gte=end, then=Value(number))
        for number, end in reversed([*enumerate(ends, start=1)])
    ]
    parts = answers.order_by().annotate(
        tier=Case(*tiers, default=Value(0), output_field=IntegerField()),
        period=Case(*periods, default=Value(0), output_field=IntegerField()),
    )
    rows = parts.values("model", "outcome", "tier", "period").annotate(
        requests=Count("pk"),
        silent=Count("pk", filter=Q(input_tokens=None) | Q(output_tokens=None)),
        **{f"sum_{name}": Sum(name, default=0) for name in TOKENS},
    )
    usages: defaultdict[str, list[_PricedUsage]] = defaultdict(list)
    without_usage: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        sums: dict[str, Any] = dict(row)
        tokens = [sums[f"sum_{name}"] for name in TOKENS]
        usage = Usage(sums["requests"], *tokens)
        created_at = ends[sums["period"] - 1] if sums["period"] else None
        usages[sums["model"]].append(_PricedUsage(sums["outcome"], usage, created_at))
        without_usage[sums["model"]] += sums["silent"]
    return usages, without_usage


def _sums(rows: list[_PricedUsage]) -> list[int]:
    columns = zip(*(row.usage.counts for row in rows), strict=True)
    return [sum(column) for column in columns] or [0] * (1 + len(TOKENS))


def _cost(rows: list[_PricedUsage], price: UnitPrice) -> Decimal | None:
    """Return the cost of all usages together; None if one cannot be true."""
    costs = [cost(row.usage, price.at(row.created_at)) for row in rows]
    return rounded_or_unknown(total_or_unknown(costs))
