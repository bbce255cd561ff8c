"""The parts of a price as text."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.price_cells import component_cells, parse_component, parse_components
from batchapp.domain.money.unit_prices import Tier, UnitPrice

AMOUNTS = st.decimals(min_value=0, max_value=999_999, places=12)
PARTS = ("cached_read", "write_5m", "write_1h", "write_24h")
PRICES = st.builds(
    lambda tiers, **parts: UnitPrice(Decimal(1), Decimal(2), **parts, tiers=tiers),
    st.lists(
        st.builds(
            Tier,
            AMOUNTS,
            AMOUNTS,
            above=st.integers(0, 999_999_999),
            **dict.fromkeys(PARTS, st.none() | AMOUNTS),
        ),
        max_size=3,
        unique_by=lambda tier: tier.above,
    ).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above))),
    **dict.fromkeys((*PARTS, "per_request"), st.none() | AMOUNTS),
    min_prefix_tokens=st.none() | st.integers(1, 999_999_999),
)


@given(PRICES)
def test_what_is_written_is_read_again(price: UnitPrice) -> None:
    parts = parse_components(component_cells(price))

    assert UnitPrice(price.input, price.output, **parts) == price


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_cell_is_no_part_and_not_free(text: str) -> None:
    assert parse_component("cached_read_usd", text) is None
    assert parse_component("min_prefix_tokens", text) is None
    assert parse_component("tiers", text) == ()


def test_a_column_that_is_not_there_has_no_value() -> None:
    assert parse_components({"cached_read_usd": "0"}) == {"cached_read": 0}


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for column in ("cached_read_usd", "min_prefix_tokens", "tiers"):
        with contextlib.suppress(ValueError):
            parse_component(column, text)
