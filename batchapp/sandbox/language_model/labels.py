"""Lists of choices in instructions, and the choice that fits a text."""

import re
from collections.abc import Sequence
from functools import lru_cache

from batchapp.sandbox.seeded_random import SeededRandom

# Texts that introduce a list of labels. Plain searches: a regular expression is slow here.
_INTRODUCTIONS = (
    "one of",
    "labels",
    "label",
    "categories",
    "category",
    "classes",
    "options",
    "choose from",
    "choose between",
    "either",
    "answer with",
    "reply with",
    "respond with",
    "only with",
)
# After one of these verbs a list of labels may also follow "as" or "into".
_CLASSIFICATION_VERBS = ("classify", "label", "rate ", "tag ", "categori")
_PAIRS = (("yes", "no"), ("true", "false"))
_BULLET = re.compile(r"(?:[-*•]|\d+[.)])\s+(.+)")
_ENUMERATION = re.compile(r"\b((?:[\w-]+(?: [\w-]+)?, )+(?:[\w-]+,? )?(?:or|oder|ou) [\w-]+)\b")
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}\n]{3,160})[)\]}]")
_SEPARATOR = re.compile(r"\s*(?:,|/|\||;|\bor\b|\band\b)\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.?!\n]")
_FALLBACKS = ("other", "unknown", "neutral", "none", "not in the text", "unclear")

# Words in a text that make a label more likely; a star stands for any ending.
_KEYWORDS = {
    "positive": "great good love loved loves excellent perfect* happy thank* recommend* best",
    "negative": "bad terribl* broke broken hate* awful worst never disappoint* poor complain*",
    "billing": "invoice* charge* refund* pay* price* paid card",
    "technical": "error* crash* bug* fail* broken slow install*",
    "shipping": "deliver* parcel* package* arriv* courier late",
    "account": "login password* email profile locked",
    "spam": "winner* prize* click lottery free",
    "bug": "fix* bug* incorrect* crash* fail* avoid ensure",
    "feature": "add* new support* enhance* provide* implement* extend* extension*",
    "performance": "faster optimi* performance speed* efficient*",
    "security": "security cve* overflow* injection* vulnerab* harmful malicious",
    "compatib": "compat* deprecat* legacy windows portab* compil*",
    "document": "documentation comment* typo* manual*",
    "denial": "crash* null infinite abort* segfault* assert*",
    "disclosure": "disclos* leak* overread*",
    "execution": "execut* overflow*",
    "high": "urgent* immediately asap critical* serious* outage",
    "low": "minor cosmetic whenever typo*",
    "question": "how what why when where can",
}
_PATTERNS = {
    name: re.compile(rf"\b(?:{words.replace('*', r'[a-z]*').replace(' ', '|')})\b")
    for name, words in _KEYWORDS.items()
}
_OPENING = 40  # characters at the beginning of a text, in which a keyword counts more


@lru_cache(maxsize=256)  # the requests of a file have the same instruction
def find_labels(text: str) -> tuple[str, ...]:
    """Return the labels of an instruction such as "positive, negative or neutral"."""
    lower_text = text.lower()
    for pair in _PAIRS:
        if any(f"{pair[0]}{joint}{pair[1]}" in lower_text for joint in (" or ", "/", " oder ")):
            return pair
    introductions: tuple[str, ...] = _INTRODUCTIONS
    if any(verb in lower_text for verb in _CLASSIFICATION_VERBS):
        introductions += (" as", " into")
    for introduction in introductions:
        start = lower_text.find(introduction)
        if start < 0:
            continue
        labels = _labels_after(text[start + len(introduction) :])
        if labels:
            return tuple(labels)
    for enumeration in (*_ENUMERATION.finditer(text), *_BRACKETED.finditer(text)):
        labels = _split(enumeration[1])
        if labels:
            return tuple(labels)
    return ()


def choose_label(labels: Sequence[str], text: str, random: SeededRandom) -> str:
    """Return the label with the most keywords in ``text``.

    Without keywords the label is one such as "other", or any one if there is none of these.
    """
    lower_text = text.lower()
    scores = [_score(label.lower(), lower_text) for label in labels]
    best = max(scores)
    if best > 0:
        return labels[scores.index(best)]
    others = [label for label in labels if label.lower() in _FALLBACKS]
    return random.choice(others or labels)


def sentiment(text: str) -> int:
    """Return 1 for a positive text, -1 for a negative one, and 0 for any other."""
    good, bad = (_score(name, text.lower()) for name in ("positive", "negative"))
    return (good > bad) - (good < bad)


def _labels_after(text: str) -> list[str]:
    """Return the labels at the beginning of ``text``: a sentence, or one on each line."""
    enumeration = text[:400].lstrip(" :\n")
    enumeration = enumeration.removeprefix("the following").removeprefix("these").lstrip(" :\n")
    bullets = []
    for line in enumeration.splitlines():
        bullet = _BULLET.match(line.strip())
        if bullet is None:
            break
        bullets.append(re.split(r"\s*[:(\u2013]|\s-\s", bullet[1])[0].strip(" .\"'`*"))
    if len(bullets) > 1:
        return bullets
    sentence = _SENTENCE_END.split(enumeration[:240].lstrip("-"), maxsplit=1)[0]
    for part in sentence.split(":"):
        labels = _split(part)
        if labels:
            return labels
    return []


def _split(enumeration: str) -> list[str]:
    pieces = [piece.strip(" \t\"'`“”()[]{}*-") for piece in _SEPARATOR.split(enumeration)]
    labels = [piece for piece in pieces if piece]
    are_short = all(len(label.split()) <= 3 for label in labels)
    return labels if 2 <= len(labels) <= 20 and are_short else []


def _score(label: str, text: str) -> int:
    """Return how much speaks for a label; both are in lower case."""
    pattern = next((words for name, words in _PATTERNS.items() if name in label), None)
    if pattern is None:
        return int(label in text)
    body = text.rpartition(":\n")[2]  # a heading such as a date says nothing
    return len(set(pattern.findall(text))) + 2 * bool(pattern.search(body[:_OPENING]))
