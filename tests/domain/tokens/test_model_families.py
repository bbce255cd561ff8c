import csv
from pathlib import Path

import msgspec
import pytest

import batchapp
from batchapp.domain.request_files.check_file import ModelFacts
from batchapp.domain.tokens import model_families
from batchapp.domain.tokens.counting import measure_input
from batchapp.domain.tokens.token_ratio import Size
from tests.domain.request_lines import CHAT, check_bytes, make_body, make_file, make_line

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}


@pytest.mark.parametrize(
    ("model", "vocabulary", "has_template"),
    [
        ("Qwen/Qwen3-14B-FP8", "qwen3", True),
        ("qwen3-30b-a3b", "qwen3", True),
        ("Qwen/Qwen3-0.6B", "qwen3", True),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3", False),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", "qwen3", False),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3", False),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", "qwen3", True),
        ("Qwen/Qwen3-VL-8B-Thinking", "qwen3", False),
        ("Qwen/Qwen3-VL-Embedding-2B", "qwen3", False),
        ("Qwen/Qwen3-Embedding-8B", "qwen3", False),
        ("Qwen/Qwen3.5-4B", "qwen3_5", True),
        ("Qwen/Qwen3.5-397B-A17B", "qwen3_5", True),
        ("Qwen/Qwen3.5-35B-A3B-FP8", "qwen3_5", True),
        ("QWEN/QWEN3.5-9B", "qwen3_5", True),
        ("Qwen/Qwen3.6-27B", "qwen3_5", False),
        ("openai/gpt-oss-20b", "gpt_oss", True),
        ("gpt-oss-120b", "gpt_oss", True),
        ("openai/gpt-oss-safeguard-20b", "gpt_oss", False),
        ("allenai/olmOCR-2-7B-1025-FP8", "qwen3", False),
    ],
)
def test_a_model_is_known_by_its_name(model, vocabulary, has_template):
    family = model_families.family_of(model)

    assert family.vocabulary.__name__ == vocabulary
    assert (family.template is not None) == has_template


@pytest.mark.parametrize(
    "model",
    [
        "",
        "/",
        "m",
        "gpt-4o",
        "Qwen/Qwen2-7B",
        "qwen3",
        "my-qwen3-14b",
        "lightonai/LightOnOCR-2-1B",
    ],
)
def test_an_unknown_model_has_no_family(model):
    assert model_families.family_of(model) is None


def test_the_priced_models_of_the_three_families_are_counted_exactly():
    path = Path(batchapp.__file__).parent / "data" / "doubleword_prices.csv"
    with path.open() as file:
        models = {row["model"] for row in csv.DictReader(file)}

    chat = {"messages": [{"role": "user", "content": "a"}]}
    inexact = {
        model
        for model in models
        if not measure_input({"model": model} | chat, CHAT).is_exact
        and not measure_input({"model": model, "input": "a"}, "/v1/embeddings").is_exact
    }

    assert inexact == {
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4",
        "allenai/olmOCR-2-7B-1025-FP8",
        "lightonai/LightOnOCR-2-1B-bbox-soup",
    }


@pytest.mark.parametrize(
    ("url", "body", "tokens", "longest"),
    [
        ("/v1/embeddings", {"input": "Hello world"}, 3, 0),
        ("/v1/embeddings", {"input": ["Hello world", "Hello"]}, 5, 3),
        ("/v1/embeddings", {"input": [[1, 2, 3], [4]]}, 4, 3),
        ("/v1/embeddings", {"input": [1, 2, 3]}, 3, 0),
        ("/v1/embeddings", {"input": "Hello", "dimensions": 9, "encoding_format": "float"}, 2, 0),
    ],
)
def test_an_embedded_text_has_a_token_at_its_end(url, body, tokens, longest):
    assert measure_input({"model": "Qwen/Qwen3-Embedding-8B"} | body, url) == Size(
        tokens, is_exact=True, longest=longest
    )


@pytest.mark.parametrize(
    ("prompt", "tokens", "longest"),
    [
        ("Hello world", 2, 0),
        (["Hello world", "Hello"], 3, 2),
        ([5, 6, 7], 3, 0),
        ("<|im_start|>", 1, 0),
        ("", 0, 0),
    ],
)
def test_a_text_to_complete_has_no_template(prompt, tokens, longest):
    body = {"model": "Qwen/Qwen3-14B-FP8", "prompt": prompt, "max_tokens": 5}

    assert measure_input(body, "/v1/completions") == Size(tokens, is_exact=True, longest=longest)


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/completions", {"prompt": "a", "suffix": "b"}),
        ("/v1/completions", {"prompt": [True, False]}),
        ("/v1/completions", {"prompt": {"text": "a"}}),
        ("/v1/completions", {}),
        ("/v1/embeddings", {"input": "a"}),
    ],
)
def test_an_odd_request_is_not_exact(url, body):
    assert not measure_input({"model": "Qwen/Qwen3-14B-FP8"} | body, url).is_exact


@pytest.mark.parametrize(
    ("bodies", "exact", "assumed"),
    [
        ([{}], True, 0),
        ([{}, {"documents": []}], False, 0),
        ([{"documents": []}, {}], False, 0),
        ([{}, {"messages": [{"role": "user", "content": [IMAGE]}]}], False, 1),
    ],
)
def test_a_model_is_exact_if_each_of_its_requests_is(bodies, exact, assumed):
    model = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"
    lines = [
        make_line(custom_id=str(number), body=make_body(model=model, **body))
        for number, body in enumerate(bodies)
    ]

    facts = check_bytes(make_file(*lines)).models[model]

    assert (facts.exact, facts.assumed_attachments) == (exact, assumed)


def test_a_report_stored_before_is_not_exact():
    stored = {"requests": 2, "input_tokens": 10, "attachments": 1, "embeddings": True}

    facts = msgspec.convert(stored, ModelFacts)

    assert (facts.input_tokens, facts.exact, facts.assumed_attachments) == (10, False, 0)
