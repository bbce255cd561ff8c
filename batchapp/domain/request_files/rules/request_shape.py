"""The shape of a request: a hash of everything that makes answers alike in length."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

LENGTH = 16  # hexadecimal digits of a shape

MAX_WRITTEN = 4_096  # characters of a shape that is kept without its hash

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


Instructions = tuple[str | tuple[str], ...]


class Shape(NamedTuple):
    """A shape that is not hashed yet, because most shapes of a file never need to be.

    ``instructions`` are the contents of the first messages: a text as it is, any other content as
    a tuple of its ``repr``. ``fields`` are the written ``FIELDS``.

    Gain: a check of requests with their own system prompts of 900 characters takes 2 µs less for
    each than with a text of all three.
    """

    url: str
    instructions: Instructions
    fields: str


# A shape of more than ``MAX_WRITTEN`` characters is hashed at once, so that it is not kept. The
# shape of an embedding, which has no answer, is "".
AnyShape = Shape | str


def hash_shape(body: Mapping[str, Any], url: str) -> str:
    """Hash the url, the instructions and ``FIELDS``, but not the question; "" for embeddings."""
    return _hash(read_shape(body, url))


def read_shape(body: Mapping[str, Any], url: str) -> AnyShape:
    """Return the shape of a request, equal to that of another if both have the same hash."""
    if url == "/v1/embeddings":
        return ""
    return make_shape(url, read_instructions(body), write_fields(body))


def make_shape(url: str, instructions: Instructions, fields: str) -> AnyShape:
    """Return the shape of a request that is no embedding."""
    size = len(fields)
    for content in instructions:
        size += len(content if isinstance(content, str) else content[0])
    shape = Shape(url, instructions, fields)
    return shape if size <= MAX_WRITTEN else _hash(shape)


def write_fields(body: Mapping[str, Any]) -> str:
    return "".join([f", {(name, body[name])!r}" for name in FIELDS if name in body])


def _hash(shape: AnyShape) -> str:
    if isinstance(shape, str):
        return shape
    contents = [
        repr(content) if isinstance(content, str) else content[0] for content in shape.instructions
    ]
    written = f"[{', '.join([repr(shape.url), *contents])}{shape.fields}]"
    data = written.encode(errors="surrogatepass")
    return hashlib.blake2b(data, digest_size=LENGTH // 2).hexdigest()


def read_instructions(body: Mapping[str, Any]) -> Instructions:
    """Return the contents of the messages before the first message of another role."""
    contents: list[str | tuple[str]] = []
    messages = body.get("messages", body.get("input"))
    for message in messages if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in INSTRUCTION_ROLES:
            break
        content = message.get("content")
        contents.append(content if isinstance(content, str) else (repr(content),))
    return tuple(contents)


class ShapeCounts:
    """Counts the first shapes of each model; a shape that most requests share appears early."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[AnyShape]] = {}

    def add(self, model: str, shape: AnyShape, requests: int = 1) -> None:
        counts = self._counts.get(model)
        if counts is None:
            counts = self._counts[model] = Counter()
        if shape in counts or len(counts) < MAX_SHAPES_PER_MODEL:
            counts[shape] += requests

    def most_common(self, model: str, requests: int) -> str:
        """Return the shape that more than half of the ``requests`` have; "" if there is none."""
        for shape, count in self._counts.get(model, Counter[AnyShape]()).most_common(1):
            if 2 * count > requests:
                return _hash(shape)
        return ""
