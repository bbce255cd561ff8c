"""The cost of answers that were cut short is kept for batches that ended before, too."""

from decimal import Decimal

from batchapp.domain.money.unit_prices import UnitPrice
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0022_cached_tokens", "0023_cut_short"


def test_answers_of_earlier_batches_are_added_up(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    batch, whole = (old.make_batch(requests=3, succeeded=3, usable=n) for n in (1, 3))
    answer = {"input_tokens": 100, "output_tokens": 50}
    cut_short = answer | {"outcome": "truncated"}
    old.make_results(batch, cut_short, cut_short, answer)
    old.make_results(whole, answer, answer, answer)
    price = UnitPrice(Decimal(1), Decimal(2))
    pk, pk_of_whole = (old.make_cost(row, unit_price=price).pk for row in (batch, whole))

    new = Rows(migrate(AFTER))

    rows = new.model("ModelCost").objects.in_bulk()
    assert (rows[pk].cut_short, rows[pk].cut_short_usd) == (2, Decimal("0.0004"))
    assert (rows[pk_of_whole].cut_short, rows[pk_of_whole].cut_short_usd) == (0, None)
