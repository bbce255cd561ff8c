from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.calibration import (
    NO_HISTORY,
    History,
    HistorySource,
    Run,
    learn_history,
)
from batchapp.domain.money.estimate import estimate
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts

PRICE = UnitPrice(input=Decimal(1), output=Decimal(2))

RUNS = st.builds(Run, st.integers(1, 10**6), st.integers(0, 10**10))
HISTORIES = st.builds(
    learn_history, st.sampled_from(HistorySource), st.lists(RUNS, min_size=1, max_size=60)
)


def history(*runs: tuple[int, int], source: HistorySource = HistorySource.SHAPE) -> History:
    learnt = learn_history(source, [Run(answers, tokens) for answers, tokens in runs])
    assert learnt
    return learnt


def test_without_runs_nothing_is_learnt():
    assert learn_history(HistorySource.SHAPE, []) is None


def test_one_run_gives_an_expectation_with_a_margin():
    learnt = history((10_000, 500_000))

    assert learnt.expected == 50
    assert learnt.low == 50 * (1 - Decimal("0.26"))
    assert learnt.high == 50 * (1 + Decimal("0.26"))


def test_a_few_answers_say_less_than_many():
    few, many = history((4, 200)), history((40_000, 2_000_000))

    assert few.expected == many.expected == 50
    assert few.low < many.low
    assert few.high > many.high


def test_the_range_is_that_of_the_runs_once_there_are_many():
    learnt = history(*((10_000, 10_000 * rate) for rate in range(1, 102)))

    assert (learnt.low, learnt.expected, learnt.high) == (11, 51, 91)


def test_the_middle_of_two_equal_runs_is_between_them():
    assert history((100, 1_000), (100, 100_000)).expected == 505
    assert history((100, 1_000), (101, 101_000)).expected == 1_000


def test_a_large_run_of_the_project_weighs_more_than_a_small_one():
    assert history((10, 10_000), (990, 99_000)).expected == 100
    runs = (10, 10_000), (10, 9_000), (990, 99_000)
    assert history(*runs, source=HistorySource.PORTAL).expected == 900


@pytest.mark.parametrize(
    ("source", "basis"),
    [
        (HistorySource.SHAPE, "from 2 past runs, 1,018 requests"),
        (
            HistorySource.PROJECT,
            "from 2 past runs of this model with other prompts, 1,018 requests",
        ),
        (HistorySource.PERSON, "from 2 batches of this model that the same person ran elsewhere"),
        (HistorySource.PORTAL, "from 2 batches of this model on this portal"),
    ],
)
def test_the_source_is_named_in_words(source: HistorySource, basis: str):
    assert history((1_000, 5), (18, 5), source=source).basis == basis


def test_one_run_of_one_request_is_named_in_the_singular():
    assert history((1, 5)).basis == "from 1 past run, 1 request"


@given(HISTORIES)
def test_a_history_is_in_order_and_decimal(learnt):
    assert 0 <= learnt.low <= learnt.expected <= learnt.high
    assert all(type(rate) is Decimal for rate in (learnt.low, learnt.expected, learnt.high))


@given(HISTORIES, st.integers(0, 10**6), st.integers(0, 10**6))
def test_more_requests_never_have_fewer_tokens(learnt, requests, more):
    fewer_tokens, more_tokens = learnt.tokens(requests), learnt.tokens(requests + more)

    assert all(less <= other for less, other in zip(fewer_tokens, more_tokens, strict=True))


@given(st.lists(RUNS, min_size=1, max_size=20), st.integers(1, 9))
def test_longer_answers_are_expected_to_be_longer(runs, factor):
    longer = [Run(run.answers, factor * run.output_tokens) for run in runs]

    before, after = (
        learn_history(HistorySource.SHAPE, runs),
        learn_history(HistorySource.SHAPE, longer),
    )

    assert before
    assert after
    assert (before.low, before.expected, before.high) <= (after.low, after.expected, after.high)


FACTS = st.builds(
    lambda requests, sent, expected, slack, unbounded, embeddings: ModelFacts(
        requests=requests,
        input_tokens=sent,
        expected_output_tokens=expected,
        max_output_tokens=expected + slack,
        unbounded_requests=unbounded,
        embeddings=embeddings,
    ),
    *(st.integers(0, 10**9) for _ in range(4)),
    st.integers(0, 1),
    st.booleans(),
)


@given(FACTS, st.none() | HISTORIES)
def test_an_estimate_is_in_order_whatever_was_learnt(facts, learnt):
    histories = {"m": learnt} if learnt else {}

    result = estimate({"m": facts}, {"m": PRICE}, "24h", histories)

    amounts = (result.low_usd, result.expected_usd, result.high_usd, result.ceiling_usd)
    known = [amount for amount in amounts if amount is not None]
    assert known == sorted(known)
    assert all(type(amount) is Decimal for amount in known)


def test_past_runs_replace_the_guess_and_the_limit_still_holds():
    facts = ModelFacts(requests=10, expected_output_tokens=900, max_output_tokens=1_000)
    learnt = {"m": history((10_000, 500_000))}
    beyond = {"m": history((10_000, 5_000_000))}

    (guessed,) = estimate({"m": facts}, {"m": PRICE}, "24h").models
    (learned,) = estimate({"m": facts}, {"m": PRICE}, "24h", learnt).models
    (limited,) = estimate({"m": facts}, {"m": PRICE}, "24h", beyond).models

    assert (guessed.output_low, guessed.output_expected, guessed.output_high) == (0, 900, None)
    assert guessed.basis == NO_HISTORY
    assert (learned.output_low, learned.output_expected, learned.output_high) == (370, 500, 630)
    assert learned.basis == "from 1 past run, 10,000 requests"
    assert (limited.output_expected, limited.output_high, limited.output_ceiling) == (1_000,) * 3


def test_without_a_limit_past_runs_still_give_a_likely_cost():
    facts = ModelFacts(requests=10, expected_output_tokens=900, unbounded_requests=1)

    result = estimate({"m": facts}, {"m": PRICE}, "24h", {"m": history((10_000, 500_000))})

    assert result.ceiling_usd is None
    assert result.high_usd == Decimal("0.00126")


def test_an_embedding_has_no_output_to_learn_about():
    facts = ModelFacts(requests=10, input_tokens=1_000_000, embeddings=True)

    result = estimate({"m": facts}, {"m": PRICE}, "24h", {"m": history((10, 500))})

    assert result.low_usd == result.expected_usd == result.ceiling_usd == 1
    assert result.models[0].basis == "embeddings have no output"
