"""Match models with names that may contain ``*``, and choose the best of several names.

``*`` stands for any characters, also none; nothing else is special, and case counts. A name
without ``*`` beats every pattern, and of two patterns the one with more other characters wins.
"""

import re
from collections.abc import Collection

WILDCARD = "*"


def is_pattern(name: str) -> bool:
    return WILDCARD in name


def merge_wildcards(name: str) -> str:
    """Return ``name`` with one ``*`` for several in a row, which would mean the same."""
    return re.sub(r"\*+", WILDCARD, name)


def literal_length(name: str) -> int:
    """Return the number of characters of a pattern other than ``*``."""
    return len(name) - name.count(WILDCARD)


def matches(name: str, model: str) -> bool:
    """Return True if ``name``, with or without ``*``, matches ``model``."""
    first, *rest = name.split(WILDCARD)
    if not rest:
        return name == model
    *middle, last = rest
    position, end = len(first), len(model) - len(last)
    if position > end or not model.startswith(first) or not model.endswith(last):
        return False
    for text in middle:  # the earliest position leaves most characters for the next texts
        index = model.find(text, position, end)
        if index < 0:
            return False
        position = index + len(text)
    return True


def are_ambiguous(first: str, second: str) -> bool:
    """Return True if some model matches both patterns, and neither pattern is the better match.

    Two patterns whose beginnings and ends fit together always have a model in common.
    """
    if first == second or not (is_pattern(first) and is_pattern(second)):
        return False
    if literal_length(first) != literal_length(second):
        return False
    heads = sorted((pattern.partition(WILDCARD)[0] for pattern in (first, second)), key=len)
    tails = sorted((pattern.rpartition(WILDCARD)[2] for pattern in (first, second)), key=len)
    return heads[1].startswith(heads[0]) and tails[1].endswith(tails[0])


class ModelNames:
    """A set of exact names and patterns in which models are looked up."""

    def __init__(self, names: Collection[str]) -> None:
        self._exact = {name for name in names if not is_pattern(name)}
        patterns = {name for name in names if is_pattern(name)}
        self._patterns = sorted(patterns, key=lambda name: (-literal_length(name), name))

    def best_match(self, model: str) -> str | None:
        """Return the name that matches ``model`` most exactly, or None if no name matches."""
        if model in self._exact:
            return model
        return next((name for name in self._patterns if matches(name, model)), None)
