"""Compute the cost of tokens, in ``Decimal`` throughout: money is never a float.

A price component is one field of ``UnitPrice``. Prices are stored as the whole value, so that a
new component needs no new column.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum

import msgspec

EXACT = Context(prec=100)  # enough digits that no product or sum of counts and prices is rounded
MAX_USD = Decimal(10**9)  # of one model in one batch: a higher cost is an error of its tokens
MAX_TOKENS = 2**63 - 1  # of a column, so of any sum that was stored


class TokenRates(msgspec.Struct, frozen=True, omit_defaults=True):
    """USD per million tokens, by the kind of token.

    Cached tokens are part of the input: ``cached_read`` is the price of those read from the
    provider's cache, ``write_*`` of those written to it for a lifetime. None means that the
    provider has no such price, and bills these tokens as other input.
    """

    input: Decimal
    output: Decimal
    cached_read: Decimal | None = None
    write_5m: Decimal | None = None
    write_1h: Decimal | None = None
    write_24h: Decimal | None = None


# Of a price that has no prices of cached tokens, or none any more.
NOT_CACHED = dict.fromkeys(("cached_read", "write_5m", "write_1h", "write_24h"))


class Tier(TokenRates, frozen=True, kw_only=True):
    """The rates of all tokens of a request with more than ``above`` input tokens."""

    above: int


class UnitPrice(TokenRates, frozen=True, kw_only=True):
    """The price of one model in one completion window.

    ``min_prefix_tokens`` is the shortest prefix that the provider caches. A batch that it creates
    at ``cached_until`` or later pays cached tokens like other input. ``per_request`` is in
    USD for each answered request. ``tiers`` are in ascending order. ``row`` is the id of the
    stored price, which may be deleted by now, in force from ``since``.
    """

    min_prefix_tokens: int | None = None
    cached_until: datetime | None = None
    per_request: Decimal | None = None
    tiers: tuple[Tier, ...] = ()
    row: int | None = None
    since: datetime | None = None

    @property
    def has_cache_prices(self) -> bool:
        """Return True if cached tokens have a price of their own."""
        return any(
            rate is not None
            for rate in (self.cached_read, self.write_5m, self.write_1h, self.write_24h)
        )

    @property
    def is_possible(self) -> bool:
        """Return True if all amounts are finite and not negative, and the tiers in order."""
        amounts = [
            value
            for rates in (self, *self.tiers)
            for value in msgspec.structs.astuple(rates)
            if isinstance(value, Decimal)
        ]
        bounds = [tier.above for tier in self.tiers]
        return (
            all(amount.is_finite() and amount >= 0 for amount in amounts)
            and bounds == sorted(set(bounds))
            and min([self.min_prefix_tokens or 0, *bounds]) >= 0
        )

    def at(self, moment: datetime | None) -> "UnitPrice":
        """Return the price of a batch that the provider creates at ``moment``; None is earlier."""
        if self.cached_until is None or moment is None or moment < self.cached_until:
            return self
        tiers = tuple(msgspec.structs.replace(tier, **NOT_CACHED) for tier in self.tiers)
        return msgspec.structs.replace(
            self, **NOT_CACHED, tiers=tiers, min_prefix_tokens=None, cached_until=None
        )

    def without_origin(self) -> "UnitPrice":
        """Return the price without ``row`` and ``since``, for comparison with other prices."""
        return msgspec.structs.replace(self, row=None, since=None)

    def rates(self, input_tokens: int, requests: int = 1) -> TokenRates:
        """Return the rates of ``requests`` that have ``input_tokens`` together.

        The mean decides about the tier. So the rates are exact for one request, and for several
        requests of one tier.
        """
        reached = [tier for tier in self.tiers if input_tokens > tier.above * max(requests, 1)]
        return reached[-1] if reached else self


class Usage(msgspec.Struct, frozen=True):
    """Tokens of answered requests.

    ``input_tokens`` contain ``cached_tokens``, those read from the provider's cache, and
    ``written_*``, those written to it for that lifetime.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    written_5m: int = 0
    written_1h: int = 0
    written_24h: int = 0

    @property
    def uncached_tokens(self) -> int:
        """Return the input tokens that were neither read from nor written to a cache."""
        written = self.written_5m + self.written_1h + self.written_24h
        return self.input_tokens - self.cached_tokens - written

    @property
    def counts(self) -> tuple[int, ...]:
        """Return all counts, in the order of the fields."""
        counts: tuple[int, ...] = msgspec.structs.astuple(self)
        return counts

    def problem(self) -> "UsageProblem | None":
        """Return why these counts cannot be true, or None."""
        counts = self.counts
        if min(counts) < 0:
            return UsageProblem.NEGATIVE
        if max(counts) > MAX_TOKENS:
            return UsageProblem.TOO_LARGE
        return UsageProblem.CACHED_EXCEEDS_INPUT if self.uncached_tokens < 0 else None


class UsageProblem(StrEnum):
    """The reasons for which the cost of a usage is unknown, as sentences."""

    NEGATIVE = "A count of tokens is negative, so the cost is unknown."
    TOO_LARGE = "A count of tokens is too large to be true, so the cost is unknown."
    CACHED_EXCEEDS_INPUT = "More tokens are cached than were sent, so the cost is unknown."


def cost(usage: Usage, price: UnitPrice) -> Decimal | None:
    """Return the cost in USD, exact; round a cost only where it is stored or shown.

    Add up the costs of each tier where ``price`` has tiers, see ``UnitPrice.rates``. None means
    unknown: ``usage`` cannot be true, or costs more than ``MAX_USD``.

    Source: the provider bills each answered request by these terms, at the price of the time when
    the batch was created.
    """
    if usage.problem():
        return None
    rates = price.rates(usage.input_tokens, usage.requests)
    per_million = [
        (usage.uncached_tokens, rates.input),
        (usage.cached_tokens, _or_input(rates.cached_read, rates)),
        (usage.written_5m, _or_input(rates.write_5m, rates)),
        (usage.written_1h, _or_input(rates.write_1h, rates)),
        (usage.written_24h, _or_input(rates.write_24h, rates)),
        (usage.output_tokens, rates.output),
    ]
    tokens = EXACT.scaleb(_sum(_times(count, rate) for count, rate in per_million), -6)
    amount = EXACT.add(tokens, _times(usage.requests, price.per_request or Decimal(0)))
    return amount if amount <= MAX_USD else None


def _or_input(rate: Decimal | None, rates: TokenRates) -> Decimal:
    return rates.input if rate is None else rate


def _times(count: int, amount: Decimal) -> Decimal:
    return EXACT.multiply(Decimal(count), amount)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def output_tokens(amount: Decimal, sent: Usage, price: UnitPrice) -> int | None:
    """Return the nearest output tokens for which ``amount`` was billed beside ``sent``.

    None if the output is free, or if the cost of ``sent``, a usage without output, is unknown.
    """
    input_cost = cost(sent, price)
    if input_cost is None:
        return None
    output_cost = EXACT.subtract(amount, input_cost)
    output_price = price.rates(sent.input_tokens, sent.requests).output
    if not output_price:
        return None if output_cost else 0
    return int((EXACT.scaleb(output_cost, 6) / output_price).to_integral_value())


def total(amounts: list[Decimal | None]) -> Decimal | None:
    """Return the exact sum of the ``amounts`` that are known; None, not zero, if none is known."""
    known = [amount for amount in amounts if amount is not None]
    return _sum(known) if known else None
