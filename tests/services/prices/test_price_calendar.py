"""What follows a price: another, nothing for a while, or nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Connection, Price
from batchapp.services.prices import price_calendar, price_table
from tests.make import make_connection

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
FIVE = UnitPrice(input=Decimal(5), output=Decimal(6))


@pytest.fixture
def price() -> Price:
    return make_connection().prices.get(window="24h")


def succession_of(price: Price) -> price_calendar.Succession:
    price.refresh_from_db()
    return price_calendar.find_successions([price])[price.pk]


def upcoming(connection: Connection):
    return price_calendar.changes_ahead(connection.prices.all(), timezone.now())


def duplicate(price: Price, since: timedelta) -> Price:
    return Price.objects.create(
        connection=price.connection,
        model=price.model,
        window=price.window,
        input_usd=9,
        output_usd=9,
        effective_from=timezone.now() + since,
    )


def test_a_price_without_end_has_nothing_to_tell(price: Price) -> None:
    assert succession_of(price) == price_calendar.Succession()
    assert upcoming(price.connection) == ([], [])


def test_a_correction_follows_at_once(price: Price) -> None:
    later = price_table.correct(price, OPERATOR, FIVE, since=timezone.now() + DAY)

    succession = succession_of(price)

    assert (succession.following, succession.gap_from) == (later, None)
    assert upcoming(price.connection) == ([(later, price)], [])


def test_a_gap_until_the_next_price_is_seen(price: Price) -> None:
    price_table.end(price, OPERATOR, timezone.now() + DAY)
    later = duplicate(price, 2 * DAY)

    succession = succession_of(price)

    assert (succession.gap_from, succession.gap_to) == (price.effective_to, later.effective_from)
    assert upcoming(price.connection) == ([(later, None)], [price])


def test_an_end_that_nothing_follows_is_seen(price: Price) -> None:
    price_table.end(price, OPERATOR, timezone.now() + DAY)

    succession = succession_of(price)

    assert (succession.gap_from, succession.gap_to) == (price.effective_to, None)


def test_an_overlap_that_got_past_the_page_is_seen(price: Price) -> None:
    later = duplicate(price, DAY)

    assert succession_of(price).overlaps
    assert succession_of(later).overlaps
