"""Many orders at once overspend no budget; the long version is a part of ``make soak``."""

import pytest

from tests.faults.budget_race import race


@pytest.mark.django_db(transaction=True)
def test_of_hundreds_of_orders_at_once_no_budget_is_overspent() -> None:
    outcome = race(submits=160, threads=8, seed=7)

    assert outcome.overspent == []
    assert outcome.refused
    assert outcome.ended
    assert outcome.placed + outcome.refused.total() == 161
    assert outcome.unused < 2
