"""Dollars stay exact in rows and in sums, on either database."""

from decimal import Decimal

import pytest
from django.db.models import Sum

from batchapp.models import Batch
from batchapp.models.fields.money_field import rounded
from tests.make import make_batch, make_project, make_upload


@pytest.mark.django_db
def test_sums_of_many_small_amounts_are_exact() -> None:
    project = make_project()
    upload = make_upload(project)
    amounts = [Decimal("0.10000001"), Decimal("0.20000002"), Decimal("90071992.54740993")]
    for amount in amounts:
        make_batch(project, upload=upload, actual_cost_usd=amount)

    total = Batch.objects.aggregate(total=Sum("actual_cost_usd"))["total"]

    assert total == sum(amounts)
    assert isinstance(total, Decimal)


@pytest.mark.django_db
def test_unknown_stays_unknown() -> None:
    batch = make_batch(actual_cost_usd=None)

    assert batch.actual_cost_usd is None


def test_amounts_are_rounded_half_to_even_at_eight_places() -> None:
    assert rounded(Decimal("0.000000005")) == 0
    assert rounded(Decimal("0.000000015")) == Decimal("0.00000002")
