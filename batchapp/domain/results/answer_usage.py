"""Read the token counts of an answer's body, in any known shape."""

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_TOKENS = 100_000_000  # a larger count is no real count: ten times what a request can hold


class CacheTokens(NamedTuple):
    """Input tokens that were read from the provider's cache, or written to it for a lifetime."""

    read: int
    written_5m: int
    written_1h: int
    written_24h: int


class AnswerUsage(NamedTuple):
    """All input and output tokens, None without such a count.

    ``input_tokens`` contain those of ``cache``, which is None if the answer says nothing of it.
    """

    input_tokens: int | None
    output_tokens: int | None
    cache: CacheTokens | None = None


UNKNOWN = AnswerUsage(None, None)


def read_usage(body: object) -> AnswerUsage:
    """Return the token counts of a body; none if they cannot all be true.

    ``prompt_tokens``, and ``input_tokens`` of the responses API, include cached input, also where
    fields in Anthropic's style stand beside them; ``input_tokens`` of the messages API leaves it
    out. Source: https://platform.openai.com/docs/guides/prompt-caching and
    https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
    """
    fields = _mapping(body)
    counts = _mapping(fields.get("usage")) or _of_gemini(_mapping(fields.get("usageMetadata")))
    try:
        cache = _cache(counts)
    except ValueError:
        return UNKNOWN
    input_tokens = token_count(counts.get("prompt_tokens"))
    if input_tokens is None and "prompt_tokens" not in counts:
        input_tokens = token_count(counts.get("input_tokens"))
        is_other_api = fields.keys() & {"choices", "output", "data"}
        is_apart = not is_other_api and "input_tokens_details" not in counts
        if input_tokens is not None and is_apart and cache:
            input_tokens = token_count(input_tokens + sum(cache))
    output_tokens = token_count(counts.get("completion_tokens", counts.get("output_tokens")))
    if output_tokens is None and input_tokens is not None and "data" in fields:
        output_tokens = 0  # an embedding has no output, and its body no count of output
    if input_tokens is None:
        return AnswerUsage(None, output_tokens)
    if cache and sum(cache) > input_tokens:
        return UNKNOWN
    return AnswerUsage(input_tokens, output_tokens, cache)


def _of_gemini(counts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Gemini's counts by OpenAI's names; its thoughts are output as well."""
    if not counts:
        return counts
    outputs = [counts.get("candidatesTokenCount"), counts.get("thoughtsTokenCount")]
    known = [count for count in map(token_count, outputs) if count is not None]
    return {
        "prompt_tokens": counts.get("promptTokenCount"),
        "completion_tokens": sum(known) if known else None,
        "prompt_tokens_details": {"cached_tokens": counts.get("cachedContentTokenCount")},
    }


def cache_tokens(
    read: int | None, written: int | None, by_lifetime: tuple[int | None, int | None, int | None]
) -> CacheTokens | None:
    """Return the cached tokens of an answer, or None if it says nothing of these.

    ``written`` are those of all lifetimes. What no lifetime has is written for five minutes, the
    provider's default.
    """
    if read is None and written is None and by_lifetime == (None, None, None):
        return None
    short, *longer = (count or 0 for count in by_lifetime)
    return CacheTokens(read or 0, max(short, (written or 0) - sum(longer)), *longer)


def token_count(value: object) -> int | None:
    """Return a whole number that a request can hold, also if it is written as 12.0; else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def _cache(counts: Mapping[str, Any]) -> CacheTokens | None:
    """Return the cached tokens of a usage.

    Raises:
        ValueError: a count is there, but is none.
    """
    name = "prompt_tokens_details" if "prompt_tokens" in counts else "input_tokens_details"
    read = _count_or_none(_mapping(counts.get(name)).get("cached_tokens"))
    if read is None:
        read = _count_or_none(counts.get("cache_read_input_tokens"))
    written = _count_or_none(counts.get("cache_creation_input_tokens"))
    by_lifetime = _mapping(counts.get("cache_creation"))
    short, middle, long = (
        _count_or_none(by_lifetime.get(f"ephemeral_{lifetime}_input_tokens"))
        for lifetime in ("5m", "1h", "24h")
    )
    return cache_tokens(read, written, (short, middle, long))


def _count_or_none(value: object) -> int | None:
    count = token_count(value)
    if count is None and value is not None:
        raise ValueError("no count of tokens")
    return count


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
