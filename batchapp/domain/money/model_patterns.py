"""Names of models with ``*`` in them: what they match, and which of several does.

``*`` stands for any characters, also none; nothing else is special, and case counts. A name
without ``*`` beats every pattern, and of two patterns the one with more other characters wins.
"""

import re
from collections.abc import Iterable

ANY = "*"


def is_pattern(name: str) -> bool:
    return ANY in name


def tidy(name: str) -> str:
    """``name`` with one ``*`` where several in a row would mean the same."""
    return re.sub(r"\*+", ANY, name)


def weight(name: str) -> int:
    """How many characters of a model the pattern says itself."""
    return len(name) - name.count(ANY)


def matches(name: str, model: str) -> bool:
    """Whether ``name``, with or without ``*``, means ``model``."""
    first, *rest = name.split(ANY)
    if not rest:
        return name == model
    *middle, last = rest
    if not model.startswith(first) or len(model) < len(first) + len(last):
        return False
    if not model.endswith(last):
        return False
    position, end = len(first), len(model) - len(last)
    for part in middle:  # the earliest place leaves the most room for what follows
        found = model.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def are_rivals(one: str, other: str) -> bool:
    """Whether some model is matched by both patterns, and by neither better than by the other.

    Between a beginning and an end that fit, two patterns always leave room for each other.
    """
    if one == other or not (is_pattern(one) and is_pattern(other)):
        return False
    if weight(one) != weight(other):
        return False
    heads = sorted((each.partition(ANY)[0] for each in (one, other)), key=len)
    tails = sorted((each.rpartition(ANY)[2] for each in (one, other)), key=len)
    return heads[1].startswith(heads[0]) and tails[1].endswith(tails[0])


class Names:
    """Exact names and patterns, to look models up in; their order does not matter."""

    def __init__(self, names: Iterable[str]) -> None:
        every = set(names)
        self._exact = {name for name in every if not is_pattern(name)}
        self._patterns = sorted(every - self._exact, key=lambda name: (-weight(name), name))

    def best(self, model: str) -> str | None:
        """The name that means ``model`` most exactly; None if none does."""
        if model in self._exact:
            return model
        return next((name for name in self._patterns if matches(name, model)), None)
