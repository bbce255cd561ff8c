"""Find parameters that are sound alone and fail together, with the model, or by their absence."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.rules.parameters import CHAT, COMPLETIONS, MESSAGES, RESPONSES

MIN_BUDGET = 1_024  # tokens. Source: Anthropic's API reference, ``thinking.budget_tokens``.
LIMITS = {CHAT: "max_tokens", COMPLETIONS: "max_tokens", MESSAGES: "max_tokens"}
LIMITS[RESPONSES] = "max_output_tokens"

# Models of OpenAI that always reason. gpt-oss is none of them.
REASONING_MODEL = re.compile(r"(?:.*/)?(?:o[1-9](?:-.*)?|gpt-5(?:-mini|-nano)?(?:-\d.*)?)")
# Parameters that reasoning models refuse, unless the parameter has this value.
# Source: https://platform.openai.com/docs/guides/reasoning
REFUSED_BY_REASONING_MODELS = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": None,
    "logit_bias": None,
}


@lru_cache(maxsize=1_024)  # a file names few models, and each many times
def is_reasoning_model(model: str) -> bool:
    return bool(REASONING_MODEL.fullmatch(model.lower()))


def find_wrong_combinations(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    if url == MESSAGES:
        yield from _of_messages(body)
    elif body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        yield RequestFinding(
            "two_limits",
            "max_tokens and max_completion_tokens are both set, which some servers refuse; keep "
            "one of them, max_completion_tokens where both count.",
        )
    if url == CHAT and body.get("top_logprobs") and body.get("logprobs") is not True:
        yield _will_fail("top_logprobs needs logprobs to be true", "set it, or leave both out")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield _will_fail("stream_options needs stream, which a batch has not", "leave it out")
    limit, least = body.get(LIMITS.get(url, "")), body.get("min_tokens")
    if _is_number(limit) and _is_number(least) and least > limit:
        yield _will_fail(f"min_tokens is more than {LIMITS[url]}", "lower it")
    best_of, answers = body.get("best_of"), body.get("n", 1)
    if _is_number(best_of) and _is_number(answers) and best_of < answers:
        yield _will_fail("best_of is less than n", "raise it, or leave it out")
    model = body.get("model")
    if url in (CHAT, RESPONSES) and isinstance(model, str) and is_reasoning_model(model):
        yield from _of_reasoning_model(body, url, model)


def _of_messages(body: Mapping[str, Any]) -> Iterator[RequestFinding]:
    limit, thinking = body.get("max_tokens"), body.get("thinking")
    if limit is None:
        yield RequestFinding(
            "missing_max_tokens",
            f"body has no max_tokens, so this request will fail at {MESSAGES}; add the most "
            "tokens of an answer, such as 1000.",
        )
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if not _is_number(budget):
        return
    if budget < MIN_BUDGET:
        yield _will_fail(f"budget_tokens is less than {MIN_BUDGET:,}", "raise it")
    elif _is_number(limit) and budget >= limit:
        yield _will_fail(
            "budget_tokens is not less than max_tokens, which includes it", "raise max_tokens"
        )


def _of_reasoning_model(body: Mapping[str, Any], url: str, model: str) -> Iterator[RequestFinding]:
    refused = [
        name
        for name, value in REFUSED_BY_REASONING_MODELS.items()
        if body.get(name) is not None and body[name] != value
    ]
    advice = [f"leave out {', '.join(refused)}"] if refused else []
    if url == CHAT and body.get("max_tokens") is not None:
        refused.append("max_tokens")
        advice.append("write max_completion_tokens instead of max_tokens")
    if refused:
        yield RequestFinding(
            "reasoning_model",
            f"{presentable(model, 40)} is a reasoning model that refuses {', '.join(refused)}, so "
            f"this request will fail; {' and '.join(advice)}.",
        )


def _will_fail(problem: str, advice: str) -> RequestFinding:
    return RequestFinding("bad_combination", f"{problem}, so this request will fail; {advice}.")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
