"""Find the text in which the requests of a file mostly differ: the last message of the user."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from batchapp.domain.tokens import model_families

# Roles of a chat without earlier answers: the text that a template prints for an earlier answer
# may depend on the words of a later question.
ROLES_BEFORE_AN_ANSWER = frozenset({"system", "developer", "user"})


class Question(NamedTuple):
    """A text at ``holder[field]``, somewhere within the body.

    In a request that is measured exactly, another text there changes the tokens by the difference
    of the two ``count``, and by nothing else.
    """

    holder: dict[str, Any]
    field: str
    count: Callable[[str], int]

    @property
    def text(self) -> str:
        return str(self.holder[self.field])


def find_question(body: Mapping[str, Any], url: str) -> Question | None:
    """Return the last message of a chat, if it is the user's and plain text."""
    family = model_families.family_of(body["model"])
    messages = body.get("messages")
    if not family or not family.template or url != "/v1/chat/completions":
        return None
    if not isinstance(messages, list) or not all(map(_is_before_an_answer, messages)):
        return None
    last = messages[-1]
    if last["role"] != "user" or not isinstance(last.get("content"), str):
        return None
    count = partial(family.template.question_tokens, vocabulary=family.vocabulary())
    return Question(last, "content", count)


def _is_before_an_answer(message: object) -> bool:
    role = message.get("role") if isinstance(message, dict) else None
    return isinstance(role, str) and role in ROLES_BEFORE_AN_ANSWER
