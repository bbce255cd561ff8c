"""Texts that match the simple regular expressions that JSON schemas contain."""

import re
import string

from batchapp.sandbox.seeded_random import SeededRandom

_CLASSES = {
    "d": string.digits,
    "w": string.ascii_lowercase + string.digits,
    "s": " ",
}
_TOKEN = re.compile(r"\\(.)|\[(\^?)((?:\\.|[^\]])+)\]|(\(\?:|\(|\))|(\|)|([$^])|(.)", re.DOTALL)
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|([*+?])")


class _UnsupportedPattern(Exception):
    """The pattern uses a construct that this module cannot generate."""


def matching_text(pattern: str, random: SeededRandom) -> str | None:
    """Return a text that ``pattern`` matches, or None for an unsupported pattern."""
    try:
        text, end = _alternatives(pattern, 0, random)
        is_match = end == len(pattern) and re.search(pattern, text) is not None
    except (_UnsupportedPattern, re.error):
        return None
    return text if is_match else None


def _alternatives(pattern: str, position: int, random: SeededRandom) -> tuple[str, int]:
    """Generate one alternative from ``position`` up to a closing bracket or the end."""
    branches = [""]
    while position < len(pattern) and pattern[position] != ")":
        if pattern[position] == "|":
            branches.append("")
            position += 1
            continue
        text, position = _repetition(pattern, position, random)
        branches[-1] += text
    return random.choice(branches), position


def _repetition(pattern: str, position: int, random: SeededRandom) -> tuple[str, int]:
    """Generate one atom as often as its quantifier allows."""
    _text, after = _atom(pattern, position, random)
    repeat = _REPEAT.match(pattern, after)
    if repeat is None:
        return _atom(pattern, position, random)
    least, most = _bounds(repeat)
    count = least + random.randbelow(most - least + 1)
    return "".join(_atom(pattern, position, random)[0] for _ in range(count)), repeat.end()


def _bounds(repeat: re.Match[str]) -> tuple[int, int]:
    if repeat[4]:
        return {"*": (0, 3), "+": (1, 4), "?": (0, 1)}[repeat[4]]
    least = int(repeat[1])
    if not repeat[2]:
        return least, least
    return least, int(repeat[3]) if repeat[3] else least + 3


def _atom(pattern: str, position: int, random: SeededRandom) -> tuple[str, int]:
    token = _TOKEN.match(pattern, position)
    if token is None or (token[7] or "") in set("*+?{"):
        raise _UnsupportedPattern
    escaped, negation, members, bracket, _bar, anchor, plain = token.groups()
    if bracket:
        if pattern.startswith("?", token.end()):
            raise _UnsupportedPattern
        text, end = _alternatives(pattern, token.end(), random)
        return text, end + 1
    if anchor:
        return "", token.end()
    if members:
        return random.choice(_class_characters(members, is_negated=bool(negation))), token.end()
    if escaped:
        if escaped.isalnum() and escaped not in _CLASSES:
            raise _UnsupportedPattern
        return random.choice(_CLASSES.get(escaped, escaped)), token.end()
    return ("x" if plain == "." else plain), token.end()


def _class_characters(members: str, *, is_negated: bool) -> str:
    """Return the characters that a class such as ``A-Z0-9_`` matches."""
    characters = ""
    for part in re.finditer(r"\\(.)|(.)-([^\\])|(.)", members, re.DOTALL):
        if part[1]:
            characters += _CLASSES.get(part[1], part[1])
        elif part[2]:
            characters += "".join(map(chr, range(ord(part[2]), ord(part[3]) + 1)))
        else:
            characters += part[4]
    if is_negated:
        characters = "".join(char for char in string.ascii_lowercase if char not in characters)
    if not characters:
        raise _UnsupportedPattern
    return characters
