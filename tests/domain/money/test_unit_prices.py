from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.unit_prices import (
    MAX_TOKENS,
    MAX_USD,
    Tier,
    UnitPrice,
    Usage,
    UsageProblem,
    cost,
    output_tokens,
)

PRICE = UnitPrice(input=Decimal("0.05"), output=Decimal("0.20"))
CACHED = UnitPrice(
    input=Decimal("0.05"),
    output=Decimal("0.20"),
    cached_read=Decimal("0.005"),
    write_5m=Decimal("0.0625"),
    write_1h=Decimal("0.1"),
    write_24h=Decimal("0.125"),
    min_prefix_tokens=1024,
)
TIERED = UnitPrice(
    Decimal(2),
    Decimal(10),
    tiers=(
        Tier(Decimal(4), Decimal(15), cached_read=Decimal("0.4"), above=272_000),
        Tier(Decimal(8), Decimal(30), above=500_000),
    ),
)

RATES = st.decimals(min_value=0, max_value=1_000, places=8)
PRICES = st.builds(
    UnitPrice,
    RATES,
    RATES,
    **{
        name: st.none() | RATES
        for name in ("cached_read", "write_5m", "write_1h", "write_24h", "per_request")
    },
)
COUNTS = st.integers(0, 10**10)
USAGES = st.builds(
    lambda requests, uncached, output, read, *written: Usage(
        requests, uncached + read + sum(written), output, read, *written
    ),
    *[COUNTS.filter(lambda count: count < 10**5), *[COUNTS] * 6],
)


def test_cost_is_tokens_times_price_per_million():
    assert cost(Usage(1, 1_000_000, 500_000), PRICE) == Decimal("0.15")
    assert cost(Usage(1, 1, 0), PRICE) == Decimal("0.00000005")
    assert cost(Usage(), PRICE) == 0


@given(USAGES, PRICES)
def test_the_cost_of_any_mix_is_that_of_the_formula(usage: Usage, price: UnitPrice) -> None:
    list_price = Fraction(price.input)
    reads = list_price if price.cached_read is None else Fraction(price.cached_read)
    writes = [
        list_price if rate is None else Fraction(rate)
        for rate in (price.write_5m, price.write_1h, price.write_24h)
    ]
    written = (usage.written_5m, usage.written_1h, usage.written_24h)
    uncached = usage.input_tokens - usage.cached_tokens - sum(written)
    exact = uncached * list_price + usage.cached_tokens * reads
    exact += sum(count * rate for count, rate in zip(written, writes, strict=True))
    exact += usage.output_tokens * Fraction(price.output)
    exact = exact / 1_000_000 + usage.requests * Fraction(price.per_request or 0)

    amount = cost(usage, price)

    assert amount is not None
    assert Fraction(amount) == exact


@given(st.lists(USAGES, max_size=5), PRICES)
def test_rows_cost_together_what_their_sum_costs(usages: list[Usage], price: UnitPrice) -> None:
    columns = zip(*map(msgspec.structs.astuple, usages), strict=True)

    whole = cost(Usage(*map(sum, columns)), price)

    assert whole == sum((cost(usage, price) or 0 for usage in usages), Decimal(0))


def test_cached_tokens_without_a_price_of_their_own_cost_as_much_as_others():
    usage = Usage(1, 10_000, 0, 5_000, 1_000, 1_000, 1_000)

    assert cost(usage, PRICE) == cost(Usage(1, 10_000), PRICE)
    assert not PRICE.has_cache_prices


def test_a_request_in_a_tier_pays_its_rates_for_all_tokens():
    assert cost(Usage(1, 272_000, 1_000), TIERED) == Decimal("0.554")
    assert cost(Usage(1, 272_001, 1_000, 100_000), TIERED) == Decimal("0.743004")
    assert cost(Usage(1, 600_000, 0), TIERED) == Decimal("4.8")
    assert cost(Usage(3, 3 * 272_000, 0), TIERED) == Decimal("1.632")


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        (Usage(1, -5, 10), UsageProblem.NEGATIVE),
        (Usage(1, 10, -1), UsageProblem.NEGATIVE),
        (Usage(1, 100, 10, 101), UsageProblem.CACHED_EXCEEDS_INPUT),
        (Usage(1, 100, 10, 60, 20, 20, 1), UsageProblem.CACHED_EXCEEDS_INPUT),
        (Usage(1, MAX_TOKENS + 1, 10), UsageProblem.TOO_LARGE),
    ],
)
def test_the_cost_of_a_usage_that_cannot_be_true_is_unknown(
    usage: Usage, problem: UsageProblem
) -> None:
    assert usage.problem() == problem
    assert cost(usage, CACHED) is None
    assert output_tokens(Decimal(1), usage, CACHED) is None


def test_a_cost_beyond_all_reason_is_unknown():
    dollar = UnitPrice(Decimal(1), Decimal(0))
    tokens = int(MAX_USD) * 1_000_000

    assert cost(Usage(1, tokens), dollar) == MAX_USD
    assert cost(Usage(1, tokens + 1), dollar) is None


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_output_tokens_follow_from_an_amount(sent: int, received: int) -> None:
    for price in (CACHED, TIERED):
        amount = cost(Usage(7, sent, received), price)

        assert amount is not None
        assert output_tokens(amount, Usage(7, sent), price) == received


def test_the_output_of_a_free_model_is_unknown_unless_nothing_is_left_to_explain():
    free = UnitPrice(Decimal(1), Decimal(0))

    assert output_tokens(Decimal(1), Usage(1, 1_000_000), free) == 0
    assert output_tokens(Decimal(2), Usage(1, 1_000_000), free) is None


@given(PRICES)
def test_a_price_keeps_every_digit_as_json(price: UnitPrice) -> None:
    again = msgspec.convert(msgspec.to_builtins(price), UnitPrice)

    assert again == price
    assert str(again) == str(price)


def test_a_price_with_tiers_survives_json():
    assert msgspec.json.decode(msgspec.json.encode(TIERED), type=UnitPrice) == TIERED


def test_cached_tokens_cost_like_other_input_from_the_end_of_their_prices_on() -> None:
    end = datetime(2026, 12, 1, tzinfo=UTC)
    cached = {"cached_read": Decimal("0.1"), "write_5m": Decimal("1.25")}
    tier = Tier(Decimal(4), Decimal(8), above=1_000, **cached)
    price = UnitPrice(
        Decimal(2), Decimal(4), **cached, min_prefix_tokens=512, tiers=(tier,), cached_until=end
    )
    plain = UnitPrice(Decimal(2), Decimal(4), tiers=(Tier(Decimal(4), Decimal(8), above=1_000),))

    assert price.at(None) == price.at(end - timedelta(seconds=1)) == price
    assert price.at(end) == price.at(end + timedelta(days=1)) == plain
    assert plain.at(end) == plain
