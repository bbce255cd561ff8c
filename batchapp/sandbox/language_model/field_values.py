"""Values of the fields of structured outputs, taken from the text of the request."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

from batchapp.sandbox.language_model import prose
from batchapp.sandbox.language_model.facts import Facts, kind_of, word_set, words_of
from batchapp.sandbox.language_model.labels import choose_label, find_labels, sentiment
from batchapp.sandbox.language_model.task import Task
from batchapp.sandbox.language_model.text import rating
from batchapp.sandbox.seeded_random import SeededRandom

_PROSE = word_set(
    "summary description reason reasoning explanation comment text rationale problem issue answer"
    " translation content note notes abstract effect cause response"
)
_TITLES = word_set("title subject headline topic query question heading task action")
_PROSE_WORDS, _TITLE_WORDS = 24, 8
_SHARES = word_set("confidence probability certainty likelihood")
_SCORES = word_set("score rating stars urgency severity priority quality sentiment rank")
_EXAMPLES = re.compile(r"\b(?:such as|e\.g\.|for example|like)\s+([^.;)]*\S)", re.I)
_FORMAT_KINDS = {
    "date": "date",
    "date-time": "date",
    "email": "email",
    "uri": "url",
    "url": "url",
    "uuid": "uuid",
    "ipv4": "ipv4",
}
_NEGATIONS = re.compile(r"\b(?:not|no|never|nor|cannot|without|none)\b|n't\b", re.I)
_EMPTY_WORDS = word_set("is has are was needs should can does contains mentions of the")
_NESTED_REPEAT = re.compile(r"[*+}]\)[*+{]")
_MAX_WORD_CHARACTERS = 40  # a pattern is only compared with words that are not longer


class FieldValues:
    """The values of one answer. Each method returns None if the text has nothing that fits."""

    def __init__(self, task: Task, random: SeededRandom) -> None:
        self._task = task
        self._random = random
        self._facts = Facts(task.prompt)

    def text(self, name: str, schema: dict[str, Any]) -> str | None:
        """Return a fact, a label or a piece of the text, by a field's name and description."""
        if isinstance(schema.get("pattern"), str):
            return self._matching(schema["pattern"])
        kind = _FORMAT_KINDS.get(str(schema.get("format")))
        if kind is not None:
            value = self._facts.find(name) or self._facts.of_kind(kind)
            value = self._facts.of_kind(kind) if kind == "date" else value
            return f"{value}T09:00:00Z" if value and schema["format"] == "date-time" else value
        return self._described(str(schema.get("description", ""))) or self._named(name)

    def number(self, name: str, low: float | None, high: float | None) -> float | None:
        """Return a number of the text within the bounds, or one that rates the text."""
        words = set(words_of(name))
        if words & _SHARES and low is not None and high is not None:
            return low + (high - low) * (70 + self._random.randbelow(29)) / 100
        if words & _SCORES and low is not None and high is not None and high - low >= 2:
            return rating(self._task.material, int(low), int(high), self._random)
        fitting = (
            number
            for number in self._facts.numbers(name)
            if (low is None or number >= low) and (high is None or number <= high)
        )
        return None if words & _SCORES else next(fitting, None)

    def items(self, name: str, count: int) -> list[str]:
        """Return up to ``count`` different facts, or else long words, for a list of texts."""
        facts = self._facts.all_of(name) or prose.keywords(self._task.material)
        return facts[:count]

    def keyword(self) -> str:
        """Return one of the longest words of the text, for a field that nothing fits."""
        return self._random.choice(prose.keywords(self._task.material)[:5])

    def truth(self, name: str) -> bool:
        """Return whether the text speaks of the field's name, and does not deny what it says."""
        words = [word for word in words_of(name) if word not in _EMPTY_WORDS and len(word) > 2]
        if {"angry", "negative", "complaint", "upset"} & set(words):
            return sentiment(self._task.material) < 0
        for sentence in self._task.sentences:
            lower = sentence.lower()
            if words and all(word[:6] in lower for word in words):
                return _NEGATIONS.search(lower) is None
        return False

    def _matching(self, pattern: str) -> str | None:
        """Return a word of the text that matches ``pattern``."""
        if _NESTED_REPEAT.search(pattern):
            return None  # might take for ever
        try:
            form = re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            return None
        for word in self._task.prompt.split():
            stripped = word.strip(".,;:!?()[]{}\"'“”<>")
            if 0 < len(stripped) <= _MAX_WORD_CHARACTERS and form.fullmatch(stripped):
                return stripped
        return None

    def _described(self, description: str) -> str | None:
        """Return one of the labels or examples in the description of a field."""
        examples = _EXAMPLES.search(description)
        if examples is None:
            labels = find_labels(description)
            return choose_label(labels, self._task.material, self._random) if labels else None
        choices = [part.strip(" \"'") for part in re.split(r",|\bor\b", examples[1])]
        text = self._task.prompt
        for choice in choices:
            if any(character.isdigit() for character in choice):
                value = self._facts.like(choice)
            else:
                value = choice if re.search(rf"\b{re.escape(choice)}\b", text, re.I) else None
            if value:
                return value
        plain = [choice for choice in choices if not any(map(str.isdigit, choice))]
        return choices[0] if len(plain) == len(choices) else None

    def _named(self, name: str) -> str | None:
        if self._facts.labelled(name):
            return self._facts.find(name)
        words = set(words_of(name))
        for names, write in self._WRITERS.items():
            if words & names:
                return write(self)
        return self._facts.find(name) if kind_of(name) else None

    def _title(self) -> str:
        return prose.first_words(self._task.material, words=_TITLE_WORDS)

    def _sentence(self) -> str:
        return " ".join(self._task.sentences[0].split()[:_PROSE_WORDS])

    def _mood(self) -> str:
        return prose.mood(self._task.material)

    def _language(self) -> str:
        return prose.language(self._task.material)

    def _currency(self) -> str | None:
        return self._facts.currency()

    _WRITERS: ClassVar[dict[frozenset[str], Callable[["FieldValues"], str | None]]] = {
        _TITLES: _title,
        _PROSE: _sentence,
        word_set("sentiment mood tone"): _mood,
        word_set("language"): _language,
        word_set("currency"): _currency,
    }
