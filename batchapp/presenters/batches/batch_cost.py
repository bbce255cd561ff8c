"""Say what a batch costs so far: its estimate, its actual cost, or what is known of it."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.models import Batch
from batchapp.presenters.charts.rail import Rail, rail
from batchapp.templatetags.words import count, usd, usd_in_column

NO_PRICE = "no price"


@dataclass(frozen=True, slots=True)
class Cost:
    """``is_unknown`` means that no model has a price, ``is_partial`` that some have none.

    ``short`` is ``text`` for a column of a table: it never shows more than four decimals.
    """

    text: str
    is_actual: bool
    is_partial: bool = False
    is_unknown: bool = False
    short: str = ""

    @property
    def tone(self) -> str:
        if self.is_unknown:
            return "none"
        return "" if self.is_actual else "guess"

    @property
    def title(self) -> str:
        """Return what ``short`` does not say."""
        said = ["Estimated"] if not self.is_actual else []
        return ": ".join([*said, self.text] if self.short != self.text else said)


def cost_of(batch: Batch) -> Cost:
    """Return the actual cost of a finished batch, else the estimate; unknown is never zero."""
    model_costs = list(batch.model_costs.all())
    if not batch.is_over:
        if batch.estimated_cost_usd is not None:
            return _known(batch.estimated_cost_usd, "~", is_actual=False)
        return _partial([row.estimated_cost_usd for row in model_costs], is_actual=False)
    if batch.actual_cost_usd is None:
        return _partial([row.cost_usd for row in model_costs], is_actual=True)
    is_minimum = any(row.answers_without_usage for row in model_costs)
    return _known(batch.actual_cost_usd, "≥ " if is_minimum else "", is_actual=True)


def _known(amount: Decimal, sign: str, *, is_actual: bool) -> Cost:
    """Return an amount with the sign of an estimate, "~", or of a minimum, "≥ "."""
    return Cost(
        f"{sign}{usd(amount)}",
        is_actual,
        is_partial=sign == "≥ ",
        short=usd_in_column(amount, sign),
    )


def cost_of_models(costs: list[Decimal | None]) -> Cost:
    """Return the sum of actual ``costs``, each that of one model; without a model it is zero."""
    known = [cost for cost in costs if cost is not None]
    if len(known) == len(costs):
        return _known(sum(known, Decimal(0)), "", is_actual=True)
    return _partial(costs, is_actual=True)


def _partial(costs: list[Decimal | None], *, is_actual: bool) -> Cost:
    known = [cost for cost in costs if cost is not None]
    sign = "≥ " if len(known) < len(costs) else ""
    short = usd_in_column(sum(known, Decimal(0)), sign) if known else NO_PRICE
    return Cost(partial_cost(costs), is_actual, is_partial=True, is_unknown=not known, short=short)


def estimate_rail(batch: Batch) -> Rail | None:
    """Draw the range that was shown before the batch ran, with its cost; None without a range."""
    model_costs = list(batch.model_costs.all())
    lows = [row.estimated_low_usd for row in model_costs if row.estimated_low_usd is not None]
    highs = [row.estimated_ceiling_usd for row in model_costs if not row.unbounded_requests]
    known = [high for high in highs if high is not None]
    if not lows or len(lows) < len(model_costs) or len(known) < len(highs):
        return None
    low, high = sum(lows, Decimal(0)), sum(known, Decimal(0))
    is_open = len(highs) < len(model_costs)
    if not is_open and usd(low) == usd(high):
        return None
    actual = batch.actual_cost_usd if batch.is_over else None
    return rail(low, None if is_open else high, expected=batch.estimated_cost_usd, actual=actual)


def partial_cost(costs: list[Decimal | None]) -> str:
    """Add up ``costs`` and say how many of them are unknown."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return NO_PRICE
    if len(known) == len(costs):
        return usd(sum(known, Decimal(0)))
    return minimum_cost(sum(known, Decimal(0)), len(costs) - len(known))


def minimum_cost(known: Decimal, unpriced: int) -> str:
    return f"≥ {usd(known)} + {count(unpriced, 'model')} without a price"
