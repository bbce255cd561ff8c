"""What is worked out before a batch is ordered: its price, its name, when it is due."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain import windows
from batchapp.models import REALTIME
from batchapp.services.orders import place_order, price_quotes
from tests.make import MODEL, make_batch, make_price, make_upload, request_file

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "length"),
    [
        ("24h", timedelta(hours=24)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("90m", timedelta(minutes=90)),
        ("30 minutes", timedelta(minutes=30)),
        ("2 Days", timedelta(days=2)),
    ],
)
def test_a_window_is_due_when_its_name_says(window: str, length: timedelta) -> None:
    assert windows.due(window, NOON) == NOON + length


@pytest.mark.parametrize("window", ["", "overnight", "h", "1 fortnight", "123456h", "1h or so"])
def test_a_window_that_names_no_length_is_due_at_no_time(window: str) -> None:
    assert windows.due(window, NOON) is None


@pytest.mark.django_db
def test_all_windows_are_priced_with_one_look_each_at_its_own_price(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    upload = make_upload()
    report, connection = upload.report, upload.project.connection
    make_price(connection, "1h", Decimal(7), Decimal(9)).save()
    connection.prices.filter(input_usd=7).update(effective_from=timezone.now())
    make_price(connection, "1h", Decimal(1), Decimal(1), model="of/others")
    assert report

    with django_assert_num_queries(1):
        quotes = price_quotes.quote(
            report, connection, ["24h", "1h", "never sold", REALTIME], timezone.now()
        )

    prices = {window: [line.price for line in quotes[window].models] for window in quotes}
    inputs = {window: [price and price.input for price in each] for window, each in prices.items()}
    assert inputs == {"24h": [1], "1h": [7], "never sold": [None], REALTIME: [2]}
    assert quotes["never sold"].unpriced == [MODEL]
    assert quotes["never sold"].expected_usd is None


@pytest.mark.django_db
def test_a_name_counts_up_past_those_that_are_taken() -> None:
    upload = make_upload(name="tickets.jsonl")
    for name in ("tickets", "tickets (2)", "tickets (4)", "Tickets (3)", "tickets (x)"):
        make_batch(upload=upload, name=name)
    make_batch(name="tickets (3)")

    assert place_order.default_name(upload) == "tickets (3)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("file", "requests", "expected"),
    [
        ("batch-87742ea5-0c1d-4b6e-9f00-1234567890ab.jsonl", 2, "batch-87742ea5, 2 requests"),
        ("87742EA5-0C1D-4B6E-9F00-1234567890AB", 1, "87742EA5, 1 request"),
        ("batch-87742ea5.jsonl", 2, "batch-87742ea5"),
    ],
)
def test_a_uuid_in_the_name_of_a_file_is_shortened_in_that_of_its_batch(
    file: str, requests: int, expected: str
) -> None:
    upload = make_upload(name=file, content=request_file(requests))

    assert place_order.default_name(upload) == expected
    make_batch(upload=upload, name=expected)
    assert place_order.default_name(upload) == f"{expected} (2)"


@pytest.mark.django_db
def test_the_longest_name_still_has_room_for_its_number() -> None:
    upload = make_upload(name="n" * 249 + ".jsonl")
    first = make_batch(upload=upload)

    second = make_batch(upload=upload)

    assert first.name == "n" * 200
    assert second.name == "n" * (200 - len(" (9999)")) + " (2)"
