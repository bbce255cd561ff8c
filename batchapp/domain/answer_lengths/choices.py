"""Find the labels that a prompt lists as the possible answers."""

import re

MAX_CHOICES, MAX_WORDS = 60, 5  # of a list of labels, and of one label
LIST_CHARACTERS = 600  # after the words that announce a list

# Words that announce a list of labels, as plain searches first: the pattern is slow.
_HINTS = (
    *("one of", "label", "categor", "class", "option", "choose", "either", "with", "kinds"),
    *("which of", "sentiment", "determine", "decide"),
)
_ANNOUNCED = re.compile(
    r"\b(?:one of|(?:these |the following |possible )?(?:labels|categories|classes|options|kinds)"
    r"|(?:answer|reply|respond)(?: only)? with|choose (?:from|between)|either"
    r"|which (?:label|category|class|of)|(?:sentiment|determine|decide)[^.:\n?]{0,40}(?=:)"
    r"|classif\w+[^.\n?]{0,60}\b(?:as|into))\b",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"(?:\s*(?:of )?(?:the following|these)\b)?(?:\s*(?:labels|categories|classes|options|kinds))?"
    r"[^:,?.\n]{0,60}:\s*|\s+",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:,|/|\||;|\n|\bor\b|\band\b|\boder\b)\s*", re.IGNORECASE)
_BRACKETED = re.compile(r"[(\[]([^()\[\]\n]{3,200})[)\]]")
_BULLET = re.compile(r"\A(?:[-*•]|\d{1,2}[.)])\s+")
_MARKS = " \t\"'`\u201c\u201d\u2018\u2019()[]{}*_"


def find_choices(text: str) -> list[str]:
    """Return the labels that ``text`` lists, at least two; [] if it lists none."""
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return []
    for announced in _ANNOUNCED.finditer(text):
        rest = text[announced.end() : announced.end() + LIST_CHARACTERS]
        introduction = _INTRODUCTION.match(rest)
        if labels := _labels(rest[introduction.end() if introduction else 0 :]):
            return labels
    for bracketed in _BRACKETED.finditer(text):
        if labels := _labels(bracketed[1]):
            return labels
    return []


def _labels(text: str) -> list[str]:
    if _BULLET.match(text):
        pieces = []
        for line in text.split("\n"):
            if not _BULLET.match(line):
                break
            pieces.append(_BULLET.sub("", line).partition(":")[0])
    else:
        sentence = re.split(r"[.?!](?:\s|\Z)|\n\s*\n", text, maxsplit=1)[0]
        pieces = _SEPARATOR.split(sentence)
    labels = [label for piece in pieces if (label := piece.strip(_MARKS).rstrip(".?!"))]
    are_short = all(len(label.split()) <= MAX_WORDS and len(label) <= 40 for label in labels)
    return labels if 2 <= len(labels) <= MAX_CHOICES and are_short else []
