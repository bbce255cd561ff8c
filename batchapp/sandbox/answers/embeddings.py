"""Embedding vectors: texts with words in common point the same way."""

import base64
import hashlib
import math
import struct
from typing import Any

from batchapp.sandbox.answers.conversation import CHARACTERS_PER_TOKEN

DIMENSIONS = 4096
_PLACES_PER_WORD = 24
_WORDS = 300


def inputs_of(body: dict[str, Any]) -> list[Any]:
    """The texts, or token lists, of a request, one vector each."""
    given = body.get("input")
    if not isinstance(given, list):
        return [given]
    is_one_token_list = bool(given) and all(isinstance(item, int) for item in given)
    return [given] if is_one_token_list else given


def prompt_tokens(body: dict[str, Any]) -> int:
    return sum(_tokens(item) for item in inputs_of(body))


def embedding_body(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to an embeddings request."""
    dimensions = body.get("dimensions") or DIMENSIONS
    data = []
    for index, item in enumerate(inputs_of(body)):
        numbers: list[float] | str = vector(str(item), dimensions)
        if body.get("encoding_format") == "base64":
            packed = struct.pack(f"<{dimensions}f", *numbers)
            numbers = base64.b64encode(packed).decode()
        data.append({"object": "embedding", "index": index, "embedding": numbers})
    tokens = prompt_tokens(body)
    return {
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, dimensions: int) -> list[float]:
    """``dimensions`` numbers of length 1 together, the same for the same text."""
    noise = hashlib.shake_128(text.encode(errors="replace")).digest(dimensions)
    numbers = [(byte - 127.5) / 2000 for byte in noise]
    for word in text.lower().split()[:_WORDS]:
        places = hashlib.shake_128(word.encode(errors="replace")).digest(_PLACES_PER_WORD * 2)
        for place in struct.unpack(f"<{_PLACES_PER_WORD}H", places):
            numbers[(place >> 1) % dimensions] += 1 if place % 2 else -1
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 7) for number in numbers]


def _tokens(item: object) -> int:
    if isinstance(item, list):
        return len(item)
    return -(-len(str(item)) // CHARACTERS_PER_TOKEN)
