"""Requests with prompts that they share, and what the check says of them."""

import random
from typing import Any

from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.tokens.model_families import family_of
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line

MODEL = "Qwen/Qwen3-14B-FP8"
EXACT = family_of(MODEL).vocabulary().count  # type: ignore[union-attr]
WORDS = ("the", "of", "order", "price", "refund", "late", "parcel", "agent")
MARKER = {"cache_control": {"type": "ephemeral"}}


def text(name: str, words: int = 300) -> str:
    draw = random.Random(name)
    return " ".join(draw.choices(WORDS, k=words))


def messages(*contents: Any) -> list[dict[str, Any]]:
    roles = ["system", *("user", "assistant") * 20]
    return [{"role": role, "content": row} for role, row in zip(roles, contents, strict=False)]


def request(number: int, *contents: Any, model: str = MODEL, **fields: Any) -> bytes:
    body = make_body(model=model, messages=messages(*contents), **fields)
    return make_line(custom_id=f"r-{number}", body=body)


def facts(*lines: bytes) -> PromptFacts:
    return check_bytes(make_file(*lines)).prompts.get(MODEL, PromptFacts())
