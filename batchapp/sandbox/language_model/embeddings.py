"""Embedding vectors: texts that share words have similar vectors."""

import base64
import hashlib
import math
import struct
from typing import Any

from batchapp.sandbox.language_model.conversation import CHARACTERS_PER_TOKEN

DIMENSIONS = 4096
_DIMENSIONS_PER_WORD = 24
_MAX_WORDS = 300


def input_items(body: dict[str, Any]) -> list[Any]:
    """Return the texts or token lists that each get one vector."""
    value = body.get("input")
    if not isinstance(value, list):
        return [value]
    is_token_list = bool(value) and all(isinstance(item, int) for item in value)
    return [value] if is_token_list else value


def prompt_tokens(body: dict[str, Any]) -> int:
    return sum(_tokens(item) for item in input_items(body))


def embeddings_response(body: dict[str, Any]) -> dict[str, Any]:
    dimensions = body.get("dimensions") or DIMENSIONS
    data = []
    for index, item in enumerate(input_items(body)):
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
    """Return ``dimensions`` numbers that form a vector of length 1."""
    noise = hashlib.shake_128(text.encode(errors="replace")).digest(dimensions)
    numbers = [(byte - 127.5) / 2000 for byte in noise]
    for word in text.lower().split()[:_MAX_WORDS]:
        digest = hashlib.shake_128(word.encode(errors="replace")).digest(_DIMENSIONS_PER_WORD * 2)
        for value in struct.unpack(f"<{_DIMENSIONS_PER_WORD}H", digest):
            numbers[(value >> 1) % dimensions] += 1 if value % 2 else -1
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 7) for number in numbers]


def _tokens(item: object) -> int:
    if isinstance(item, list):
        return len(item)
    return -(-len(str(item)) // CHARACTERS_PER_TOKEN)
