"""What an order reserves, and whether a budget has room for it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.budgets import Limit, ReservePolicy, Use, divide, total_added

CENT = Decimal("0.01")
AMOUNTS = st.decimals(min_value=0, max_value=10_000, places=8)


@pytest.mark.parametrize(
    ("policy", "reserved"),
    [
        (ReservePolicy(), Decimal("1.20")),
        (ReservePolicy(percent=100), Decimal("1.00")),
        (ReservePolicy(by_most=True), Decimal("5.00")),
    ],
)
def test_an_order_reserves_its_expected_cost_with_a_margin_or_the_most(
    policy: ReservePolicy, reserved: Decimal
) -> None:
    assert policy.amount(Decimal(1), Decimal(5)) == reserved


def test_what_is_not_known_is_not_reserved_as_nothing() -> None:
    assert ReservePolicy().amount(None, Decimal(5)) is None
    assert ReservePolicy(by_most=True).amount(Decimal(1), None) is None
    assert total_added([Decimal(1), None]) is None
    assert not Limit(Decimal(100), Use()).has_room(None)


@pytest.mark.parametrize(
    ("added", "fits"), [("2.00", True), ("2.01", False), ("0.00000001", True), ("0", True)]
)
def test_a_budget_has_room_up_to_the_last_cent(added: str, fits: bool) -> None:
    limit = Limit(Decimal(10), Use(spent=Decimal(5), reserved=Decimal(3)))

    assert limit.free == 2
    assert limit.has_room(Decimal(added)) is fits


def test_an_exceeded_budget_has_nothing_left_and_takes_what_costs_nothing() -> None:
    limit = Limit(Decimal(10), Use(spent=Decimal(12)))

    assert (limit.free, limit.is_exceeded) == (0, True)
    assert not limit.has_room(CENT)
    assert limit.has_room(Decimal(0))


@pytest.mark.parametrize(
    ("total", "reached"),
    [("0", []), ("4.99", []), ("5", [50]), ("8.5", [50, 80]), ("10", [50, 80, 100])],
)
def test_levels_are_reached_by_what_is_spent_and_reserved(total: str, reached: list[int]) -> None:
    half = Decimal(total) / 2

    assert Limit(Decimal(10), Use(half, half)).reached([100, 50, 80]) == reached


def test_a_budget_of_nothing_has_reached_its_levels_with_the_first_cent() -> None:
    assert Limit(Decimal(0), Use()).reached([50, 100]) == []
    assert Limit(Decimal(0), Use(CENT)).reached([50, 100]) == [50, 100]


@given(AMOUNTS, st.lists(st.none() | AMOUNTS, min_size=1, max_size=6))
def test_a_divided_amount_adds_up_exactly(total: Decimal, parts: list[Decimal | None]) -> None:
    shares = divide(total, {str(number): part for number, part in enumerate(parts)})

    assert sum(shares.values()) == total
    assert len(shares) == len(parts)


def test_what_was_billed_is_divided_as_the_tokens_cost_and_the_rest_is_what_was_unknown() -> None:
    assert divide(Decimal(6), {"a": Decimal(1), "b": Decimal(2)}) == {"a": 2, "b": 4}
    assert divide(Decimal(6), {"a": Decimal(1), "b": None}) == {"a": 1, "b": 5}
    assert divide(Decimal(6), {"a": None, "b": None}) == {"a": 3, "b": 3}
    assert divide(Decimal(6), {"a": Decimal(0), "b": Decimal(0)}) == {"a": 3, "b": 3}
