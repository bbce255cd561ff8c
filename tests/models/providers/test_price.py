"""The right price at the right time."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.access import OPERATOR
from batchapp.models import Connection, Price
from batchapp.services.prices.price_table import load_doubleword_list
from tests.make import MODEL, make_connection, make_price
from tests.sentences import refused

pytestmark = pytest.mark.django_db


def test_a_fresh_portal_knows_doubleword_and_its_list_prices() -> None:
    doubleword = Connection.objects.get(name="Doubleword")

    prices = Price.objects.filter(connection=doubleword).match_models(
        ["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", "Qwen/Qwen3.5-4B", "nobody/knows"],
        ["realtime"],
        timezone.now(),
    )["realtime"]

    price = prices["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"]
    assert (price.input_usd, price.output_usd) == (Decimal("0.16"), Decimal("0.80"))
    assert list(prices) == ["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"]  # one is not sold in realtime
    assert doubleword.prices.count() == 33


def test_loading_the_list_again_leaves_edits_alone() -> None:
    doubleword = Connection.objects.get(name="Doubleword")
    doubleword.prices.filter(window="24h").update(input_usd=7)
    doubleword.prices.filter(window="1h").delete()

    load_doubleword_list(doubleword, OPERATOR)

    assert doubleword.prices.count() == 33
    assert set(doubleword.prices.filter(window="24h").values_list("input_usd", flat=True)) == {7}


def test_prices_of_doubleword_are_no_prices_of_another_provider() -> None:
    connection = make_connection(name="Elsewhere")

    with refused("Elsewhere is not Doubleword, and has prices of its own."):
        load_doubleword_list(connection, OPERATOR)

    assert connection.prices.count() == 3


def test_a_price_holds_from_its_first_instant_until_its_last() -> None:
    connection = make_connection()
    now = timezone.now()
    old = connection.prices.get(window="24h")
    old.effective_to = now
    old.save()
    make_price(connection, "24h", Decimal(5), Decimal(6)).save()
    Price.objects.filter(input_usd=5).update(effective_from=now)

    def price(at: timedelta) -> Decimal:
        return connection.prices.match_models([MODEL], ["24h"], now + at)["24h"][MODEL].input_usd

    assert price(timedelta(microseconds=-1)) == 1
    assert price(timedelta()) == 5


def test_two_prices_in_force_at_once_are_refused() -> None:
    connection = make_connection()
    duplicate = Price(connection=connection, model=MODEL, window="24h", input_usd=1, output_usd=1)

    with pytest.raises(ValidationError, match="End it first"):
        duplicate.full_clean()


def prices_of(connection: Connection, *models: str, at: timedelta = timedelta()) -> dict[str, int]:
    prices = connection.prices.match_models(models, ["24h"], timezone.now() + at)["24h"]
    return {model: int(price.input_usd) for model, price in prices.items()}


@pytest.mark.parametrize("order", [1, -1])
def test_an_exact_name_is_asked_first_then_the_longest_pattern(order: int) -> None:
    connection = make_connection()
    names = [("*", 10), ("Qwen/*", 20), ("Qwen/*-FP8", 30), ("Qwen/A-FP8", 40)]
    for name, usd in names[::order]:
        make_price(connection, "24h", Decimal(usd), Decimal(1), model=name)

    prices = prices_of(connection, "Qwen/A-FP8", "Qwen/B-FP8", "Qwen/B", "other", MODEL)

    assert prices == {
        "Qwen/A-FP8": 40,
        "Qwen/B-FP8": 30,
        "Qwen/B": 20,
        "other": 10,
        MODEL: 1,
    }


def test_patterns_take_no_more_queries_than_names(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    connection = make_connection()
    for number in range(20):
        make_price(connection, "24h", Decimal(number), Decimal(1), model=f"maker-{number}/*")

    with django_assert_num_queries(1):
        prices = connection.prices.match_models(
            [f"maker-{number}/model" for number in range(20)], ["24h", "1h"], timezone.now()
        )

    assert prices["24h"]["maker-7/model"].input_usd == 7
    assert prices["1h"] == {}


def test_a_pattern_counts_only_while_it_is_in_force_and_only_at_its_connection() -> None:
    connection = make_connection()
    row = make_price(make_connection(), "24h", Decimal(1), Decimal(1), model="Qwen/*")
    later = make_price(connection, "24h", Decimal(9), Decimal(1), model="Qwen/*")
    Price.objects.filter(pk=later.pk).update(effective_from=timezone.now() + timedelta(days=1))

    assert prices_of(connection, "Qwen/B") == {}
    assert prices_of(connection, "Qwen/B", at=timedelta(days=2)) == {"Qwen/B": 9}
    assert prices_of(row.connection, "Qwen/B") == {"Qwen/B": 1}


def test_case_counts_on_every_database() -> None:
    connection = make_connection()
    make_price(connection, "24h", Decimal(9), Decimal(1), model="Qwen/*")

    assert prices_of(connection, "qwen/B") == {}


def test_patterns_that_nothing_decides_between_are_refused() -> None:
    connection = make_connection()
    make_price(connection, "24h", Decimal(9), Decimal(1), model="Qwen/*")
    rival = Price(connection=connection, model="*/Qwen", window="24h", input_usd=1, output_usd=1)

    with pytest.raises(ValidationError, match="Write one of them longer"):
        rival.full_clean()


@pytest.mark.parametrize(
    "components",
    [
        *([], {"input": "1"}, {"cached_read": "-1"}, {"cached_read": "NaN"}, {"write_5m": "x"}),
        {"tiers": [{"input": "1", "output": "1", "above": above} for above in (2, 1)]},
    ],
)
def test_components_are_those_of_a_price_with_amounts_of_at_least_zero(components: object) -> None:
    price = Price(
        connection=make_connection(), model="New", window="24h", input_usd=1, output_usd=1
    )
    price.components = {"cached_read": "0.1", "min_prefix_tokens": 1024}
    price.full_clean()
    assert price.unit_price.cached_read == Decimal("0.1")
    price.components = components

    with pytest.raises(ValidationError) as error:
        price.full_clean()

    assert "components" in error.value.message_dict


def test_the_check_learns_from_prices_in_force_from_which_length_prompts_are_cached() -> None:
    connection = make_connection(base_url="https://api.doubleword.ai/v1")
    connection.prices.filter(window="24h").update(components={"min_prefix_tokens": 512})
    over = make_price(connection, "24h", Decimal(1), Decimal(2), "over")
    Price.objects.filter(pk=over.pk).update(
        components={"min_prefix_tokens": 256}, effective_to=timezone.now()
    )

    assert connection.check_limits.min_cached_by_model == {MODEL: 512}
    assert connection.check_limits.least_cached(MODEL) == 512
    assert connection.check_limits.least_cached("over") == 1_024
