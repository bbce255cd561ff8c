from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.calibration import NO_HISTORY, HistorySource, Run, learn_history
from batchapp.domain.money.estimate import Estimate, estimate
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts

PRICE = UnitPrice(input=Decimal("0.05"), output=Decimal("0.20"))
BOUNDED = ModelFacts(
    requests=10,
    input_tokens=1_000_000,
    expected_output_tokens=500_000,
    max_output_tokens=2_000_000,
)
UNBOUNDED = ModelFacts(
    requests=1, input_tokens=1_000_000, expected_output_tokens=1_100_000, unbounded_requests=1
)
EMBEDDINGS = ModelFacts(requests=5, input_tokens=3_000_000, embeddings=True)


PRICES = st.decimals(min_value=0, max_value=1_000, places=8)


def test_a_priced_model_has_a_range():
    result = estimate({"m": BOUNDED}, {"m": PRICE}, "24h")

    assert result.window == "24h"
    assert result.low_usd == Decimal("0.05")
    assert result.expected_usd == Decimal("0.15")
    assert result.ceiling_usd == Decimal("0.45")
    assert result.is_complete


def test_the_range_without_history_is_that_of_the_answers_that_are_asked_for():
    facts = ModelFacts(
        requests=10,
        input_tokens=1_000_000,
        expected_low_tokens=100_000,
        expected_output_tokens=500_000,
        expected_high_tokens=3_000_000,
        max_output_tokens=2_000_000,
        output_basis="from the answers",
    )

    [asked] = estimate({"m": facts}, {"m": PRICE}, "24h").models
    [old] = estimate({"m": BOUNDED}, {"m": PRICE}, "24h").models

    assert (asked.output_low, asked.output_expected) == (100_000, 500_000)
    assert asked.output_high == 2_000_000
    assert (asked.low_usd, asked.high_usd) == (Decimal("0.07"), Decimal("0.45"))
    assert asked.basis == "from the answers"
    assert (old.output_low, old.output_high, old.basis) == (0, None, NO_HISTORY)


def test_requests_that_name_a_length_know_better_than_other_prompts_but_not_than_their_own():
    facts = msgspec.structs.replace(
        BOUNDED, expected_output_tokens=20, output_basis="from the answers", says_length=True
    )

    def basis(source, facts=facts):
        history = learn_history(source, [Run(10, 1_000)])
        [model] = estimate({"m": facts}, {"m": PRICE}, "24h", {"m": history}).models
        return model.basis

    assert basis(HistorySource.PROJECT) == "from the answers"
    assert basis(HistorySource.SHAPE) == "from 1 past run, 10 requests"
    unsure = msgspec.structs.replace(facts, says_length=False)
    assert "other prompts" in basis(HistorySource.PROJECT, unsure)


def test_without_a_limit_there_is_no_ceiling():
    result = estimate({"a": BOUNDED, "b": UNBOUNDED}, {"a": PRICE, "b": PRICE}, "24h")

    assert [model.output_ceiling for model in result.models] == [2_000_000, None]
    assert [model.ceiling_usd for model in result.models] == [Decimal("0.45"), None]
    assert result.ceiling_usd is None
    assert result.expected_usd == Decimal("0.15") + Decimal("0.27")


def test_a_model_without_price_is_named_and_never_free():
    result = estimate({"a": BOUNDED, "b": BOUNDED}, {"a": PRICE}, "24h")

    assert result.unpriced == ["b"]
    assert result.expected_usd == Decimal("0.15")
    assert result.ceiling_usd is None
    assert result.models[1].price is None
    assert result.models[1].expected_usd is None


def test_without_any_price_there_is_no_amount():
    for models in ({"a": BOUNDED, "b": EMBEDDINGS}, {}):
        result = estimate(models, {}, "24h")

        assert result.expected_usd is result.low_usd is result.ceiling_usd is None


def test_a_price_of_zero_is_a_price():
    result = estimate({"a": BOUNDED}, {"a": UnitPrice(Decimal(0), Decimal(0))}, "24h")

    assert result.unpriced == []
    assert result.expected_usd == 0


def test_embeddings_cost_their_input_alone():
    result = estimate({"e": EMBEDDINGS}, {"e": PRICE}, "24h")

    assert result.low_usd == result.expected_usd == result.ceiling_usd == Decimal("0.15")


FACTS = st.builds(
    lambda requests, sent, expected, slack, unbounded: ModelFacts(
        requests=requests,
        input_tokens=sent,
        expected_output_tokens=expected,
        max_output_tokens=expected + slack,
        unbounded_requests=unbounded,
    ),
    *(st.integers(0, 10**12) for _ in range(4)),
    st.integers(0, 1),
)


@given(
    st.dictionaries(st.sampled_from("abc"), FACTS),
    st.dictionaries(st.sampled_from("abc"), st.builds(UnitPrice, PRICES, PRICES)),
)
def test_the_file_costs_the_sum_of_its_models_and_the_range_is_in_order(models, prices):
    result = estimate(models, prices, "1h")

    known = [model.expected_usd for model in result.models if model.expected_usd is not None]
    assert result.expected_usd == (sum(known) if known else None)
    if result.ceiling_usd is not None:
        assert result.low_usd <= result.expected_usd <= result.ceiling_usd
    assert set(result.unpriced) == models.keys() - prices.keys()


def test_an_estimate_survives_its_way_through_json():
    result = estimate({"a": BOUNDED, "b": UNBOUNDED}, {"a": PRICE}, "24h")

    assert msgspec.json.decode(msgspec.json.encode(result), type=Estimate) == result
