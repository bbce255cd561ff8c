"""What became of an estimate, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template

from batchapp.models import Batch, ModelCost
from batchapp.templatetags.words import usd

register = template.Library()

FLAGGED = Decimal("0.02")
"""A provider that bills this much more or less uses other prices, or counts otherwise."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """``range`` is what was shown before the batch ran; ``billed`` what the provider says.

    Each is "" where there is nothing to say. ``is_off`` if the provider bills something else.
    """

    error: str
    range: str
    billed: str
    is_off: bool
    prices_of: datetime | None


@register.simple_tag
def settlement(batch: Batch, model_costs: Iterable[ModelCost]) -> Settlement:
    """How ``batch`` was estimated and what it cost."""
    listed = list(model_costs)
    actual, billed = batch.actual_cost_usd, batch.billed_cost_usd
    return Settlement(
        error=compared(batch.estimated_cost_usd, actual) if batch.is_over else "",
        range=_range(listed),
        billed=_billed(actual, billed),
        is_off=_is_off(actual, billed),
        prices_of=max((each.price_since for each in listed if each.price_since), default=None),
    )


@register.filter
def off(model_cost: ModelCost) -> str:
    """How much more or less than estimated one model cost."""
    return compared(model_cost.estimated_cost_usd, model_cost.cost_usd)


@register.simple_tag(name="against")
def compared(estimate: Decimal | None, actual: Decimal | None) -> str:
    """Seen from the estimate, as in "10 % less"; "" where one of the two is not known."""
    if not estimate or actual is None:
        return ""
    percent = (100 * (actual - estimate) / estimate).to_integral_value(ROUND_HALF_UP)
    if not percent:
        return "as estimated"
    return f"{abs(percent):,} % {'more' if percent > 0 else 'less'}"


def _range(model_costs: list[ModelCost]) -> str:
    """From the lowest to the highest that was shown; "" of batches that kept none."""
    lows = [model_cost.estimated_low_usd for model_cost in model_costs]
    known = [low for low in lows if low is not None]
    if not model_costs or len(known) < len(lows):
        return ""
    low = usd(sum(known, Decimal(0)))
    if any(model_cost.unbounded_requests for model_cost in model_costs):
        return f"from ~{low}, without a limit"
    tops = [model_cost.estimated_ceiling_usd for model_cost in model_costs]
    highest = [top for top in tops if top is not None]
    if len(highest) < len(tops):
        return ""
    return f"from ~{low} to ~{usd(sum(highest, Decimal(0)))}"


def _billed(actual: Decimal | None, billed: Decimal | None) -> str:
    if billed is None:
        return ""
    difference = compared(actual, billed) if _is_off(actual, billed) else ""
    return f"{usd(billed)}, {difference} than by these prices" if difference else usd(billed)


def _is_off(actual: Decimal | None, billed: Decimal | None) -> bool:
    """Also of what should have cost nothing."""
    if actual is None or billed is None:
        return False
    return abs(billed - actual) > FLAGGED * actual
