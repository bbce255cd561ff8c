"""How many tokens a request sends, and how many it asks for.

The input is counted exactly for the models whose tokenizer and chat template we know, and by
stated ratios for all others.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from batchapp.domain.tokens import model_families, token_ratio
from batchapp.domain.tokens.model_families import Family
from batchapp.domain.tokens.model_prompt import NEUTRAL, Prompt, UnfamiliarError
from batchapp.domain.tokens.token_ratio import Size

__all__ = [
    "MAX_OUTPUT",
    "OUTPUT_LIMITS",
    "Size",
    "answers",
    "bound",
    "count",
    "expected",
    "is_count",
    "measure",
    "output",
]

MIN_EXPECTED_OUTPUT = 100
"""Tokens. A short question is answered with a paragraph, not with another short question."""

MAX_ANSWERS = 128
"""Source: https://platform.openai.com/docs/api-reference/chat/create, ``n``."""

MAX_OUTPUT = 10_000_000
"""No model writes more tokens; a larger ``max_tokens`` is a slip of the keyboard."""

OUTPUT_LIMITS = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
}
"""Fields of the body that bound an answer, the one that counts first."""


class Output(NamedTuple):
    """Output tokens of all answers to one request; ``limit`` is None when nothing bounds them."""

    expected: int
    limit: int | None


def count(body: Mapping[str, Any], url: str) -> int:
    """Input tokens of a request, as ``measure`` finds them."""
    return measure(body, url).tokens


def measure(body: Mapping[str, Any], url: str) -> Size:
    """The input of a request nested no deeper than ``MAX_DEPTH``."""
    model = body.get("model")
    family = model_families.of(model) if isinstance(model, str) else None
    if not family:
        return token_ratio.measure(body, url)
    try:
        return _measure_exactly(body, url, family)
    except UnfamiliarError:
        return token_ratio.measure(body, url, family.vocabulary(), family.image)


def _measure_exactly(body: Mapping[str, Any], url: str, family: Family) -> Size:
    prompt = Prompt(family.vocabulary(), family.image)
    if url == "/v1/chat/completions" and family.template:
        family.template.write(body, prompt)
    elif url == "/v1/completions" and family.is_chat:
        _add_inputs(body.get("prompt"), prompt, end=0)
    elif url == "/v1/embeddings" and not family.is_chat:
        _add_inputs(body.get("input"), prompt, end=family.input_end)
    else:
        raise UnfamiliarError
    is_exact = prompt.is_exact and body.keys() <= NEUTRAL
    return Size(prompt.tokens, prompt.images, prompt.assumed_images, is_exact)


def _add_inputs(inputs: object, prompt: Prompt, *, end: int) -> None:
    """A text, a list of tokens, or a list of either; ``end`` tokens are appended to each text.

    Source: https://platform.openai.com/docs/api-reference/embeddings/create, ``input``.
    """
    if isinstance(inputs, list) and inputs and not _is_tokens(inputs):
        for part in inputs:
            _add_input(part, prompt, end)
    else:
        _add_input(inputs, prompt, end)


def _add_input(value: object, prompt: Prompt, end: int) -> None:
    if isinstance(value, str):
        prompt.add(value)
        prompt.tokens += end
    elif _is_tokens(value):
        prompt.tokens += len(value)
    else:
        raise UnfamiliarError


def _is_tokens(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(number) is int for number in value)


def answers(body: Mapping[str, Any], url: str) -> int:
    """How many answers one request asks for: ``n`` for each of its prompts."""
    asked = body.get("n")
    per_prompt = min(asked, MAX_ANSWERS) if is_count(asked) else 1
    prompt = body.get("prompt")
    if url == "/v1/completions" and isinstance(prompt, list) and prompt:
        return per_prompt * (1 if isinstance(prompt[0], int) else len(prompt))
    return per_prompt


def output(body: Mapping[str, Any], url: str, input_tokens: int) -> Output:
    """What to expect without history: 1.1 times the input, within the request's own limit.

    Source: the provider's own fallback, control-layer 10.13, ``GET /files/{id}/cost-estimate``.
    """
    if url == "/v1/embeddings":
        return Output(0, 0)
    number = answers(body, url)
    limit = None
    for field in OUTPUT_LIMITS.get(url, ()):
        if most := bound(body.get(field)):
            limit = most * number
            break
    return Output(expected(input_tokens, number, limit), limit)


def expected(input_tokens: int, number: int, limit: int | None) -> int:
    """The output tokens that ``number`` answers without history come to, at most ``limit``."""
    tokens = max(-(-input_tokens * 11 // 10), MIN_EXPECTED_OUTPUT) * number
    return tokens if limit is None or tokens < limit else limit


def bound(value: object) -> int | None:
    """The most tokens that a field of ``OUTPUT_LIMITS`` allows; None if it bounds nothing.

    ``5.0`` is 5 to servers that read numbers leniently, as vLLM does, and refused by others: then
    nothing is written, which is also no more than 5.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if is_count(value) and value <= MAX_OUTPUT else None


def is_count(value: object) -> TypeGuard[int]:
    """Whether ``value`` is a whole number from 1; JSON's ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
