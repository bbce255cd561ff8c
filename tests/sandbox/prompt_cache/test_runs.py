"""The bills of batches with marked prompts, against those of the provider's server.

The shares of the list price were measured on control-layer 10.13 with the default multipliers: 200
requests, a system prompt of 2,000 tokens, 100 to 200 tokens of question, 27 of answer.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings, CacheTariff
from tests.sandbox.api_client import CHAT_MODEL
from tests.sandbox.prompt_cache.prompts import FIVE_MINUTES, HOUR, request, requests

CACHE = CacheSettings.for_models(CHAT_MODELS)


def share(analytics: dict) -> Decimal:
    return Decimal(analytics["total_cost"]) / Decimal(analytics["total_list_cost"])


def usages(api, analytics: dict) -> list[dict]:
    rows = api.rows(analytics["batch"]["output_file_id"])
    return [row["response"]["body"]["usage"] for row in rows]


def writers(api, analytics: dict) -> int:
    return sum(usage["cache_creation_input_tokens"] > 0 for usage in usages(api, analytics))


@pytest.mark.parametrize(
    ("markers", "concurrency", "measured"),
    [
        ({"system": FIVE_MINUTES}, 10, "0.306"),
        ({"system": FIVE_MINUTES}, 100, "0.73"),
        ({"system": HOUR}, 10, "0.337"),
        ({"body": FIVE_MINUTES}, 10, "1.22"),
        ({"question": FIVE_MINUTES}, 10, "1.22"),
        ({"system": FIVE_MINUTES, "question": FIVE_MINUTES}, 10, "0.325"),
        ({}, 10, "1.00"),
    ],
)
def test_a_shared_system_prompt_costs_what_it_costs_at_the_provider(
    sandbox_with, markers, concurrency, measured
):
    sandbox = sandbox_with(concurrency=concurrency)

    analytics = sandbox.run(sandbox.api(), requests(200, **markers))

    assert share(analytics) == pytest.approx(Decimal(measured), rel=Decimal("0.025"))


def test_a_second_batch_within_five_minutes_only_reads(sandbox_with):
    sandbox = sandbox_with()
    api, rows = sandbox.api(), requests(200, system=FIVE_MINUTES)
    sandbox.run(api, rows)

    second = sandbox.run(api, rows)
    sandbox.clock.advance(301)
    late = sandbox.run(api, rows)

    assert share(second) == pytest.approx(Decimal("0.259"), abs=Decimal("0.005"))
    assert (writers(api, second), writers(api, late)) == (0, 10)


def test_one_request_before_a_batch_removes_all_writes(sandbox_with):
    sandbox = sandbox_with()
    api = sandbox.api()
    sandbox.run(api, requests(1, system=FIVE_MINUTES))

    warm = sandbox.run(api, requests(200, system=FIVE_MINUTES))

    assert share(warm) == pytest.approx(Decimal("0.256"), abs=Decimal("0.005"))


def test_a_prefix_for_each_group_costs_more_in_order_and_less_in_turns(sandbox_with):
    sandbox = sandbox_with()
    groups = [
        [
            request(f"{n}-{m}", prefix=f"group {n}", number=10 * n + m, system=FIVE_MINUTES)
            for m in range(10)
        ]
        for n in range(20)
    ]
    turns = [row for rows in zip(*groups, strict=True) for row in rows]

    in_order = sandbox.run(sandbox.api("sk-a"), [row for rows in groups for row in rows])
    in_turns = sandbox.run(sandbox.api("sk-b"), turns)

    # Six of the 200 requests came late enough to read at the provider, where answers differ in
    # time; here all of a slice end together.
    assert share(in_order) == pytest.approx(Decimal("1.18"), rel=Decimal("0.035"))
    assert share(in_turns) == pytest.approx(Decimal("0.36"), rel=Decimal("0.035"))
    assert writers(sandbox.api("sk-b"), in_turns) == 20


def test_answers_slower_than_the_lifetime_all_pay_for_writing(sandbox_with):
    sandbox = sandbox_with(base_seconds=610.0)
    api = sandbox.api()

    minutes = sandbox.run(api, requests(14, system=FIVE_MINUTES))
    hour = sandbox.run(api, requests(14, system=HOUR))

    assert (writers(api, minutes), writers(api, hour)) == (14, 10)


def test_a_prompt_below_the_floor_is_billed_at_the_list_price(sandbox_with):
    tariff = CacheTariff(min_prefix_tokens=2001)
    sandbox = sandbox_with(cache=replace(CACHE, tariffs={CHAT_MODEL: (tariff,)}))

    analytics = sandbox.run(sandbox.api(), requests(12, system=FIVE_MINUTES))

    assert analytics["total_cost"] == analytics["total_list_cost"]


@pytest.mark.parametrize(("floor", "written"), [(2000, 2000), (2001, 0)])
def test_the_floor_itself_is_long_enough(sandbox_with, floor, written):
    tariff = CacheTariff(min_prefix_tokens=floor)
    sandbox = sandbox_with(cache=replace(CACHE, tariffs={CHAT_MODEL: (tariff,)}))
    api = sandbox.api()

    analytics = sandbox.run(api, requests(1, system=FIVE_MINUTES))

    assert usages(api, analytics)[0]["cache_creation_input_tokens"] == written


def test_the_bill_is_the_formula_to_the_last_digit(sandbox_with):
    tariff = CacheTariff(write_5m=Decimal("1.2345"), read=Decimal("0.0777"))
    sandbox = sandbox_with(cache=replace(CACHE, tariffs={CHAT_MODEL: (tariff,)}))
    api = sandbox.api()

    analytics = sandbox.run(api, requests(33, system=FIVE_MINUTES))

    price, output_price = Decimal("0.03"), Decimal("0.29")
    cost = Decimal(0)
    for usage in usages(api, analytics):
        read = usage["prompt_tokens_details"]["cached_tokens"]
        written = usage["cache_creation"]["ephemeral_5m_input_tokens"]
        plain = usage["prompt_tokens"] - read - written
        cost += price * (plain + Decimal("0.0777") * read + Decimal("1.2345") * written)
        cost += output_price * usage["completion_tokens"]
    assert Decimal(analytics["total_cost"]) == cost / 1_000_000
    ledger = api.http.get("/_sandbox/ledger").json()
    assert ledger["total"]["cost_usd"] == analytics["total_cost"]


def test_a_tariff_put_on_after_the_creation_shows_tokens_and_no_discount(sandbox_with):
    sandbox = sandbox_with(base_seconds=100.0)
    later = CacheTariff(valid_from=sandbox.clock() + 5)
    sandbox = sandbox_with(
        base_seconds=100.0, cache=replace(CACHE, tariffs={CHAT_MODEL: (later,)})
    )
    api = sandbox.api()

    analytics = sandbox.run(api, requests(30, system=FIVE_MINUTES))
    after = sandbox.run(api, requests(30, system=FIVE_MINUTES))

    fields = ["cache_creation" in usage for usage in usages(api, analytics)]
    assert (fields.count(True), fields.count(False)) == (20, 10)
    assert writers(api, analytics | {}) if all(fields) else True
    assert analytics["total_cost"] == analytics["total_list_cost"]
    assert share(after) < 1


def test_the_prices_of_the_creation_stay_when_the_tariff_ends(sandbox_with):
    sandbox = sandbox_with()
    ending = CacheTariff(valid_until=sandbox.clock() + 1, read=Decimal("0.5"))
    dearer = CacheTariff(valid_from=sandbox.clock() + 1, read=Decimal(3))
    sandbox = sandbox_with(
        base_seconds=100.0, cache=replace(CACHE, tariffs={CHAT_MODEL: (ending, dearer)})
    )

    analytics = sandbox.run(sandbox.api(), requests(200, system=FIVE_MINUTES))

    assert share(analytics) < 1


def test_accounts_and_models_do_not_share_a_prompt_and_a_failed_request_keeps_none(sandbox_with):
    sandbox = sandbox_with(concurrency=1)
    (row,) = requests(1, system=FIVE_MINUTES)
    failing = row.replace('"max_tokens"', '"user": "sandbox:fail=500", "max_tokens"')
    other_model = row.replace(CHAT_MODEL, "openai/gpt-oss-20b")
    api = sandbox.api("sk-a")
    sandbox.run(api, [failing])
    sandbox.run(sandbox.api("sk-b"), [row])
    sandbox.run(api, [other_model])

    analytics = sandbox.run(api, [row, row])

    assert [usage["cache_read_input_tokens"] for usage in usages(api, analytics)].count(2000) == 1


def test_a_retried_request_reads_what_the_others_wrote(sandbox_with):
    sandbox = sandbox_with()
    api = sandbox.api()
    (row,) = requests(1, system=FIVE_MINUTES)
    failing = row.replace('"max_tokens"', '"user": "sandbox:fail-once=500", "max_tokens"')
    failing = failing.replace("row-0", "retried")
    first = sandbox.run(api, [row, failing])

    api.post(first["batch"], "retry")
    sandbox.finish(api, first["batch"])

    results = {row["custom_id"]: row for row in api.rows(first["batch"]["output_file_id"])}
    usage = results["retried"]["response"]["body"]["usage"]
    assert usage["cache_read_input_tokens"] == 2000


def test_a_cancelled_batch_keeps_no_prompt_that_was_not_answered(sandbox_with):
    sandbox = sandbox_with()
    api, rows = sandbox.api(), requests(2, system=FIVE_MINUTES)
    batch = api.batch("\n".join(rows))
    sandbox.clock.advance(1)
    api.post(batch, "cancel")
    sandbox.clock.advance(60)

    analytics = sandbox.run(api, rows)

    assert writers(api, analytics) == 2
