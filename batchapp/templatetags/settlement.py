"""The comparison of the estimate, the cost and the bill of a batch, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template

from batchapp.models import Batch, ModelCost
from batchapp.templatetags.words import count, usd

register = template.Library()

# Share of the cost; with a larger difference the provider uses other prices or counts otherwise.
MAX_BILL_DIFFERENCE = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Settlement:
    """``range`` was shown before the batch ran, and ``billed`` is the bill of the provider.

    Each text is "" if it is unknown. ``is_off`` means that the bill differs from the cost, and
    ``billed_too_many`` says so if more answers were billed than came.
    """

    error: str
    range: str
    billed: str
    is_off: bool
    billed_too_many: str
    prices_of: datetime | None


@register.simple_tag
def settlement(batch: Batch, model_costs: Iterable[ModelCost]) -> Settlement:
    costs = list(model_costs)
    actual, billed = batch.actual_cost_usd, batch.billed_cost_usd
    return Settlement(
        error=compared(batch.estimated_cost_usd, actual) if batch.is_over else "",
        range=_range(costs),
        billed=_billed(actual, billed),
        is_off=_is_off(actual, billed),
        billed_too_many=_billed_too_many(batch),
        prices_of=max((row.price_since for row in costs if row.price_since), default=None),
    )


@register.filter
def off(model_cost: ModelCost) -> str:
    return compared(model_cost.estimated_cost_usd, model_cost.cost_usd)


@register.simple_tag(name="against")
def compared(estimate: Decimal | None, actual: Decimal | None) -> str:
    """Return the difference to the estimate, such as "10 % less"; "" if one is unknown."""
    if not estimate or actual is None:
        return ""
    percent = (100 * (actual - estimate) / estimate).to_integral_value(ROUND_HALF_UP)
    if not percent:
        return "as estimated"
    return f"{abs(percent):,} % {'more' if percent > 0 else 'less'}"


def _range(model_costs: list[ModelCost]) -> str:
    """Return the range that was shown; "" for a batch without a stored range."""
    lows = [row.estimated_low_usd for row in model_costs]
    known = [low for low in lows if low is not None]
    if not model_costs or len(known) < len(lows):
        return ""
    low = usd(sum(known, Decimal(0)))
    if any(row.unbounded_requests for row in model_costs):
        return f"from ~{low}, without a limit"
    ceilings = [row.estimated_ceiling_usd for row in model_costs]
    known = [ceiling for ceiling in ceilings if ceiling is not None]
    if len(known) < len(ceilings):
        return ""
    ceiling = usd(sum(known, Decimal(0)))
    return f"~{low}" if ceiling == low else f"from ~{low} to ~{ceiling}"


def _billed(actual: Decimal | None, billed: Decimal | None) -> str:
    if billed is None:
        return ""
    difference = compared(actual, billed) if _is_off(actual, billed) else ""
    return f"{usd(billed)}, {difference} than by these prices" if difference else usd(billed)


def _billed_too_many(batch: Batch) -> str:
    too_many = batch.billed_too_many()
    if too_many is None:
        return ""
    billed, came = too_many
    return f"The provider billed {count(billed, 'answer')}, but {came:,} came."


def _is_off(actual: Decimal | None, billed: Decimal | None) -> bool:
    """Return True also if a batch without cost was billed."""
    if actual is None or billed is None:
        return False
    return abs(billed - actual) > MAX_BILL_DIFFERENCE * actual
