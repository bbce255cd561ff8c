"""The thoughts of models that think before they answer; they are billed like the answer."""

from typing import Any

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.language_model.conversation import CHARACTERS_PER_TOKEN, Conversation
from batchapp.sandbox.seeded_random import SeededRandom

_URLS_WITHOUT_THOUGHTS = ("/v1/completions", "/v1/embeddings")
# Tokens of thoughts at the medium effort: for any answer, and for each token of the answer.
# Source: https://github.com/cpldcpu/LRMTokenEconomy, completion tokens for plain questions.
_LEAST, _MOST, _PER_ANSWER_TOKEN = 200, 600, 1
_TERSE_MODELS, _TERSE_FACTOR = "openai/gpt-oss", 0.25
# Source: https://openrouter.ai/docs/use-cases/reasoning-tokens, relative to the medium effort.
_EFFORT_FACTORS = {
    "none": 0.0,
    "minimal": 0.2,
    "low": 0.4,
    "medium": 1.0,
    "high": 1.6,
    "xhigh": 1.9,
    "max": 2.0,
}
# The steps that thoughts are made of; {} is the beginning of the prompt.
_STEPS = (
    "The user wants an answer to this: {}",
    "I should read the request once more and take only what it says.",
    "There is more than one way to read this, so I compare them.",
    "The first reading fits the instruction better.",
    "I check the format that was asked for.",
    "Nothing in the text speaks against this answer.",
)


def thinks(url: str, body: dict[str, Any]) -> bool:
    """Return whether the model thinks; one that can be switched does unless its effort is none."""
    model = MODELS.get(body["model"])
    has_thoughts = model is not None and bool(model.efforts) and _effort(body) != "none"
    return has_thoughts and url not in _URLS_WITHOUT_THOUGHTS


def thoughts(
    conversation: Conversation, body: dict[str, Any], answer: str, random: SeededRandom
) -> str:
    """Return what the model thinks before ``answer``; it leaves room for the answer."""
    answer_tokens = -(-len(answer) // CHARACTERS_PER_TOKEN)
    tokens = _LEAST + random.randbelow(_MOST - _LEAST) + _PER_ANSWER_TOKEN * answer_tokens
    factor = _EFFORT_FACTORS.get(str(_effort(body)), 1.0)
    factor *= _TERSE_FACTOR if body["model"].startswith(_TERSE_MODELS) else 1.0
    tokens = round(tokens * factor)
    if conversation.max_tokens is not None:
        tokens = min(tokens, max(conversation.max_tokens - answer_tokens, 0))
    return _text(tokens * CHARACTERS_PER_TOKEN, conversation.prompt, random)


def _effort(body: dict[str, Any]) -> object:
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return effort or body.get("reasoning_effort") or "medium"


def _text(characters: int, prompt: str, random: SeededRandom) -> str:
    """Return a text of exactly ``characters``."""
    steps = [_STEPS[0].format(" ".join(prompt[:80].split()))]
    length = len(steps[0])
    while length < characters:
        steps.append(random.choice(_STEPS[1:]))
        length += len(steps[-1]) + 1
    return " ".join(steps)[:characters]
