"""What the lists of providers tell of their models."""

from typing import Any

import pytest

from batchapp.domain.model_cards import ModelCard
from batchapp.providers import json_values
from batchapp.providers.errors import ProviderRejected
from batchapp.providers.remote_models import read_cards, read_managed_page
from batchapp.sandbox.settings import Settings
from tests.doubleword import connect, connect_management
from tests.sandbox.processes import sandbox_thread


def listed(*rows: object) -> list[ModelCard]:
    return read_cards({"object": "list", "data": list(rows)})


@pytest.mark.parametrize(
    ("row", "facts"),
    [
        ({"object": "model", "owned_by": "None"}, {}),
        ({"max_model_len": 40_960}, {"context_tokens": 40_960}),  # vLLM
        (  # OpenRouter
            {
                "context_length": 262_144,
                "architecture": {
                    "input_modalities": ["image", "text", "file"],
                    "output_modalities": ["text"],
                },
                "top_provider": {"context_length": 131_072, "max_completion_tokens": 16_384},
            },
            {
                "context_tokens": 131_072,
                "max_new_tokens": 16_384,
                "inputs": ("text", "image"),
            },
        ),
        (  # Groq
            {"context_window": 131_072, "max_completion_tokens": 32_768},
            {"context_tokens": 131_072, "max_new_tokens": 32_768},
        ),
        (  # Together
            {"type": "embedding", "context_length": 8_192},
            {"kind": "embeddings", "context_tokens": 8_192},
        ),
        ({"type": "image", "context_length": None}, {}),
        (
            {"supported_reasoning_efforts": {"chat_completions": ["none", "high"]}},
            {"thinking": "switch"},
        ),
        (
            {"supported_reasoning_efforts": {"chat_completions": ["low", "high"]}},
            {"thinking": "always"},
        ),
    ],
)
def test_fields_of_the_known_providers_are_read(
    row: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert listed({"id": "acme/a", **row}) == [ModelCard("acme/a", **facts)]


@pytest.mark.parametrize(
    "row",
    [
        {"context_length": "128k", "top_provider": [], "architecture": "text"},
        {"context_length": -1, "max_completion_tokens": True},
        {"context_length": 10**12, "type": 7, "model_type": "VIDEO"},
        {"allowed_batch_completion_windows": [None, "w" * 21], "capabilities": {"vision": True}},
        {"architecture": {"input_modalities": "image"}, "supported_reasoning_efforts": []},
    ],
)
def test_odd_values_are_not_believed(row: dict[str, Any]) -> None:
    assert listed({"id": "acme/a", **row}) == [ModelCard("acme/a")]


def test_rows_without_a_usable_name_are_left_out() -> None:
    assert listed({"id": 7}, "x", {"id": ""}, {"id": "n" * 201}, {"id": "acme/a"}) == [
        ModelCard("acme/a")
    ]


def test_a_page_of_the_management_api_needs_names() -> None:
    page = {"data": [{"alias": "acme/a", "model_type": "CHAT"}], "total_count": 3}

    assert read_managed_page(page) == ([ModelCard("acme/a", kind="chat")], 3)
    for rows in ([{"model_type": "CHAT"}], ["x"], None):
        with pytest.raises(json_values.MalformedError):
            read_managed_page({"data": rows, "total_count": 1})


def test_the_sandbox_tells_what_doubleword_tells(tmp_path_factory: Any) -> None:
    settings = Settings(
        data=tmp_path_factory.mktemp("sandbox"), model_windows={"openai/gpt-oss-20b": ("24h",)}
    )
    with sandbox_thread(settings) as url:
        with connect_management(f"{url}/ai/v1", "dw-platform-1") as client:
            managed = {card.model: card for card in client.describe_managed_models()}
        with connect(url, "sk-inference") as client:
            own = {card.model: card for card in client.describe_models()}
        with connect_management(url, "sk-inference") as client, pytest.raises(ProviderRejected):
            client.describe_managed_models()

    assert len(managed) == len(own) == 12
    assert managed["openai/gpt-oss-20b"] == ModelCard(
        "openai/gpt-oss-20b",
        kind="chat",
        context_tokens=131_072,
        thinking="always",
        windows=("24h",),
    )
    assert managed["Qwen/Qwen3.5-9B"].inputs == ("text", "image")
    assert managed["Qwen/Qwen3-Embedding-8B"].kind == "embeddings"
    assert own["Qwen/Qwen3.5-9B"] == ModelCard("Qwen/Qwen3.5-9B", thinking="switch")
