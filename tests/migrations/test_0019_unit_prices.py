"""Prices that were columns become values and columns again, without a change of a digit."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import ModelCost
from tests.make import make_batch, make_price
from tests.migrations.conftest import Migrate

BEFORE, AFTER = "0018_batch_problems", "0019_unit_prices"
SINCE = datetime(2026, 4, 13, 1, 2, 3, 456789, tzinfo=UTC)
PRICE = UnitPrice(Decimal("0.000001"), Decimal("999999.999999"), row=7, since=SINCE)


def test_each_price_becomes_a_value_and_columns_again(migrate: Migrate) -> None:
    pk = make_batch().model_costs.get().pk
    columns = ["input_price", "output_price", "price_row", "price_since"]
    values = (PRICE.input, PRICE.output, PRICE.row, PRICE.since)
    old = migrate(BEFORE).get_model("batchapp", "ModelCost").objects
    names = [f"{prefix}{column}" for prefix in ("", "fallback_") for column in columns]
    old.filter(pk=pk).update(
        **dict(zip(names, values * 2, strict=True)), realtime_input_price=None
    )

    migrate(AFTER)
    row = ModelCost.objects.only("unit_price", "realtime_price", "fallback_price").get(pk=pk)
    old = migrate(BEFORE).get_model("batchapp", "ModelCost").objects

    assert row.unit_price == row.fallback_price == PRICE
    assert row.realtime_price is None
    assert list(old.filter(pk=pk).values_list(*names)) == [values * 2]
    assert old.get(pk=pk).realtime_output_price is None


def test_a_stored_price_has_no_other_components_than_before(migrate: Migrate) -> None:
    price = make_price(make_batch().connection, "24h", Decimal("0.05"), Decimal("0.2"), "new")
    expected = UnitPrice(Decimal("0.05"), Decimal("0.2"))
    migrate(BEFORE)

    migrate("newest")

    price.refresh_from_db()
    assert price.components == {}
    assert price.unit_price == expected
    assert msgspec.to_builtins(price.unit_price).keys() == {"input", "output"}
