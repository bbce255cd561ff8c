"""What makes answers alike in length: the shape of a request, told apart by a short hash."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

LENGTH = 16
"""Hexadecimal digits of a shape."""

MAX_SHAPES_PER_MODEL = 16
"""Of one model in one file. A shape that most requests have is seldom the seventeenth."""

INSTRUCTIONS = frozenset({"system", "developer"})

FIELDS = (
    *("max_completion_tokens", "max_tokens", "max_output_tokens", "n", "stop"),
    *("response_format", "text", "tools", "functions", "tool_choice", "function_call"),
    *("reasoning", "reasoning_effort", "thinking", "chat_template_kwargs"),
    *("system", "instructions"),
)
"""Of a body: what bounds or forms an answer, whatever is asked."""


def hash_shape(body: Mapping[str, Any], url: str) -> str:
    """A hash of the address, the instructions and what bounds an answer; not of the question."""
    parts = [url, *_instructions(body), *((name, body[name]) for name in FIELDS if name in body)]
    return _hash(repr(parts))


@lru_cache(maxsize=64)
def _hash(written: str) -> str:
    """Remembered, since the requests of a file mostly share one."""
    data = written.encode(errors="surrogatepass")
    return hashlib.blake2b(data, digest_size=LENGTH // 2).hexdigest()


def _instructions(body: Mapping[str, Any]) -> Iterator[object]:
    """The messages at the beginning that are not the user's."""
    messages = body.get("messages", body.get("input"))
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            return
        role = message.get("role")
        if not isinstance(role, str) or role not in INSTRUCTIONS:
            return
        yield message.get("content")


class ShapeCounts:
    """Counts the shapes of each model, a few of them: what most requests share comes early."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, model: str, found: str) -> None:
        counts = self._counts.get(model)
        if counts is None:
            counts = self._counts[model] = Counter()
        if found in counts or len(counts) < MAX_SHAPES_PER_MODEL:
            counts[found] += 1

    def usual(self, model: str, requests: int) -> str:
        """The shape that more than half of the ``requests`` have; "" if there is none."""
        for found, number in self._counts.get(model, Counter()).most_common(1):
            if 2 * number > requests:
                return found
        return ""
