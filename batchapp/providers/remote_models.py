"""Read what a provider's lists tell of its models; most lists tell their names alone.

Sources of the fields: vLLM (``max_model_len``), OpenRouter (``architecture``, ``top_provider``),
Groq (``context_window``, ``max_completion_tokens``), Together (``type``), Mistral
(``max_context_length``), and Doubleword's control layer 10.13 (``model_type``, ``capabilities``,
``metadata``, ``allowed_batch_completion_windows``, ``supported_reasoning_efforts``).
"""

from collections.abc import Mapping
from typing import Any

from batchapp.domain.model_cards import INPUTS, Kind, ModelCard, Thinking
from batchapp.providers import json_values

MAX_NAME = 200  # characters, which a column holds
MAX_WINDOW = 20
MAX_TOKENS = 2_000_000_000

# A kind as providers write it, in small letters -> our word. Any other kind is not known.
KINDS = {
    "chat": Kind.CHAT,
    "completion": Kind.COMPLETIONS,
    "completions": Kind.COMPLETIONS,
    "language": Kind.COMPLETIONS,
    "embedding": Kind.EMBEDDINGS,
    "embeddings": Kind.EMBEDDINGS,
    "rerank": Kind.RERANKER,
    "reranker": Kind.RERANKER,
}
CONTEXT_FIELDS = ("context_length", "context_window", "max_model_len", "max_context_length")
NEW_TOKEN_FIELDS = ("max_completion_tokens", "max_output_tokens")


def read_cards(value: object) -> list[ModelCard]:
    """Return a card for each model of a list in OpenAI's format; odd rows are left out."""
    _, rows = json_values.listing(value, "a list of models")
    cards = (read_card(row, "id") for row in rows if isinstance(row, dict))
    return [card for card in cards if card.model]


def read_managed_page(value: object) -> tuple[list[ModelCard], int]:
    """Return the cards of one page of the management API, and the number of all its models."""
    entry, rows = json_values.listing(value, "a list of models")
    cards = [read_card(json_values.mapping(row, "a model"), "alias") for row in rows]
    if not all(card.model for card in cards):
        raise json_values.MalformedError("a model without a name")
    return cards, json_values.count(entry.get("total_count"))


def read_card(row: Mapping[str, Any], name: str) -> ModelCard:
    """Return the card of one model, whose name stands in the field ``name``."""
    metadata, top = _fields(row, "metadata"), _fields(row, "top_provider")
    model = json_values.text(row.get(name))
    return ModelCard(
        model=model if len(model) <= MAX_NAME else "",
        kind=_kind(row),
        inputs=_inputs(row),
        context_tokens=_tokens([top, row, metadata], CONTEXT_FIELDS),
        max_new_tokens=_tokens([top, row, metadata], NEW_TOKEN_FIELDS),
        thinking=_thinking(row),
        windows=_windows(row),
    )


def _fields(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _words(value: object) -> list[str]:
    return [word for item in json_values.entries(value) if (word := json_values.text(item))]


def _kind(row: Mapping[str, Any]) -> str:
    outputs = _words(_fields(row, "architecture").get("output_modalities"))
    named = [json_values.text(row.get(name)) for name in ("model_type", "type")]
    return next((KINDS[word] for word in map(str.lower, named + outputs) if word in KINDS), "")


def _inputs(row: Mapping[str, Any]) -> tuple[str, ...]:
    listed = _fields(row, "architecture").get("input_modalities") or row.get("input_modalities")
    words = set(_words(listed))
    if "vision" in _words(row.get("capabilities")):
        words |= {"text", "image"}
    return tuple(name for name in INPUTS if name in words)


def _tokens(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> int | None:
    numbers = (json_values.count(place.get(name)) for place in places for name in names)
    return next((number for number in numbers if 0 < number <= MAX_TOKENS), None)


def _thinking(row: Mapping[str, Any]) -> str:
    efforts = _words(_fields(row, "supported_reasoning_efforts").get("chat_completions"))
    if not efforts:
        return ""
    return Thinking.SWITCH if "none" in efforts else Thinking.ALWAYS


def _windows(row: Mapping[str, Any]) -> tuple[str, ...]:
    windows = dict.fromkeys(_words(row.get("allowed_batch_completion_windows")))
    return tuple(window for window in windows if len(window) <= MAX_WINDOW)
