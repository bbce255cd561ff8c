"""Estimate the cost of a batch before any money is spent."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from batchapp.domain.money.cache_forecast import (
    bounds_of_markers,
    forecast_markers,
    requests_to_send_first,
)
from batchapp.domain.money.calibration import NO_HISTORY, NO_OUTPUT, History, HistorySource
from batchapp.domain.money.concurrency import Concurrency
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost, total
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.check_file import ModelFacts

LEAST_GAIN = Decimal("0.01")  # of the cost: less is not worth the waiting for the first requests


class ModelEstimate(msgspec.Struct, frozen=True):
    """The estimate of one model in a file; ``basis`` is the source of its output in words.

    ``output_low`` ≤ ``output_expected`` ≤ ``output_high`` ≤ ``output_ceiling``, in tokens. In a
    file that was checked long ago, without history, the high output is None. The ceiling is None
    if a request sets no ``max_tokens``. Amounts in USD are None without a price, or without their
    tokens. Those of a file with markers of cached prompts contain what the markers do, as far as
    the price tells: ``concurrency`` requests are expected at once, all prompts may be read at
    least, and all written at most. ``unmarked_usd`` is the expected cost without markers.

    If ``sent_first`` requests were sent before the others, these would read all prompts, and
    ``sent_first_usd`` be expected instead of ``usual_usd``; 0 and None if that saves too little.

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
    unmarked_usd: Decimal | None
    concurrency: Concurrency
    has_cached_prompts: bool
    sent_first: int = 0
    sent_first_usd: Decimal | None = None
    usual_usd: Decimal | None = None


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
    unmarked_usd: Decimal | None
    unpriced: list[str]
    sends_first: bool = False

    @property
    def sent_first(self) -> int:
        """Return how many requests to send before the others; 0 if that saves too little.

        In a file for several models, the first requests to one of them may stand anywhere.
        """
        return self.models[0].sent_first if len(self.models) == 1 else 0

    @property
    def sent_first_usd(self) -> Decimal | None:
        """Return the expected cost with these requests sent first; None if that saves nothing."""
        return self.models[0].sent_first_usd if self.sent_first else None

    @property
    def usual_usd(self) -> Decimal | None:
        """Return the expected cost with all requests sent at once; None for several models."""
        return self.models[0].usual_usd if len(self.models) == 1 else None

    def sending_first(self) -> "Estimate":
        """Return the estimate of an order that sends ``sent_first`` requests before the others."""
        if not self.sent_first:
            return self
        [model] = self.models
        model = msgspec.structs.replace(model, expected_usd=model.sent_first_usd)
        return msgspec.structs.replace(
            self, models=[model], expected_usd=model.expected_usd, sends_first=True
        )

    @property
    def is_complete(self) -> bool:
        """Return True if every model has a price, so that the amounts cover the whole file."""
        return not self.unpriced

    @property
    def is_exact(self) -> bool:
        """Return True if the input tokens of all models are the ones that their servers count."""
        return all(model.exact for model in self.models)

    @property
    def cache_basis(self) -> str:
        """Say how many requests at once the costs of cached prompts stand for; "" without any."""
        rows = [model for model in self.models if model.has_cached_prompts]
        bases = {row.concurrency.basis: row.model for row in rows}
        if len(bases) < 2:
            return next(iter(bases), "")
        return "; ".join(f"{row.model} {row.concurrency.basis}" for row in rows)


def estimate(
    models: Mapping[str, ModelFacts],
    prices: Mapping[str, UnitPrice],
    window: str,
    histories: Mapping[str, History] | None = None,
    *,
    prompts: Mapping[str, PromptFacts] | None = None,
    concurrency: Mapping[str, Concurrency] | None = None,
) -> Estimate:
    """Price ``models`` at the ``prices`` of ``window``; all mappings are by model name."""
    histories, prompts, concurrency = histories or {}, prompts or {}, concurrency or {}
    estimates = [
        _estimate_model(
            model,
            facts,
            _Pricing(prices.get(model), prompts.get(model), concurrency.get(model)),
            histories.get(model),
        )
        for model, facts in models.items()
    ]
    return Estimate(
        window=window,
        models=estimates,
        low_usd=total([model.low_usd for model in estimates]),
        expected_usd=total([model.expected_usd for model in estimates]),
        high_usd=_all_or_none([model.high_usd for model in estimates]),
        ceiling_usd=_all_or_none([model.ceiling_usd for model in estimates]),
        unmarked_usd=total([model.unmarked_usd for model in estimates]),
        unpriced=[model.model for model in estimates if model.price is None],
    )


def _all_or_none(amounts: list[Decimal | None]) -> Decimal | None:
    return None if None in amounts else total(amounts)


class _Pricing:
    """The costs of a model's requests, with what markers of cached prompts do to them."""

    def __init__(
        self,
        price: UnitPrice | None,
        prompts: PromptFacts | None,
        concurrency: Concurrency | None,
    ) -> None:
        self.price, self.concurrency = price, concurrency or Concurrency()
        is_cached = price is not None and price.has_cache_prices
        self._prompts = prompts if prompts and prompts.marked and is_cached else None

    def plain(self, usage: Usage) -> Decimal | None:
        return cost(usage, self.price) if self.price else None

    def expected(self, usage: Usage) -> Decimal | None:
        if self.price is None or self._prompts is None:
            return self.plain(usage)
        requests = self.concurrency.requests
        return cost(forecast_markers(self._prompts, usage, self.price, requests), self.price)

    def sending_first(self, usage: Usage) -> tuple[int, Decimal | None]:
        """Return how many requests to send first, and the cost then; 0 if it saves too little."""
        if self.price is None or self._prompts is None:
            return 0, None
        number = requests_to_send_first(self._prompts, self.price)
        if not 0 < number < usage.requests:
            return 0, None
        at_once = self.concurrency.requests
        cached = forecast_markers(self._prompts, usage, self.price, at_once, number)
        usual, amount = self.expected(usage), cost(cached, self.price)
        if not usual or amount is None or amount > usual * (1 - LEAST_GAIN):
            return 0, None
        return number, amount

    def bounds(self, usage: Usage) -> tuple[Decimal | None, Decimal | None]:
        """Return the least and the most that ``usage`` may cost.

        The provider may also ignore all markers, as it does while its cache is off.
        """
        amounts = [self.plain(usage)]
        if self.price and self._prompts:
            cached = bounds_of_markers(self._prompts, usage, self.price)
            amounts += [cost(row, self.price) for row in cached]
        known = [amount for amount in amounts if amount is not None]
        return (min(known), max(known)) if len(known) == len(amounts) else (None, None)

    def has_cached_prompts(self, usage: Usage) -> bool:
        """Return True if a marker of the file is expected to change the tokens that are billed."""
        if self.price is None or self._prompts is None:
            return False
        requests = self.concurrency.requests
        return forecast_markers(self._prompts, usage, self.price, requests) != usage


def _estimate_model(
    model: str, facts: ModelFacts, pricing: _Pricing, history: History | None
) -> ModelEstimate:
    ceiling = None if facts.unbounded_requests else facts.max_output_tokens
    history = _useful(history, facts)
    low, expected, high = _output(facts, history, ceiling)

    def usage(output: int) -> Usage:
        return Usage(facts.requests, facts.input_tokens, output)

    sent_first, sent_first_usd = pricing.sending_first(usage(expected))
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
        price=pricing.price,
        low_usd=pricing.bounds(usage(low))[0],
        expected_usd=pricing.expected(usage(expected)),
        high_usd=None if high is None else pricing.bounds(usage(high))[1],
        ceiling_usd=None if ceiling is None else pricing.bounds(usage(ceiling))[1],
        unmarked_usd=pricing.plain(usage(expected)),
        concurrency=pricing.concurrency,
        has_cached_prompts=pricing.has_cached_prompts(usage(expected)),
        sent_first=sent_first,
        sent_first_usd=sent_first_usd,
        usual_usd=pricing.expected(usage(expected)),
    )


def _useful(history: History | None, facts: ModelFacts) -> History | None:
    """Return ``history``, unless requests that name the length of their answers know better.

    Answers to other prompts of the same model say less than these; answers to prompts of the same
    shape say more.
    """
    if history and facts.says_length and history.source is not HistorySource.SHAPE:
        return None
    return history


def _output(
    facts: ModelFacts, history: History | None, ceiling: int | None
) -> tuple[int, int, int | None]:
    """Return the low, expected and high output tokens, none above the ceiling."""
    if facts.embeddings:
        return 0, 0, 0
    high: int | None
    if history is None:
        low, expected = facts.expected_low_tokens, facts.expected_output_tokens
        high = facts.expected_high_tokens
    else:
        low, expected, high = history.tokens(facts.requests)
    if ceiling is None:
        return low, expected, high
    return min(low, ceiling), min(expected, ceiling), None if high is None else min(high, ceiling)


def _basis(facts: ModelFacts, history: History | None) -> str:
    if facts.embeddings:
        return NO_OUTPUT
    return history.basis if history else facts.output_basis or NO_HISTORY
