"""The words about single requests beside a sum that includes them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from batchapp.models.direct.direct_request import DirectSum
from batchapp.templatetags.words import count, usd


def direct_text(found: DirectSum, amount: Callable[[Decimal], str] = usd) -> str:
    """Return which part of a sum is of single requests; "" without any."""
    if not found.requests:
        return ""
    return f"Including {count(found.requests, 'single request')}: {cost(found, amount)}."


def beside_batches_text(
    found: DirectSum, in_all: DirectSum, amount: Callable[[Decimal], str] = usd
) -> str:
    """Return what single requests cost, and what they cost with batches; "" without any."""
    if not found.requests:
        return ""
    return (
        f"Single requests: {count(found.requests, 'request')}, {cost(found, amount)}. "
        f"Batches and single requests in all: {cost(in_all, amount)}."
    )


def cost(found: DirectSum, amount: Callable[[Decimal], str] = usd) -> str:
    """Return the known cost; costs that are not known are named, never shown as zero."""
    if not found.unpriced:
        return amount(found.cost_usd)
    known = f"at least {amount(found.cost_usd)} and " if found.cost_usd else ""
    return f"{known}{count(found.unpriced, 'cost')} without a price"


def direct_json(found: DirectSum) -> dict[str, Any]:
    """Return the sum with its exact amount as text; null if no cost is known."""
    is_unknown = found.unpriced and not found.cost_usd
    return {
        "requests": found.requests,
        "cost_usd": None if is_unknown else f"{found.cost_usd:f}",
        "costs_without_price": found.unpriced,
    }
