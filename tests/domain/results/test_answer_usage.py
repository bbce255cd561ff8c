"""Token counts of answers, cached ones among them, as several APIs write them."""

from typing import Any

import pytest

from batchapp.domain.results.answer_usage import (
    MAX_TOKENS,
    UNKNOWN,
    AnswerUsage,
    CacheTokens,
    read_usage,
)

# As the provider answers a chat with a marker.
CHAT = {
    "prompt_tokens": 2163,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 2000},
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 100,
    "cache_creation": {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 100,
        "ephemeral_24h_input_tokens": 0,
    },
}


def chat(**changes: object) -> dict[str, Any]:
    return {"choices": [], "usage": CHAT | changes}


def message(**usage: object) -> dict[str, Any]:
    return {"type": "message", "content": [], "usage": {"output_tokens": 50} | usage}


def test_prompt_tokens_of_a_chat_contain_cached_tokens() -> None:
    assert read_usage(chat()) == AnswerUsage(2163, 50, CacheTokens(2000, 0, 100, 0))


def test_input_tokens_of_a_message_leave_cached_tokens_out() -> None:
    body = message(
        input_tokens=63,
        cache_read_input_tokens=2000,
        cache_creation={"ephemeral_1h_input_tokens": 100},
    )

    assert read_usage(body) == AnswerUsage(2163, 50, CacheTokens(2000, 0, 100, 0))


@pytest.mark.parametrize(
    ("changes", "cache"),
    [
        ({"cache_creation": None}, CacheTokens(2000, 100, 0, 0)),
        ({"cache_creation_input_tokens": 163}, CacheTokens(2000, 63, 100, 0)),
        ({"cache_creation_input_tokens": None}, CacheTokens(2000, 0, 100, 0)),
        ({"cache_read_input_tokens": 7}, CacheTokens(2000, 0, 100, 0)),
        ({"prompt_tokens_details": None}, CacheTokens(2000, 0, 100, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, CacheTokens(0, 0, 100, 0)),
    ],
)
def test_tokens_written_without_a_lifetime_are_of_the_shortest(
    changes: dict[str, object], cache: CacheTokens
) -> None:
    assert read_usage(chat(**changes)).cache == cache


def test_an_answer_that_says_nothing_of_a_cache_has_none() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {}}

    assert read_usage({"choices": [], "usage": usage}) == AnswerUsage(5, 2, None)


@pytest.mark.parametrize(
    "body",
    [
        chat(prompt_tokens=2099),
        chat(prompt_tokens=0),
        chat(prompt_tokens_details={"cached_tokens": 2164}),
        chat(prompt_tokens_details={"cached_tokens": -1}),
        chat(cache_creation_input_tokens="100"),
        chat(cache_creation={"ephemeral_5m_input_tokens": 0.5}),
        chat(prompt_tokens_details={"cached_tokens": MAX_TOKENS + 1}),
        message(input_tokens=5, cache_read_input_tokens=-2000),
    ],
)
def test_counts_that_cannot_all_be_true_are_unknown(body: dict[str, Any]) -> None:
    assert read_usage(body) == UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        chat(prompt_tokens=-1),
        chat(prompt_tokens=10**30),
        message(input_tokens=MAX_TOKENS, cache_read_input_tokens=1),
    ],
)
def test_an_absurd_input_is_unknown(body: dict[str, Any]) -> None:
    assert read_usage(body) == AnswerUsage(None, 50)
