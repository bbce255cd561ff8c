"""What a batch costs: exact, at its own prices, and unknown rather than wrong."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import Tier, TokenRates, UnitPrice
from batchapp.models import Batch, ModelCost, Project, ProviderBatch
from batchapp.models.fields.money_field import rounded
from batchapp.services.lifecycle.actual_cost import settle_costs
from batchapp.services.prices import price_table
from batchapp.services.results.browse import cost_of
from batchapp.services.results.columns.result_rows import read_blocks
from tests.html import page_of
from tests.make import answer_line, finish, make_batch, make_upload, request_file, set_state

pytestmark = pytest.mark.django_db

CACHED = UnitPrice(
    Decimal(1),
    Decimal(2),
    cached_read=Decimal("0.1"),
    write_5m=Decimal("1.25"),
    write_1h=Decimal(2),
    min_prefix_tokens=1024,
)


def order(project: Project, price: UnitPrice, requests: int = 3) -> Batch:
    row = project.connection.prices.get(window="24h")
    row.unit_price = price
    row.save()
    return make_batch(project, upload=make_upload(project, content=request_file(requests)))


def reading(count: object) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": count}}


RATES = ("cached_read", "write_5m", "write_1h", "write_24h")


def random_price(random: Random) -> UnitPrice:
    def rates() -> dict[str, Decimal | None]:
        amounts = {name: Decimal(random.randrange(10**6)) / 10**5 for name in RATES}
        return {name: random.choice([None, amount]) for name, amount in amounts.items()}

    def amount() -> Decimal:
        return Decimal(random.randrange(10**6)) / 10**5

    tiers = [Tier(amount(), amount(), above=above, **rates()) for above in (1_000, 2_000)]
    return UnitPrice(
        amount(),
        amount(),
        **rates(),
        per_request=random.choice([None, Decimal("0.00002")]),
        tiers=tuple(tiers[: random.randrange(3)]),
    )


def random_usage(random: Random) -> dict[str, int]:
    parts = {name: random.choice([0, random.randrange(1_000)]) for name in (*RATES, "input")}
    return parts | {"output": random.randrange(500)}


def billed(usage: dict[str, int], price: UnitPrice) -> Fraction:
    """Return the exact bill of one answer, by the provider's formula."""
    sent = sum(usage.values()) - usage["output"]
    rates: TokenRates = price
    for tier in price.tiers:
        rates = tier if sent > tier.above else rates
    total = Fraction(0)
    for name, count in usage.items():
        rate = getattr(rates, name)
        total += count * Fraction(rates.input if rate is None else rate)
    return total / 1_000_000 + Fraction(price.per_request or 0)


def line_of(number: int, usage: dict[str, int]) -> bytes:
    sent = sum(usage.values()) - usage["output"]
    return answer_line(
        number,
        tokens=(sent, usage["output"]),
        **reading(usage["cached_read"]),
        cache_creation={
            f"ephemeral_{lifetime}_input_tokens": usage[f"write_{lifetime}"]
            for lifetime in ("5m", "1h", "24h")
        },
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_cost_of_a_mix_is_the_sum_of_what_each_answer_is_billed(
    project: Project, seed: int
) -> None:
    random = Random(seed)
    price = random_price(random)
    usages = [random_usage(random) for _ in range(20)]

    batch = finish(
        order(project, price, 20), [line_of(n, usage) for n, usage in enumerate(usages, 1)]
    )

    exact = sum(billed(usage, price) for usage in usages)
    assert batch.actual_cost_usd == rounded(Decimal(exact.numerator) / Decimal(exact.denominator))


def test_a_free_model_costs_nothing_and_that_is_known(project: Project) -> None:
    batch = finish(order(project, UnitPrice(Decimal(0), Decimal(0), cached_read=Decimal(0))))

    assert batch.actual_cost_usd == 0


def test_a_price_that_ends_while_a_batch_runs_is_its_price_to_the_end(project: Project) -> None:
    batch = order(project, CACHED)
    price_table.end(project.connection.prices.get(window="24h"), OPERATOR)

    batch = finish(batch, [answer_line(n, **reading(80)) for n in (1, 2, 3)])

    assert batch.actual_cost_usd == Decimal("0.000384")
    assert make_batch(project).model_costs.get().unit_price is None


def test_cached_prices_that_come_after_the_order_do_not_make_it_cheaper(
    browser: Client, project: Project
) -> None:
    batch = order(project, UnitPrice(Decimal(1), Decimal(2)))
    price_table.correct(project.connection.prices.get(window="24h"), OPERATOR, CACHED)

    batch = finish(batch, [answer_line(n, **reading(80)) for n in (1, 2, 3)])

    assert batch.actual_cost_usd == Decimal("0.0006")
    text = page_of(browser, batch.get_absolute_url()).text
    assert "240 of 300 input tokens read from the cache: the same cost" in text


def test_a_model_that_answers_under_another_name_costs_what_was_ordered(
    project: Project,
) -> None:
    batch = order(project, CACHED)
    lines = [answer_line(n).replace(b"Qwen/Qwen3-30B", b"dearer/model") for n in (1, 2, 3)]

    batch = finish(batch, lines)

    assert batch.actual_cost_usd == Decimal("0.0006")
    assert batch.results.filter(answer_model="dearer/model").count() == 3


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        ({"prompt_tokens": -100}, "0.0001"),
        ({"completion_tokens": -1}, "0.0001"),
        ({"prompt_tokens": 10**12}, "0.0001"),
        ({"prompt_tokens": 10**30}, "0.0001"),
        ({"prompt_tokens": "many"}, "0.0001"),
        (reading(101), "0"),
        (reading(-1), "0"),
        ({"cache_creation_input_tokens": 10**9}, "0"),
    ],
)
def test_tokens_that_cannot_be_true_are_left_out_of_the_sum_and_told(
    browser: Client, project: Project, usage: dict[str, Any], known: str
) -> None:
    batch = order(project, CACHED)

    batch = finish(batch, [answer_line(1), answer_line(2), answer_line(3, **usage)])

    assert batch.actual_cost_usd == Decimal("0.0004") + Decimal(known)
    text = page_of(browser, batch.get_absolute_url()).text
    assert "1 answer of Qwen/Qwen3-30B came without a token count, or with one that cannot" in text
    assert "≥ $0.000" in text


def test_a_cost_beyond_reason_is_unknown_and_the_page_says_why(
    browser: Client, project: Project
) -> None:
    batch = order(project, UnitPrice(Decimal(999_999), Decimal(999_999)), 11)

    batch = finish(batch, [answer_line(n, tokens=(10**8, 1)) for n in range(1, 12)])

    assert batch.actual_cost_usd is None
    text = page_of(browser, batch.get_absolute_url()).text
    assert "Qwen/Qwen3-30B: So many tokens cannot be true, so the cost is unknown." in text


@pytest.mark.parametrize(
    ("price", "at_list", "bill", "says", "advice"),
    [
        (
            UnitPrice(Decimal(1), Decimal(2)),
            *(
                "0.0006",
                "0.000384",
                "36 % less than its list price: a discount for cached prompts.",
            ),
            (
                "The batch was ordered without prices of cached prompts: an administrator can "
                "fetch them."
            ),
        ),
        (
            CACHED,
            *(
                "0.0006",
                "0.0007",
                "17 % more than its list price: a surcharge for cached prompts.",
            ),
            "Ask an administrator whether its prices of cached prompts are out of date.",
        ),
        (
            UnitPrice(Decimal(1), Decimal(2)),
            *("0.0012", "0.0009", "50 % more than by these prices."),
            "Ask an administrator whether the price table is out of date.",
        ),
    ],
)
def test_a_bill_that_differs_by_its_cached_prompts_is_not_blamed_on_the_price_table(
    browser: Client,
    project: Project,
    price: UnitPrice,
    at_list: str,
    bill: str,
    says: str,
    advice: str,
) -> None:
    batch = finish(order(project, price), [answer_line(n, **reading(80)) for n in (1, 2, 3)])
    Batch.objects.update(billed_cost_usd=Decimal(bill), billed_list_cost_usd=Decimal(at_list))

    text = page_of(browser, batch.get_absolute_url()).text

    assert says in text
    assert advice in text
    assert "Differs" in text


def test_a_discount_that_the_prices_know_is_no_difference(
    browser: Client, project: Project
) -> None:
    batch = finish(order(project, CACHED), [answer_line(n, **reading(80)) for n in (1, 2, 3)])
    cost = batch.actual_cost_usd
    Batch.objects.update(billed_cost_usd=cost, billed_list_cost_usd=Decimal("0.0006"))

    text = page_of(browser, batch.get_absolute_url()).text

    assert cost == Decimal("0.000384")
    assert f"{batch.connection} says that it billed $0.0004." in text
    assert "Differs" not in text


def test_results_from_before_cached_tokens_were_kept_cost_what_they_did(project: Project) -> None:
    batch = finish(order(project, CACHED))
    batch.results.update(cached_tokens=None, written_5m_tokens=None)
    model_cost = ModelCost.objects.get(batch=batch)

    assert model_cost.cost_usd == model_cost.list_cost_usd == Decimal("0.0006")
    assert batch.finished_at
    assert batch.finished_at <= timezone.now()


def test_only_provider_batches_from_before_the_end_of_cached_prices_have_them(
    project: Project,
) -> None:
    """Requests 1 and 2 were created before the end, 3 after it: the provider bills it at list."""
    end = timezone.now() + timedelta(hours=1)
    batch = order(project, msgspec.structs.replace(CACHED, cached_until=end))
    first = set_state(batch, submitted_at=end - timedelta(minutes=1))
    batch = finish(batch, [answer_line(n, tokens=(100, 50), **reading(80)) for n in (1, 2, 3)])
    second = ProviderBatch.objects.create(
        batch=batch, number=2, status="done", submitted_at=end, total=1
    )
    batch.results.filter(custom_id="row-3").update(provider_batch=second)

    (row,) = settle_costs(batch, None)

    cached, at_list = Decimal(20 + 8 + 100) / 1_000_000, Decimal(100 + 100) / 1_000_000
    assert row.cost_usd == 2 * cached + at_list
    assert row.cached_tokens == 3 * 80
    results = batch.results.select_related("batch", "provider_batch").order_by("line")
    assert [cost_of(result) for result in results] == [cached, cached, at_list]
    (block,) = read_blocks(batch, merged=False)
    assert block.columns["cost_usd"] == [cached, cached, at_list]
    assert first.number == 1


def test_an_order_after_the_end_of_cached_prices_has_none(project: Project) -> None:
    price = msgspec.structs.replace(CACHED, cached_until=timezone.now())

    batch = finish(
        order(project, price),
        [answer_line(n, tokens=(100, 50), **reading(80)) for n in (1, 2, 3)],
    )

    row = batch.model_costs.get()
    assert row.unit_price
    assert row.unit_price.without_origin() == UnitPrice(Decimal(1), Decimal(2))
    assert batch.actual_cost_usd == Decimal(3 * (100 + 100)) / 1_000_000
