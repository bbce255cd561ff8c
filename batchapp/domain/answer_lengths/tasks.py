"""Read the task that a prompt sets, whose answers have a usual length, such as a translation."""

import re
from functools import lru_cache

from batchapp.domain.answer_lengths.length import Length, Span

LIKE_THE_TEXT = Span(0.6, 1.1, 1.7)  # of a text that is written again, for each of its tokens


def _verbs(verbs: str, nouns: str) -> str:
    """Return a pattern of one of ``verbs`` with one of ``nouns`` in the same sentence."""
    return rf"\b(?:{verbs})\b[^.]{{0,40}}\b(?:{nouns})\b"


# Words of a task, one of which a prompt has; the pattern that they are part of; and the length.
# The first task that fits counts.
TASKS: tuple[tuple[str, str, Length], ...] = (
    (
        "translat übersetz tradui traduc",
        r"\b(?:translat\w+|übersetz\w+|tradui\w+|traduc\w+)\b",
        Length("a translation", Span(1, 2, 8), LIKE_THE_TEXT),
    ),
    (
        "proofread rewrite rephrase paraphrase grammar spelling",
        r"\b(?:proofread|rewrite|rephrase|paraphrase)\b|"
        + _verbs("correct|fix", "grammar|spelling"),
        Length("the text in other words", Span(1, 2, 20), LIKE_THE_TEXT),
    ),
    (
        "title headline",
        _verbs("give|write|suggest|create|find|generate", "title|headline"),
        Length("a title", Span(5, 11, 25)),
    ),
    (
        "summar zusammen résum resum tl;dr tldr",
        r"\b(?:summar(?:y|ies|i[sz]e\w*)|tl;?dr|zusammen|zusammenfass\w+|résum\w+|resum[ea]\w*)\b",
        Length("a summary", Span(12, 35, 90), Span(0.02, 0.1, 0.3), longest=2_000),
    ),
    (
        "keyword tags topics",
        _verbs("list|give|extract|find|suggest|assign", "keywords|tags|topics"),
        Length("keywords", Span(8, 20, 60)),
    ),
    (
        "sentiment classif categor label",
        r"\b(?:classif\w+|categori[sz]e|sentiment of|(?:which|the) (?:category|label))\b",
        Length("a label", Span(1, 4, 15)),
    ),
    (
        "caption describe description",
        r"\b(?:caption|describe|description of) (?:this|the|each|what)\b",
        Length("a description", Span(30, 90, 250)),
    ),
    (
        "text context passage",
        _verbs("answer|reply", "(?:from|with|using|on) (?:the |this )?(?:text|context|passage)"),
        Length("an answer from the text", Span(8, 30, 120)),
    ),
    ("extract", r"\bextract\b", Length("what is extracted", Span(8, 40, 150))),
    (
        "essay article blog story",
        _verbs("write", "essay|article|blog post|story"),
        Length("an article", Span(300, 800, 1_800)),
    ),
    (
        "mail reply letter response message",
        _verbs("write|draft|compose|reply with", "e-?mail|reply|letter|response|message"),
        Length("a letter", Span(60, 150, 350)),
    ),
    ("step", r"\bstep by step\b", Length("an answer step by step", Span(100, 300, 900))),
)
_PATTERNS = [(words.split(), re.compile(pattern), length) for words, pattern, length in TASKS]


@lru_cache(maxsize=2_048)
def read_task(text: str) -> Length | None:
    """Return the usual length of the answers to the task that ``text`` sets; None without one."""
    lower = text.lower()
    for words, pattern, length in _PATTERNS:
        # Looking for plain words first is many times as fast as the pattern.
        if any(word in lower for word in words) and pattern.search(lower):
            return length
    return None
