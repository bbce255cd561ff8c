"""Count the input tokens of a request, and limit its output tokens.

The input is counted exactly for models whose tokenizer and chat template are known, and by
stated ratios for all others.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from batchapp.domain.tokens import model_families, token_ratio
from batchapp.domain.tokens.model_families import Family
from batchapp.domain.tokens.model_prompt import NEUTRAL_FIELDS, Prompt, UnfamiliarError
from batchapp.domain.tokens.token_ratio import Size

# Source: https://platform.openai.com/docs/api-reference/chat/create, ``n``.
MAX_ANSWERS = 128

MAX_OUTPUT = (
    10_000_000  # tokens: no model writes more, so a larger ``max_tokens`` is a typing error
)

# URL -> field of the body that has one prompt or several.
INPUT_FIELDS = {"/v1/completions": "prompt", "/v1/embeddings": "input"}

# URL -> fields of the body that limit an answer, the field that takes precedence first.
OUTPUT_LIMIT_FIELDS = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
}


class OutputLimit(NamedTuple):
    """The most ``tokens`` of all ``answers`` to one request; None if the request sets no limit."""

    answers: int
    tokens: int | None


def measure_input(body: Mapping[str, Any], url: str) -> Size:
    """Return the size of the input of a request nested no deeper than ``MAX_DEPTH``."""
    size = read_input(body, url)
    if not size.vocabulary:
        return size
    tokens = size.tokens + size.vocabulary.count_sums([*size.texts, *size.repeated])[-1]
    longest = _measure_longest(body, url) if size.is_exact else 0
    return size._replace(tokens=tokens, longest=longest, texts=(), repeated=(), vocabulary=None)


def _measure_longest(body: Mapping[str, Any], url: str) -> int:
    """Return the tokens of the longest of several prompts; 0 if there is only one."""
    field = INPUT_FIELDS.get(url, "")
    inputs = body.get(field)
    if not _is_several(inputs):
        return 0
    return max(measure_input({**body, field: item}, url).tokens for item in inputs)


def read_input(body: Mapping[str, Any], url: str) -> Size:
    """Return the same as ``measure_input`` before its texts are counted, without ``longest``.

    The texts of many requests are counted faster together.
    """
    model = body.get("model")
    family = model_families.family_of(model) if isinstance(model, str) else None
    if not family:
        return token_ratio.measure(body, url)
    try:
        return _read_exactly(body, url, family)
    except UnfamiliarError:
        return token_ratio.measure(body, url, family.vocabulary(), family.image)


def _read_exactly(body: Mapping[str, Any], url: str, family: Family) -> Size:
    prompt = Prompt(family.vocabulary(), family.image)
    if url == "/v1/chat/completions" and family.template:
        family.template.write(body, prompt)
    elif url == "/v1/completions" and family.is_chat:
        _add_inputs(body.get("prompt"), prompt, end=0)
    elif url == "/v1/embeddings" and not family.is_chat:
        _add_inputs(body.get("input"), prompt, end=family.input_end)
    else:
        raise UnfamiliarError
    is_exact = prompt.is_exact and body.keys() <= NEUTRAL_FIELDS
    return Size(
        prompt.tokens,
        prompt.images,
        prompt.assumed_images,
        is_exact,
        texts=tuple(prompt.texts),
        repeated=tuple(prompt.repeated),
        vocabulary=prompt.vocabulary,
    )


def _add_inputs(inputs: object, prompt: Prompt, *, end: int) -> None:
    """Add a text, a list of token ids, or a list of either; ``end`` tokens follow each text.

    Source: https://platform.openai.com/docs/api-reference/embeddings/create, ``input``.
    """
    if _is_several(inputs):
        for item in inputs:
            _add_input(item, prompt, end)
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


def _is_several(inputs: object) -> TypeGuard[list[Any]]:
    return isinstance(inputs, list) and bool(inputs) and not _is_tokens(inputs)


def _is_tokens(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(number) is int for number in value)


def count_answers(body: Mapping[str, Any], url: str) -> int:
    """Return the number of answers that a request asks for: ``n`` for each of its prompts."""
    n = body.get("n")
    per_prompt = min(n, MAX_ANSWERS) if is_count(n) else 1
    prompt = body.get("prompt")
    if url == "/v1/completions" and isinstance(prompt, list) and prompt:
        return per_prompt * (1 if isinstance(prompt[0], int) else len(prompt))
    return per_prompt


def limit_output(body: Mapping[str, Any], url: str) -> OutputLimit:
    """Return the limit that a request sets on the tokens of its answers together.

    Embeddings, and endpoints that are not known here, answer with no text.
    """
    if url not in OUTPUT_LIMIT_FIELDS:
        return OutputLimit(1, 0)
    answers, limit = count_answers(body, url), answer_limit(body, url)
    return OutputLimit(answers, limit and limit * answers)


def answer_limit(body: Mapping[str, Any], url: str) -> int | None:
    """Return the most tokens of one answer that a request allows; None without a limit."""
    for field in OUTPUT_LIMIT_FIELDS.get(url, ()):
        if tokens := token_limit(body.get(field)):
            return tokens
    return None


def answer_limit_field(body: Mapping[str, Any], url: str) -> str:
    """Return the field that sets ``answer_limit``; "" without a limit."""
    fields = OUTPUT_LIMIT_FIELDS.get(url, ())
    return next((field for field in fields if token_limit(body.get(field))), "")


def token_limit(value: object) -> int | None:
    """Return the limit that a field of ``OUTPUT_LIMIT_FIELDS`` sets, or None if it sets none.

    ``5.0`` is 5 to servers that read numbers leniently, such as vLLM. Other servers refuse the
    request, and then nothing is written, which is no more than 5 either.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if is_count(value) and value <= MAX_OUTPUT else None


def is_count(value: object) -> TypeGuard[int]:
    """Return True if ``value`` is a whole number of at least 1; JSON's ``true`` is no number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
