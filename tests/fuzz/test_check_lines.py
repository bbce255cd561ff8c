"""The short form of ``python -m tests.fuzz.check_lines``, and the same with hypothesis."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.check_lines import (
    any_line,
    codes_of,
    compare,
    correct_everything,
    good_line,
    make_file,
    mutated,
    retyped_line,
)
from tests.fuzz.foreign_lines import laid_out


@pytest.mark.parametrize("seed", range(8))
def test_mutated_files_get_true_line_numbers_and_agree_with_the_sandbox(seed):
    chance = random.Random(seed)

    assert compare(make_file(chance, 60, 0), chance) >= 60


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.binary(min_size=1, max_size=40))
def test_no_mutation_makes_the_check_fail_or_disagree_with_the_sandbox(chance, other):
    line = mutated(chance, good_line(chance, 1), other)

    for piece in line.split(b"\n"):
        codes_of(piece)


@pytest.mark.parametrize("seed", range(300))
def test_no_value_of_another_type_makes_the_check_fail(seed):
    codes_of(retyped_line(random.Random(seed), 1))


@pytest.mark.parametrize("seed", range(40))
def test_every_correction_at_once_gives_a_file_that_can_be_sent(seed):
    chance = random.Random(seed)
    data = make_file(chance, 40, 0)

    correct_everything(data, chance)
    correct_everything(laid_out(chance, data), chance)


@pytest.mark.parametrize("seed", range(300))
def test_no_line_of_another_format_makes_the_check_fail(seed):
    chance = random.Random(seed)

    for piece in any_line(chance, seed).split(b"\n"):
        codes_of(piece)
