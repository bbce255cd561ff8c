"""Texts that match a regular expression, for the plain expressions schemas use."""

import re
import string

from batchapp.sandbox.dice import Dice

_CLASSES = {
    "d": string.digits,
    "w": string.ascii_lowercase + string.digits,
    "s": " ",
}
_TOKEN = re.compile(r"\\(.)|\[(\^?)((?:\\.|[^\]])+)\]|(\(\?:|\(|\))|(\|)|([$^])|(.)", re.DOTALL)
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|([*+?])")


class _Unsupported(Exception):
    """The pattern is not plain; never leaves this file."""


def matching_text(pattern: str, dice: Dice) -> str | None:
    """A text ``pattern`` matches, or None if the pattern is more than plain."""
    try:
        text, end = _alternatives(pattern, 0, dice)
        fits = end == len(pattern) and re.search(pattern, text) is not None
    except (_Unsupported, re.error):
        return None
    return text if fits else None


def _alternatives(pattern: str, position: int, dice: Dice) -> tuple[str, int]:
    """Write one of the alternatives from ``position`` up to a closing bracket or the end."""
    branches = [""]
    while position < len(pattern) and pattern[position] != ")":
        if pattern[position] == "|":
            branches.append("")
            position += 1
            continue
        pieces, position = _repeated(pattern, position, dice)
        branches[-1] += pieces
    return dice.one_of(branches), position


def _repeated(pattern: str, position: int, dice: Dice) -> tuple[str, int]:
    """Write one atom as often as the quantifier behind it allows."""
    _text, after = _atom(pattern, position, dice)
    repeat = _REPEAT.match(pattern, after)
    if repeat is None:
        return _atom(pattern, position, dice)
    least, most = _bounds(repeat)
    count = least + dice.below(most - least + 1)
    return "".join(_atom(pattern, position, dice)[0] for _ in range(count)), repeat.end()


def _bounds(repeat: re.Match[str]) -> tuple[int, int]:
    if repeat[4]:
        return {"*": (0, 3), "+": (1, 4), "?": (0, 1)}[repeat[4]]
    least = int(repeat[1])
    if not repeat[2]:
        return least, least
    return least, int(repeat[3]) if repeat[3] else least + 3


def _atom(pattern: str, position: int, dice: Dice) -> tuple[str, int]:
    token = _TOKEN.match(pattern, position)
    if token is None or (token[7] or "") in set("*+?{"):
        raise _Unsupported
    escaped, negation, members, bracket, _bar, anchor, plain = token.groups()
    if bracket:
        if pattern.startswith("?", token.end()):
            raise _Unsupported
        text, end = _alternatives(pattern, token.end(), dice)
        return text, end + 1
    if anchor:
        return "", token.end()
    if members:
        return dice.one_of(_members(members, is_negated=bool(negation))), token.end()
    if escaped:
        if escaped.isalnum() and escaped not in _CLASSES:
            raise _Unsupported
        return dice.one_of(_CLASSES.get(escaped, escaped)), token.end()
    return ("x" if plain == "." else plain), token.end()


def _members(inside: str, *, is_negated: bool) -> str:
    """The characters a class such as ``A-Z0-9_`` stands for."""
    found = ""
    for part in re.finditer(r"\\(.)|(.)-([^\\])|(.)", inside, re.DOTALL):
        if part[1]:
            found += _CLASSES.get(part[1], part[1])
        elif part[2]:
            found += "".join(map(chr, range(ord(part[2]), ord(part[3]) + 1)))
        else:
            found += part[4]
    if is_negated:
        found = "".join(sign for sign in string.ascii_lowercase if sign not in found)
    if not found:
        raise _Unsupported
    return found
