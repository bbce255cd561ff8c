"""The right price at the right time."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from batchapp.models import Connection, Price
from batchapp.services.pricing import load_doubleword_list
from tests.make import MODEL, make_connection, make_price

pytestmark = pytest.mark.django_db


def test_a_fresh_portal_knows_doubleword_and_its_list_prices() -> None:
    doubleword = Connection.objects.get(name="Doubleword")

    book = Price.objects.filter(connection=doubleword).books(
        ["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", "Qwen/Qwen3.5-4B", "nobody/knows"],
        ["realtime"],
        timezone.now(),
    )["realtime"]

    price = book["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"]
    assert (price.input, price.output) == (Decimal("0.16"), Decimal("0.80"))
    assert list(book) == ["Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"]  # one is not sold in realtime
    assert doubleword.prices.count() == 33


def test_loading_the_list_again_leaves_edits_alone() -> None:
    doubleword = Connection.objects.get(name="Doubleword")
    doubleword.prices.filter(window="24h").update(input_usd=7)
    doubleword.prices.filter(window="1h").delete()

    load_doubleword_list(doubleword)

    assert doubleword.prices.count() == 33
    assert set(doubleword.prices.filter(window="24h").values_list("input_usd", flat=True)) == {7}


def test_a_price_holds_from_its_first_instant_until_its_last() -> None:
    connection = make_connection()
    now = timezone.now()
    old = connection.prices.get(window="24h")
    old.effective_to = now
    old.save()
    make_price(connection, "24h", Decimal(5), Decimal(6)).save()
    Price.objects.filter(input_usd=5).update(effective_from=now)

    def price(at: timedelta) -> Decimal:
        return connection.prices.books([MODEL], ["24h"], now + at)["24h"][MODEL].input

    assert price(timedelta(microseconds=-1)) == 1
    assert price(timedelta()) == 5


def test_two_prices_in_force_at_once_are_refused() -> None:
    connection = make_connection()
    twin = Price(connection=connection, model=MODEL, window="24h", input_usd=1, output_usd=1)

    with pytest.raises(ValidationError, match="End it first"):
        twin.full_clean()
