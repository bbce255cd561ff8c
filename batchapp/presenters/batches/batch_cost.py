"""Say what a batch costs so far: its estimate, its actual cost, or what is known of it."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.models import Batch
from batchapp.templatetags.words import count, usd

NO_PRICE = "no price"


@dataclass(frozen=True, slots=True)
class Cost:
    """``is_unknown`` means that no model has a price, ``is_partial`` that some have none."""

    text: str
    is_actual: bool
    is_partial: bool = False
    is_unknown: bool = False

    @property
    def tone(self) -> str:
        if self.is_unknown:
            return "none"
        return "" if self.is_actual else "guess"


def cost_of(batch: Batch) -> Cost:
    """Return the actual cost of a finished batch, else the estimate; unknown is never zero."""
    model_costs = list(batch.model_costs.all())
    if not batch.is_over:
        if batch.estimated_cost_usd is not None:
            return Cost(f"~{usd(batch.estimated_cost_usd)}", is_actual=False)
        estimates = [row.estimated_cost_usd for row in model_costs]
        return _partial(estimates, is_actual=False)
    if batch.actual_cost_usd is None:
        costs = [row.cost_usd for row in model_costs]
        return _partial(costs, is_actual=True)
    is_minimum = any(row.answers_without_usage for row in model_costs)
    text = f"{'≥ ' if is_minimum else ''}{usd(batch.actual_cost_usd)}"
    return Cost(text, is_actual=True, is_partial=is_minimum)


def _partial(costs: list[Decimal | None], *, is_actual: bool) -> Cost:
    is_unknown = all(cost is None for cost in costs)
    return Cost(partial_cost(costs), is_actual, is_partial=True, is_unknown=is_unknown)


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
