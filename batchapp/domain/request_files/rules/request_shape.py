"""The shape of a request: a hash of everything that makes answers alike in length."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

LENGTH = 16  # hexadecimal digits of a shape

MAX_WRITTEN = 4_096  # characters of a shape that is kept as it is written

# In one file. A shape that most requests share is rarely only the seventeenth to appear.
MAX_SHAPES_PER_MODEL = 16

INSTRUCTION_ROLES = frozenset({"system", "developer"})

# Fields of a body that limit or form an answer, whatever the question is.
FIELDS = (
    *("max_completion_tokens", "max_tokens", "max_output_tokens", "n", "stop"),
    *("response_format", "text", "tools", "functions", "tool_choice", "function_call"),
    *("reasoning", "reasoning_effort", "thinking", "chat_template_kwargs"),
    *("system", "instructions"),
)


def hash_shape(body: Mapping[str, Any], url: str) -> str:
    """Hash the url, the instructions and ``FIELDS``, but not the question; "" for embeddings."""
    return _hash(write_shape(body, url))


def write_shape(body: Mapping[str, Any], url: str) -> str:
    """Write what ``hash_shape`` hashes; a long text is hashed at once, so that it is not kept.

    Embeddings have no answer, and therefore the shape "".
    """
    if url == "/v1/embeddings":
        return ""
    parts = [url, *_instructions(body), *((name, body[name]) for name in FIELDS if name in body)]
    written = repr(parts)
    return written if len(written) <= MAX_WRITTEN else _hash(written)


def _hash(written: str) -> str:
    if len(written) <= LENGTH:  # nothing, or a hash already: the url alone is longer
        return written
    data = written.encode(errors="surrogatepass")
    return hashlib.blake2b(data, digest_size=LENGTH // 2).hexdigest()


def _instructions(body: Mapping[str, Any]) -> Iterator[object]:
    """Yield the contents of the messages before the first message of another role."""
    messages = body.get("messages", body.get("input"))
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            return
        role = message.get("role")
        if not isinstance(role, str) or role not in INSTRUCTION_ROLES:
            return
        yield message.get("content")


class ShapeCounts:
    """Counts the first shapes of each model; a shape that most requests share appears early."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, model: str, shape: str) -> None:
        counts = self._counts.get(model)
        if counts is None:
            counts = self._counts[model] = Counter()
        if shape in counts or len(counts) < MAX_SHAPES_PER_MODEL:
            counts[shape] += 1

    def most_common(self, model: str, requests: int) -> str:
        """Return the shape that more than half of the ``requests`` have; "" if there is none."""
        for shape, count in self._counts.get(model, Counter()).most_common(1):
            if 2 * count > requests:
                return _hash(shape)
        return ""
