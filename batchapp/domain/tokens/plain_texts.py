"""Find the texts in which the requests of a file mostly differ: its messages, prompt or input."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.tokens import model_families
from batchapp.domain.tokens.counting import INPUT_FIELDS
from batchapp.domain.tokens.model_prompt import Prompt

ROLES = frozenset({"system", "developer", "user", "assistant"})

# Adds the tokens of a text with this role to a prompt; False if the text is not independent.
AddText = Callable[[str, str, Prompt], bool]


class PlainText(NamedTuple):
    """A text at ``holder[field]``, somewhere within the body; ``role`` is "" without messages."""

    holder: dict[str, Any]
    field: str
    role: str

    @property
    def text(self) -> str:
        return str(self.holder[self.field])


def find_texts(body: dict[str, Any], url: str) -> list[PlainText]:
    """Return the texts of a request that may be independent of one another, in their order.

    Only a chat that ends in a question has any: its earlier answers do not depend on the words of
    the texts before and after.
    """
    if url == "/v1/chat/completions":
        messages = body.get("messages")
        if isinstance(messages, list) and _is_question(messages[-1] if messages else None):
            return list(_texts_of_messages(messages))
        return []
    field = INPUT_FIELDS.get(url, "")
    return [PlainText(body, field, "")] if isinstance(body.get(field), str) else []


def text_writer(body: Mapping[str, Any], url: str) -> AddText | None:
    """Return the function that adds one of ``find_texts``; None if there is no exact count."""
    family = model_families.family_of(body["model"])
    if not family:
        return None
    if url == "/v1/chat/completions":
        return family.template.add_text if family.template else None
    end = family.input_end if url == "/v1/embeddings" else 0

    def add_input(_role: str, text: str, prompt: Prompt) -> bool:
        prompt.tokens += end
        prompt.add(text)
        return True

    return add_input


def _is_question(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "user"


def _texts_of_messages(messages: list[Any]) -> Iterator[PlainText]:
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if isinstance(role, str) and role in ROLES and isinstance(message.get("content"), str):
            yield PlainText(message, "content", role)
