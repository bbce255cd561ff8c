"""Names with wildcards match models, in any order of the names."""

import random
import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.money.model_patterns import (
    ModelNames,
    are_ambiguous,
    is_pattern,
    literal_length,
    matches,
    merge_wildcards,
)

LETTERS = "ab/"
models = st.text(LETTERS, max_size=8)
patterns = st.text(LETTERS + "*", max_size=8)
lists = st.lists(patterns, max_size=8)


@given(patterns, models)
def test_a_pattern_matches_as_in_a_shell(pattern: str, model: str) -> None:
    assert matches(pattern, model) == fnmatchcase(model, pattern)


@given(st.text(max_size=6), st.text(max_size=6))
def test_nothing_but_the_star_is_special(pattern: str, model: str) -> None:
    expected = ".*".join(map(re.escape, pattern.split("*")))

    assert matches(pattern, model) == bool(re.fullmatch(expected, model, re.DOTALL))


@given(patterns, models)
def test_merging_wildcards_changes_no_match(pattern: str, model: str) -> None:
    assert matches(merge_wildcards(pattern), model) == matches(pattern, model)
    assert "**" not in merge_wildcards(pattern)


@given(lists, models)
def test_an_exact_name_beats_every_pattern(names: list[str], model: str) -> None:
    assert ModelNames([*names, model]).best_match(model) == model


@given(lists, models, st.randoms(use_true_random=False))
def test_the_order_of_the_names_does_not_matter(
    names: list[str], model: str, chance: random.Random
) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)

    assert ModelNames(shuffled).best_match(model) == ModelNames(names).best_match(model)


@given(lists, models)
def test_the_best_match_is_the_longest_match(names: list[str], model: str) -> None:
    best = ModelNames(names).best_match(model)

    matching = [name for name in names if matches(name, model)]
    assert (best is None) == (not matching)
    if best is not None and is_pattern(best):
        assert literal_length(best) == max(literal_length(name) for name in matching)


@given(lists, models)
def test_equally_good_matches_are_called_ambiguous(names: list[str], model: str) -> None:
    matching = [name for name in set(map(merge_wildcards, names)) if matches(name, model)]
    best = ModelNames(matching).best_match(model)

    equals = [
        name
        for name in matching
        if best and is_pattern(best) and literal_length(name) == literal_length(best)
    ]
    assert all(name == best or are_ambiguous(name, str(best)) for name in equals)


@given(patterns.filter(is_pattern), patterns.filter(is_pattern))
def test_ambiguous_patterns_have_a_model_in_common(first: str, second: str) -> None:
    if not are_ambiguous(first, second):
        return
    pair = (first, second)
    heads = [pattern.partition("*")[0] for pattern in pair]
    tails = [pattern.rpartition("*")[2] for pattern in pair]
    middles = [pattern.partition("*")[2].rpartition("*")[0].replace("*", "") for pattern in pair]

    shared = max(heads, key=len) + "".join(middles) + max(tails, key=len)

    assert matches(first, shared)
    assert matches(second, shared)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Qwen/*", "*-FP8*", False),  # the first is longer
        ("Qwen/*", "*/Qwen", True),
        ("Qwen/*-FP8", "Qwen/*-FP4", False),  # no model ends in both
        ("Qwen/*", "Qwen/*", False),  # the same pattern
        ("Qwen/A", "Qwen/*", False),
    ],
)
def test_two_patterns_are_ambiguous_if_neither_is_better(
    first: str, second: str, expected: bool
) -> None:
    assert are_ambiguous(first, second) is expected
    assert are_ambiguous(second, first) is expected
