"""Prices that were columns become values and columns again, without a change of a digit."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Price
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0018_batch_problems", "0019_unit_prices"
SINCE = datetime(2026, 4, 13, 1, 2, 3, 456789, tzinfo=UTC)
PRICE = UnitPrice(Decimal("0.000001"), Decimal("999999.999999"), row=7, since=SINCE)


def test_each_price_becomes_a_value_and_columns_again(migrate: Migrate) -> None:
    columns = ["input_price", "output_price", "price_row", "price_since"]
    values = (PRICE.input, PRICE.output, PRICE.row, PRICE.since)
    names = [f"{prefix}{column}" for prefix in ("", "fallback_") for column in columns]
    old = Rows(migrate(BEFORE))
    old.make_cost(old.make_batch(), **dict(zip(names, values * 2, strict=True)))

    row = Rows(migrate(AFTER)).model("ModelCost").objects.get()
    costs = Rows(migrate(BEFORE)).model("ModelCost").objects

    assert row.unit_price == row.fallback_price == PRICE
    assert row.realtime_price is None
    assert list(costs.values_list(*names)) == [values * 2]
    assert costs.get().realtime_output_price is None


def test_a_stored_price_has_no_other_components_than_before(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    expected = UnitPrice(Decimal("0.05"), Decimal("0.2"))
    amounts = {"input_usd": expected.input, "output_usd": expected.output}
    old.create("Price", connection=old.connection, model="new", window="24h", **amounts)

    migrate(AFTER)

    price = Price.objects.get(model="new")
    assert price.components == {}
    assert price.unit_price == expected
    assert msgspec.to_builtins(price.unit_price).keys() == {"input", "output"}
