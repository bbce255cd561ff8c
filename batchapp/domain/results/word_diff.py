"""Show where two texts differ, word by word, in a time that does not grow with their length."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_WORDS = 400  # of each text, between the words that begin and end both alike
EXCERPT_LENGTH = 1_500  # characters
CONTEXT_LENGTH = 120  # characters that an excerpt shows before the first difference
ELLIPSIS = "…"
WORD = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")  # with the white space before it


class Piece(NamedTuple):
    """A part of a text; ``differs`` is True if the other text has something else there."""

    text: str
    differs: bool


def excerpts(texts: Sequence[str]) -> list[str]:
    """Return the part of each text around the first difference, or its beginning."""
    shortest = min(map(len, texts), default=0)
    same = _common_length(texts, shortest)
    start = max(0, same - CONTEXT_LENGTH)
    if start < EXCERPT_LENGTH // 2:
        start = 0
    return [_cut(text, start) for text in texts]


def diff_words(first: str, second: str) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of ``first`` and of ``second``.

    Texts with more than ``MAX_WORDS`` words between their common beginning and end differ as a
    whole from there on.
    """
    words, others = WORD.findall(first), WORD.findall(second)
    start = _common_length([words, others], min(len(words), len(others)))
    end = _common_length(
        [words[start:][::-1], others[start:][::-1]], min(len(words), len(others)) - start
    )
    inner, other_inner = words[start : len(words) - end], others[start : len(others) - end]
    blocks = _blocks(inner, other_inner)
    tail = words[len(words) - end :]
    blocks = [
        _Block(words[:start], words[:start], differs=False),
        *blocks,
        _Block(tail, tail, differs=False),
    ]
    return (
        [Piece("".join(block.words), block.differs) for block in blocks if block.words],
        [Piece("".join(block.others), block.differs) for block in blocks if block.others],
    )


class _Block(NamedTuple):
    words: list[str]
    others: list[str]
    differs: bool


def _blocks(words: list[str], others: list[str]) -> list[_Block]:
    if len(words) > MAX_WORDS or len(others) > MAX_WORDS:
        return [_Block(words, others, differs=True)]
    matcher = SequenceMatcher(None, words, others)
    return [
        _Block(words[a:b], others[c:d], differs=tag != "equal")
        for tag, a, b, c, d in matcher.get_opcodes()
    ]


def _common_length(texts: Sequence[Sequence[str]], longest: int) -> int:
    """Return how many characters, or words, all ``texts`` begin alike with, by bisection."""
    low, high = 0, longest
    while low < high:
        middle = (low + high + 1) // 2
        if all(text[:middle] == texts[0][:middle] for text in texts):
            low = middle
        else:
            high = middle - 1
    return low


def _cut(text: str, start: int) -> str:
    before = ELLIPSIS if start else ""
    after = ELLIPSIS if len(text) > start + EXCERPT_LENGTH else ""
    return f"{before}{text[start : start + EXCERPT_LENGTH]}{after}"
