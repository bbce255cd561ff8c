"""The parts of a price beside input and output."""

from decimal import Decimal

from batchapp.domain.money.unit_prices import Tier, UnitPrice
from batchapp.presenters.price_parts import parts_label, price_parts


def test_each_part_of_a_price_is_named_with_its_amount() -> None:
    price = UnitPrice(
        Decimal(2),
        Decimal(10),
        cached_read=Decimal(0),
        write_5m=Decimal("2.5"),
        write_24h=Decimal(5),
        min_prefix_tokens=1024,
        per_request=Decimal("0.0001"),
        tiers=(Tier(Decimal(4), Decimal(15), above=272_000),),
    )

    assert price_parts(price) == (
        "cached $0.00 · writes $2.50 for 5 min, $5.00 for 24 h · from 1,024 tokens · "
        "$0.0001 a request · above 272,000 tokens $4.00 / $15.00"
    )
    assert parts_label(price) == "cache prices"
    assert parts_label(UnitPrice(Decimal(1), Decimal(1), per_request=Decimal(1))) == "more prices"


def test_a_plain_price_has_no_parts() -> None:
    assert price_parts(UnitPrice(Decimal(1), Decimal(1))) == ""
