"""Estimate the cost of a batch before any money is spent."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from batchapp.domain.money.calibration import NO_HISTORY, NO_OUTPUT, History
from batchapp.domain.money.unit_prices import UnitPrice, cost, total
from batchapp.domain.request_files.check_file import ModelFacts


class ModelEstimate(msgspec.Struct, frozen=True):
    """The estimate of one model in a file; ``basis`` is the source of its output in words.

    ``output_low`` ≤ ``output_expected`` ≤ ``output_high`` ≤ ``output_ceiling``, in tokens. Without
    history the low output is 0 and the high output None. The ceiling is None if a request sets no
    ``max_tokens``. Amounts in USD are None without a price, or without their tokens.

    ``exact`` is True if the input tokens are; they contain a guess for ``assumed_attachments``.
    """

    model: str
    requests: int
    input_tokens: int
    output_low: int
    output_expected: int
    output_high: int | None
    output_ceiling: int | None
    unbounded_requests: int
    exact: bool
    assumed_attachments: int
    basis: str
    has_history: bool
    price: UnitPrice | None
    low_usd: Decimal | None
    expected_usd: Decimal | None
    high_usd: Decimal | None
    ceiling_usd: Decimal | None


class Estimate(msgspec.Struct, frozen=True):
    """The estimate of a file in USD, for one completion window.

    ``low_usd`` and ``expected_usd`` add up the priced models, and are None, not zero, if no model
    has a price; ``unpriced`` has the models without a price. ``high_usd`` and ``ceiling_usd`` are
    None if one model has no such amount.
    """

    window: str
    models: list[ModelEstimate]
    low_usd: Decimal | None
    expected_usd: Decimal | None
    high_usd: Decimal | None
    ceiling_usd: Decimal | None
    unpriced: list[str]

    @property
    def is_complete(self) -> bool:
        """Return True if every model has a price, so that the amounts cover the whole file."""
        return not self.unpriced

    @property
    def is_exact(self) -> bool:
        """Return True if the input tokens of all models are the ones that their servers count."""
        return all(model.exact for model in self.models)


def estimate(
    models: Mapping[str, ModelFacts],
    prices: Mapping[str, UnitPrice],
    window: str,
    histories: Mapping[str, History] | None = None,
) -> Estimate:
    """Price ``models`` at the ``prices`` of ``window``; all mappings are by model name."""
    histories = histories or {}
    estimates = [
        _estimate_model(model, facts, prices.get(model), histories.get(model))
        for model, facts in models.items()
    ]
    return Estimate(
        window=window,
        models=estimates,
        low_usd=total([model.low_usd for model in estimates]),
        expected_usd=total([model.expected_usd for model in estimates]),
        high_usd=_all_or_none([model.high_usd for model in estimates]),
        ceiling_usd=_all_or_none([model.ceiling_usd for model in estimates]),
        unpriced=[model.model for model in estimates if model.price is None],
    )


def _all_or_none(amounts: list[Decimal | None]) -> Decimal | None:
    return None if None in amounts else total(amounts)


def _estimate_model(
    model: str, facts: ModelFacts, price: UnitPrice | None, history: History | None
) -> ModelEstimate:
    ceiling = None if facts.unbounded_requests else facts.max_output_tokens
    low, expected, high = _output(facts, history, ceiling)

    def usd(output: int | None) -> Decimal | None:
        return None if price is None or output is None else cost(facts.input_tokens, output, price)

    return ModelEstimate(
        model=model,
        requests=facts.requests,
        input_tokens=facts.input_tokens,
        output_low=low,
        output_expected=expected,
        output_high=high,
        output_ceiling=ceiling,
        unbounded_requests=facts.unbounded_requests,
        exact=facts.exact,
        assumed_attachments=facts.assumed_attachments,
        basis=_basis(facts, history),
        has_history=history is not None and not facts.embeddings,
        price=price,
        low_usd=usd(low),
        expected_usd=usd(expected),
        high_usd=usd(high),
        ceiling_usd=usd(ceiling),
    )


def _output(
    facts: ModelFacts, history: History | None, ceiling: int | None
) -> tuple[int, int, int | None]:
    """Return the low, expected and high output tokens, none above the ceiling."""
    if facts.embeddings:
        return 0, 0, 0
    if history is None:
        return 0, facts.expected_output_tokens, None
    low, expected, high = history.tokens(facts.requests)
    if ceiling is None:
        return low, expected, high
    return min(low, ceiling), min(expected, ceiling), min(high, ceiling)


def _basis(facts: ModelFacts, history: History | None) -> str:
    if facts.embeddings:
        return NO_OUTPUT
    return history.basis if history else NO_HISTORY
