import pytest

from batchapp.domain.answer_lengths.length import NOTHING
from batchapp.domain.answer_lengths.reasoning import measurements, reasoning_of
from batchapp.domain.model_cards import ModelCard

CHAT = "/v1/chat/completions"


def thinking(model, *, card=None, **body):
    return reasoning_of({"model": model, **body}, CHAT, card).tokens.expected


def test_every_measurement_names_its_source_and_is_in_order():
    for row in measurements():
        assert row.source
        assert 0 < row.tokens.low < row.tokens.expected < row.tokens.high


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("openai/gpt-oss-20b", 90),
        ("Qwen/Qwen3.5-397B-A17B", 480),
        ("Qwen/Qwen3-14B-FP8", 390),
        ("Qwen/Qwen3.5-2B", 0),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", 0),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 0),
        ("gpt-4o-mini", 0),
    ],
)
def test_models_think_as_they_were_measured_and_others_not_at_all(model, tokens):
    assert thinking(model) == tokens


def test_the_effort_of_a_request_changes_how_much_is_thought():
    efforts = ("none", "low", "medium", "high")
    tokens = [thinking("openai/gpt-oss-120b", reasoning_effort=effort) for effort in efforts]

    assert tokens == sorted(tokens)
    assert tokens[0] == 0
    assert thinking("openai/gpt-oss-120b", reasoning_effort=7) == tokens[2]
    assert thinking("Qwen/Qwen3.5-2B", reasoning_effort="medium") > 0
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    assert thinking("Qwen/Qwen3.5-4B", **off) == 0


def test_the_card_of_a_model_counts_before_its_name():
    never, always = ModelCard("m", thinking="never"), ModelCard("m", thinking="always")

    assert thinking("openai/gpt-oss-20b", card=never) == 0
    assert thinking("m") == 0
    assert thinking("m", card=always) > 0
    assert reasoning_of({"model": "m"}, "/v1/completions", always).tokens == NOTHING
    assert "open models" in reasoning_of({"model": "m"}, CHAT, always).words
