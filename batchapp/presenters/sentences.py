"""Make a sentence of a code and its facts, by a table of templates."""

import logging
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batchapp.domain import windows
from batchapp.templatetags.words import count

logger = logging.getLogger(__name__)

Data = Mapping[str, Any]
Sentence = str | Callable[[Data], str]  # a template such as "{connection} took {requests:,}"


class _Formatter(string.Formatter):
    """Formats a list as its members, a number after "count" with its noun, and a window.

    ``{answers:count answer}`` is "1 answer" or "2 answers". See ``count`` for other plurals.
    ``{name:window}`` is "24 h" for the completion window "24h", and likewise for a list of them.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("count "):
            return count(value, format_spec.removeprefix("count "))
        if format_spec == "window":
            names = [value] if isinstance(value, str) else value
            return ", ".join(map(windows.spaced, names))
        if isinstance(value, Sequence) and not isinstance(value, str):
            return ", ".join(map(str, value))
        formatted: str = super().format_field(value, format_spec)
        return formatted


def with_quote(text: str, data: Data) -> str:
    """Add to ``text`` what the provider said, if it said anything."""
    return f"{text} ({data['connection']} said: {data['said']})" if data["said"] else text


def split_cause(text: str) -> tuple[str, str]:
    """Return the first sentence of ``text``, and the others; what is in brackets ends none."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth and text[at : at + 2] == ". ":
            return text[: at + 1], text[at + 2 :]
    return text, ""


def named(names: Sequence[str], most: int = 3) -> str:
    """Return the first ``most`` of ``names``, and how many more there are."""
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def make_sentence(sentences: Mapping[Any, Sentence], code: str, data: Data) -> str:
    """Return the sentence of ``code`` with the facts of ``data``.

    Raises:
        KeyError: the code has no sentence, or ``data`` lacks a fact that the sentence names.
    """
    sentence = sentences[code]
    return format_template(sentence, data) if isinstance(sentence, str) else sentence(data)


def format_template(template: str, data: Data) -> str:
    """Return ``template`` with the facts of ``data``.

    Raises:
        KeyError: ``data`` lacks a fact that the template names.
    """
    return _Formatter().vformat(template, (), data)


def make_stored_sentence(sentences: Mapping[Any, Sentence], code: str, data: Data) -> str:
    """Return the sentence of a stored ``code``, or which code has none in this version.

    During an upgrade, and after a return to an older version, rows hold codes and facts of
    another version, and their page must be shown all the same.
    """
    try:
        return make_sentence(sentences, code, data)
    except KeyError as exc:
        logger.warning("No sentence for the code %s with %s: %r", code, data, exc)
        return f"This version of the portal cannot explain “{code}”."
