"""One row for each model, one column for each window."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.models import REALTIME, Price
from batchapp.presenters.price_matrix import price_matrix
from tests.make import make_connection, make_price

pytestmark = pytest.mark.django_db


def test_a_model_has_one_row_with_a_cell_for_each_window() -> None:
    connection = make_connection()
    Price.objects.all().delete()
    dear = make_price(connection, "24h", Decimal(2), Decimal(3), model="b/dear")
    quick = make_price(connection, "1h", Decimal(4), Decimal(6), model="b/dear")
    cheap = make_price(connection, "24h", Decimal(1), Decimal(1), model="A/cheap")

    rows = price_matrix(Price.objects.all(), ["24h", "1h", REALTIME])

    assert [row.model for row in rows] == ["A/cheap", "b/dear"]
    assert rows[0].cells == [("24h", cheap), ("1h", None), (REALTIME, None)]
    assert rows[1].cells == [("24h", dear), ("1h", quick), (REALTIME, None)]


def test_a_window_that_the_connection_no_longer_offers_keeps_its_column() -> None:
    connection = make_connection()
    Price.objects.all().delete()
    old = make_price(connection, "7d", Decimal(1), Decimal(1), model="m")

    (row,) = price_matrix(Price.objects.all(), ["24h"])

    assert row.cells == [("24h", None), ("7d", old)]


def test_a_row_is_valid_since_its_latest_price() -> None:
    connection = make_connection()
    Price.objects.all().delete()
    make_price(connection, "24h", Decimal(1), Decimal(1), model="m")
    later = make_price(connection, "1h", Decimal(1), Decimal(1), model="m")
    Price.objects.filter(pk=later.pk).update(effective_from=timezone.now() + timedelta(days=1))
    later.refresh_from_db()

    (row,) = price_matrix(Price.objects.all(), ["24h", "1h"])

    assert row.since == later.effective_from
