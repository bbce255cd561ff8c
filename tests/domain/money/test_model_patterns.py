"""Which name means which model, whoever wrote the names down in which order."""

import random
import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.model_patterns import (
    Names,
    are_rivals,
    is_pattern,
    matches,
    tidy,
    weight,
)

LETTERS = "ab/"
models = st.text(LETTERS, max_size=8)
patterns = st.text(LETTERS + "*", max_size=8)
lists = st.lists(patterns, max_size=8)


@given(patterns, models)
def test_a_pattern_matches_what_a_shell_would_match(pattern: str, model: str) -> None:
    assert matches(pattern, model) == fnmatchcase(model, pattern)


@given(st.text(max_size=6), st.text(max_size=6))
def test_nothing_but_the_star_is_special(pattern: str, model: str) -> None:
    expected = ".*".join(map(re.escape, pattern.split("*")))

    assert matches(pattern, model) == bool(re.fullmatch(expected, model, re.DOTALL))


@given(patterns, models)
def test_tidying_changes_no_meaning(pattern: str, model: str) -> None:
    assert matches(tidy(pattern), model) == matches(pattern, model)
    assert "**" not in tidy(pattern)


@given(lists, models)
def test_an_exact_name_beats_every_pattern(names: list[str], model: str) -> None:
    assert Names([*names, model]).best(model) == model


@given(lists, models, st.randoms(use_true_random=False))
def test_the_order_of_the_names_does_not_matter(
    names: list[str], model: str, chance: random.Random
) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)

    assert Names(shuffled).best(model) == Names(names).best(model)


@given(lists, models)
def test_the_best_matches_and_none_that_matches_says_more(names: list[str], model: str) -> None:
    best = Names(names).best(model)

    matching = [name for name in names if matches(name, model)]
    assert (best is None) == (not matching)
    if best is not None and is_pattern(best):
        assert weight(best) == max(weight(name) for name in matching)


@given(lists, models)
def test_without_rivals_nothing_is_left_to_chance(names: list[str], model: str) -> None:
    found = [name for name in {tidy(each) for each in names} if matches(name, model)]
    best = Names(found).best(model)

    equals = [name for name in found if best and is_pattern(best) and weight(name) == weight(best)]
    assert all(each == best or are_rivals(each, str(best)) for each in equals)


@given(patterns.filter(is_pattern), patterns.filter(is_pattern))
def test_rivals_really_share_a_model(one: str, other: str) -> None:
    if not are_rivals(one, other):
        return
    heads, tails = ([p.partition("*")[0], q.partition("*")[0]] for p, q in [(one, other)] * 2)
    tails = [one.rpartition("*")[2], other.rpartition("*")[2]]
    middles = [each.partition("*")[2].rpartition("*")[0].replace("*", "") for each in (one, other)]

    shared = max(heads, key=len) + "".join(middles) + max(tails, key=len)

    assert matches(one, shared)
    assert matches(other, shared)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Qwen/*", "*-FP8*", False),  # the first says more
        ("Qwen/*", "*/Qwen", True),
        ("Qwen/*-FP8", "Qwen/*-FP4", False),  # no model ends in both
        ("Qwen/*", "Qwen/*", False),  # one and the same
        ("Qwen/A", "Qwen/*", False),
    ],
)
def test_rivals_are_those_that_nothing_decides_between(
    one: str, other: str, expected: bool
) -> None:
    assert are_rivals(one, other) is expected
    assert are_rivals(other, one) is expected
