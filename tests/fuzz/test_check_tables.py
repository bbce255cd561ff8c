"""The short form of ``python -m tests.fuzz.check_tables``."""

import random

import pytest

from tests.fuzz.check_tables import check_table


@pytest.mark.parametrize("seed", range(8))
def test_changed_tables_are_refused_or_keep_all_their_text(seed):
    outcomes = {check_table(random.Random(f"{seed}/{number}")) for number in range(40)}

    assert outcomes >= {"changed, read", "detected, read"}
