"""What a batch may cost, computed before any money is spent."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from batchapp.domain.jsonl import ModelFacts
from batchapp.domain.pricing import UnitPrice, cost, total

__all__ = ["Estimate", "ModelEstimate", "UnitPrice", "cost", "estimate"]


class ModelEstimate(msgspec.Struct, frozen=True):
    """One model's share of a file.

    ``output_ceiling`` is None when a request sets no ``max_tokens``; amounts in USD are None
    without a price, and ``ceiling_usd`` also without an ``output_ceiling``.
    """

    model: str
    requests: int
    input_tokens: int
    output_expected: int
    output_ceiling: int | None
    unbounded_requests: int
    price: UnitPrice | None
    low_usd: Decimal | None
    expected_usd: Decimal | None
    ceiling_usd: Decimal | None


class Estimate(msgspec.Struct, frozen=True):
    """USD for one completion window.

    ``low_usd`` pays for the input alone. ``low_usd`` and ``expected_usd`` add up the priced
    models and are None, not zero, when there is none; ``unpriced`` names the others.
    ``ceiling_usd`` is None as soon as one model has no price or no ceiling.
    """

    window: str
    models: list[ModelEstimate]
    low_usd: Decimal | None
    expected_usd: Decimal | None
    ceiling_usd: Decimal | None
    unpriced: list[str]

    @property
    def is_complete(self) -> bool:
        """Whether every model has a price, so that the amounts are the file's and not a part's."""
        return not self.unpriced


def estimate(
    models: Mapping[str, ModelFacts], prices: Mapping[str, UnitPrice], window: str
) -> Estimate:
    """Price ``models`` at the ``prices`` of ``window``, both by model name."""
    parts = [_of_model(model, facts, prices.get(model)) for model, facts in models.items()]
    ceilings = [part.ceiling_usd for part in parts]
    return Estimate(
        window=window,
        models=parts,
        low_usd=total([part.low_usd for part in parts]),
        expected_usd=total([part.expected_usd for part in parts]),
        ceiling_usd=None if None in ceilings else total(ceilings),
        unpriced=[part.model for part in parts if part.price is None],
    )


def _of_model(model: str, facts: ModelFacts, price: UnitPrice | None) -> ModelEstimate:
    sent, expected = facts.input_tokens, facts.expected_output_tokens
    ceiling = None if facts.unbounded_requests else facts.max_output_tokens
    return ModelEstimate(
        model=model,
        requests=facts.requests,
        input_tokens=sent,
        output_expected=expected,
        output_ceiling=ceiling,
        unbounded_requests=facts.unbounded_requests,
        price=price,
        low_usd=cost(sent, 0, price) if price else None,
        expected_usd=cost(sent, expected, price) if price else None,
        ceiling_usd=cost(sent, ceiling, price) if price and ceiling is not None else None,
    )
