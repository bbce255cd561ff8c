"""Requests whose prompts have a given number of tokens."""

from typing import Any

from batchapp.sandbox.language_model.conversation import CHARACTERS_PER_TOKEN, TOKENS_PER_MESSAGE
from tests.sandbox.api_client import CHAT_MODEL, line

FIVE_MINUTES = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def text(tokens: int, topic: object = "") -> str:
    """Return a text with which a message has ``tokens`` tokens."""
    characters = (tokens - TOKENS_PER_MESSAGE) * CHARACTERS_PER_TOKEN
    return f"{topic} {'Tell me about kites. ' * characters}"[:characters]


def block(content: str, marker: object = None) -> dict[str, Any]:
    """Return a block of text, with a marker unless that is None."""
    marked = {} if marker is None else {"cache_control": marker}
    return {"type": "text", "text": content, **marked}


def message(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def request(
    custom_id: str,
    *,
    system: object = None,
    question: object = None,
    body: object = None,
    prefix: str = "",
    number: int = 0,
) -> str:
    """Return a line with a system prompt of 2,000 tokens and a question of 134 to 206.

    ``system``, ``question`` and ``body`` are the markers of these parts; ``prefix`` makes another
    system prompt.
    """
    fields: dict[str, Any] = {} if body is None else {"cache_control": body}
    return line(
        custom_id,
        model=CHAT_MODEL,
        max_tokens=27,
        messages=[
            message("system", block(text(2000, prefix), system)),
            message("user", block(text(134 + number * 37 % 73, custom_id), question)),
        ],
        **fields,
    )


def requests(count: int, **markers: Any) -> list[str]:
    return [request(f"row-{n}", number=n, **markers) for n in range(count)]
