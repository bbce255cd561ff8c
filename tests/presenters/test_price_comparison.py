"""A price list as rows: what it changes, and how."""

from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Price
from batchapp.presenters.price_comparison import PriceChange, kept_prices, price_changes
from batchapp.services.prices import price_lists
from tests.make import make_connection, make_price

pytestmark = pytest.mark.django_db

LIST = "model,window,input_usd,output_usd\nold,24h,2,3\nnew,24h,1,0\nsame,24h,5,6\n"


@pytest.mark.parametrize("ends", [True, False])
def test_a_change_is_a_row_with_the_price_before_and_after_and_what_stays_is_apart(
    ends: bool,
) -> None:
    connection = make_connection()
    Price.objects.all().delete()
    make_price(connection, "24h", Decimal(1), Decimal(3), model="old")
    make_price(connection, "24h", Decimal(9), Decimal(9), model="gone")
    make_price(connection, "24h", Decimal(5), Decimal(6), model="same")
    difference = price_lists.compare(connection, LIST, timezone.now())

    rows, has_more = price_changes(difference, ends_missing=ends, most=5)

    kept, total = kept_prices(difference, ends_missing=ends, most=5)

    changed, new, *ended = rows
    assert not has_more
    assert changed.model == "old"
    assert changed.amounts == [("$1.00", "$2.00", "+100 %"), ("$3.00", "$3.00", "")]
    assert (new.model, new.amounts) == ("new", [("", "$1.00", ""), ("", "$0.00", "")])
    stays = [(price.model, why) for price, why in kept]
    if ends:
        assert [(row.model, row.label, row.amounts) for row in ended] == [
            ("gone", "Ends", 2 * [("$9.00", "", "")])
        ]
        assert stays == [("same", "as the list says")]
    else:
        assert not ended
        assert stays == [("same", "as the list says"), ("gone", "not in the list")]
    assert total == len(kept)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [("2", "1.5", "\u221225 %"), ("0.03", "0.04", "+33 %"), ("0", "1", ""), ("1", "1", "")],
)
def test_the_difference_is_a_share_of_the_price_before(before: str, after: str, said: str) -> None:
    old, new = (UnitPrice(Decimal(amount), Decimal(0)) for amount in (before, after))

    change = PriceChange("", "m", "24h", old, new)

    assert change.amounts[0][2] == said


def test_of_a_long_list_the_first_of_each_kind_are_shown() -> None:
    connection = make_connection()
    Price.objects.all().delete()
    lines = "".join(f"model-{number},24h,1,2\n" for number in range(4))
    difference = price_lists.compare(
        connection, LIST.partition("\n")[0] + "\n" + lines, timezone.now()
    )

    rows, has_more = price_changes(difference, ends_missing=False, most=3)

    assert [row.model for row in rows] == ["model-0", "model-1", "model-2"]
    assert has_more
