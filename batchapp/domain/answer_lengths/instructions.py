"""Read the length of an answer that a prompt names: by a count, or by a list of choices."""

import re
from functools import lru_cache

from batchapp.domain.answer_lengths.choices import find_choices
from batchapp.domain.answer_lengths.length import (
    CHARACTERS_PER_TOKEN,
    TOKENS_PER_WORD,
    Length,
    Span,
)

MAX_COUNT = 10_000  # a larger number in a prompt is hardly a length

NUMBERS = (
    "a:1 one:1 single:1 two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 "
    "ein:1 einem:1 zwei:2 drei:3 un:1 une:1 deux:2 trois:3 una:1 dos:2 tres:3"
)
NUMBER_WORDS = {
    word: int(number) for word, _, number in (pair.partition(":") for pair in NUMBERS.split())
}
_NUMBER = rf"\d{{1,5}}|{'|'.join(NUMBER_WORDS)}"
_TO = r"\s*(?:-|\u2013|to|or|bis|à)\s*"
_RANGE = rf"\b(?P<number>{_NUMBER})(?:{_TO}(?P<second>{_NUMBER}))?"
_ADJECTIVES = "short concise brief complete full simple plain most important key main relevant"
_ADJECTIVE = rf"(?:[ -](?:{_ADJECTIVES.replace(' ', '|')}))*"

# Unit -> its tokens, and the words for it. Source of a sentence: 19 words in news and prose.
_UNITS = (
    ("sentence", 25.0, "sentence sentences satz sätze sätzen phrase phrases frase frases"),
    ("word", TOKENS_PER_WORD, "word words wörter wörtern mots palabras"),
    ("paragraph", 90.0, "paragraph paragraphs absatz absätze absätzen"),
    ("character", 1 / CHARACTERS_PER_TOKEN, "character characters chars zeichen"),
    ("keyword", 4.0, "keyword keywords tag tags synonyms terms labels topics"),
    ("point", 25.0, "bullet bullets point points items ideas reasons steps questions"),
)
_PATTERN = _RANGE.replace("{", "{{").replace("}", "}}") + _ADJECTIVE + r"[ -](?:{})\b"
_LENGTHS = [
    (unit, tokens, names.split(), re.compile(_PATTERN.format(names.replace(" ", "|"))))
    for unit, tokens, names in _UNITS
]
# Answers rarely use all that they may, and often exceed a length that nothing enforces.
_OF_LENGTH = Span(0.4, 0.85, 1.6)

_YES_NO = re.compile(
    r"\b(?:yes(?:/| or |, | and )no|true(?:/| or )false|ja(?:/| oder )nein|oui(?:/| ou )non"
    r"|s[ií](?:/| o )no|yes, no or)\b"
)
_A_NUMBER = re.compile(
    r"\b(?:(?:only|with|just|as) (?:a|the|one)(?: \w+)? (?:number|integer|digit|percentage|score)"
    r"|(?:score|rate|rating|scale|number)\b[^.\n]{0,30}\b(?:from|of|between) \d+ (?:to|and|-) \d+"
    r"|on a \d+ ?(?:-|\u2013|to) ?\d+ scale)\b"
)
_JSON = re.compile(r"\bjson\b")
_JSON_KEY = re.compile(r"[\"'`]([a-z_]\w{0,40})[\"'`]")
_WHY = re.compile(
    r"\b(?:explain|justify|explanation|justification|rationale|and why|reason for)\b"
)
_REASONS = Span(15, 40, 120)


@lru_cache(maxsize=2_048)
def read_exact(text: str) -> Length | None:
    """Return the length that ``text`` names, by a count, a list of choices or their kind."""
    lower = text.lower()
    if length := _counted(lower):
        return length
    length = _chosen(text, lower)
    if length and _WHY.search(lower):
        return Length(f"{length.words}, with reasons", length.tokens.plus(_REASONS))
    return length


def _counted(lower: str) -> Length | None:
    for unit, tokens, names, pattern in _LENGTHS:
        # Looking for plain words first is many times as fast as the pattern.
        if any(name in lower for name in names) and (match := pattern.search(lower)):
            number = _number(match["number"])
            second = _number(match["second"]) if match["second"] else number
            if 0 < number <= MAX_COUNT and number <= second <= MAX_COUNT:
                return _length_of(unit, tokens, number, second)
    return None


def _length_of(unit: str, tokens: float, number: int, second: int) -> Length:
    if unit == "word" and second <= 3:
        return Length("one word" if second == 1 else f"{second} words", Span(1, 1 + second, 6))
    expected = tokens * (number + second) / 2
    count = f"{number:,}" if number == second else f"{number:,} to {second:,}"
    words = f"{count} {unit}" if second == 1 else f"{count} {unit}s"
    return Length(words, Span(*(max(1.0, expected * share) for share in _OF_LENGTH)))


def _chosen(text: str, lower: str) -> Length | None:
    """Return the length of one of several answers that ``text`` lists, or of a number."""
    if ("no" in lower or "false" in lower or "nein" in lower) and _YES_NO.search(lower):
        return Length("yes or no", Span(1, 1.5, 6))
    if choices := find_choices(text):
        sizes = [-(-len(choice) // CHARACTERS_PER_TOKEN) for choice in choices]
        usual = sum(sizes) / len(sizes) + 0.5
        return Length(f"one of {len(choices):,} choices", Span(1, usual, 3 * usual + 3))
    if _A_NUMBER.search(lower):
        return Length("a number", Span(1, 2, 8))
    if "json" in lower and _JSON.search(lower):
        keys = set(_JSON_KEY.findall(lower))
        if keys:
            words = "JSON with 1 field" if len(keys) == 1 else f"JSON with {len(keys):,} fields"
            return Length(words, Span(0.5, 1, 2.5).times(4 + 13 * len(keys)))
    return None


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else NUMBER_WORDS[word]
