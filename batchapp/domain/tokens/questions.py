"""The one text that the requests of a file mostly differ in, and its share of their tokens."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from batchapp.domain.tokens import model_families

ASKING = frozenset({"system", "developer", "user"})
"""Roles of a chat that has no answers in it yet: what a template prints of an earlier answer may
hang on the words of a later question."""


class Question(NamedTuple):
    """``holder[field]`` is the text, somewhere within the body.

    Of a request that is measured exactly, the tokens are ``count`` of this text and a sum that no
    other text in its place would change.
    """

    holder: dict[str, Any]
    field: str
    count: Callable[[str], int]

    @property
    def text(self) -> str:
        return str(self.holder[self.field])


def question(body: Mapping[str, Any], url: str) -> Question | None:
    """The last message of a chat, if it is the user's and a plain text."""
    family = model_families.of(body["model"])
    messages = body.get("messages")
    if not family or not family.template or url != "/v1/chat/completions":
        return None
    if not isinstance(messages, list) or not all(map(_is_asking, messages)):
        return None
    last = messages[-1]
    if last["role"] != "user" or not isinstance(last.get("content"), str):
        return None
    count = partial(family.template.question, vocabulary=family.vocabulary())
    return Question(last, "content", count)


def _is_asking(message: object) -> bool:
    role = message.get("role") if isinstance(message, dict) else None
    return isinstance(role, str) and role in ASKING
