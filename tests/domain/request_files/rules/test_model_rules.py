"""Requests that their model cannot read or answer, and requests that it can."""

import base64
import struct
from random import Random
from typing import Any

import pytest

from batchapp.domain.model_cards import ModelCard
from batchapp.domain.request_files.check_file import Limits
from batchapp.domain.request_files.check_lines import check_line
from batchapp.domain.request_files.fast.counted_blocks import check_blocks
from batchapp.domain.request_files.reading.lines import Block
from tests.domain.request_lines import check_bytes, codes, make_file, make_line

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
TEXT, VISION, VECTORS = "Qwen/Qwen3-4B", "acme/eyes", "Qwen/Qwen3-Embedding-4B"
SMALL = "acme/small"  # of a vocabulary that is not known
CARDS = (
    ModelCard(TEXT, "chat", ("text",), context_tokens=1_000, max_new_tokens=300),
    ModelCard(VISION, "chat", ("text", "image")),
    ModelCard(VECTORS, "embeddings", ("text",), context_tokens=100),
    ModelCard(SMALL, "chat", ("text",), context_tokens=1_000),
    ModelCard("acme/base", "completions", ("text",), context_tokens=1_000),
    ModelCard("acme/sorter", "reranker"),
    ModelCard("acme/unknown"),
)
LIMITS = Limits(max_bytes=10**8, models={card.model: card for card in CARDS})
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64, 64)
IMAGE = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
INLINE = {
    "type": "image_url",
    "image_url": {
        "url": "data:image/png;base64," + base64.b64encode(PNG + b"IEND\xaeB`\x82").decode()
    },
}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}}


def chat(*content: Any, model: str = TEXT, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": part} for part in content or ("Hello",)]
    return make_line(url=CHAT, body={"model": model, "messages": messages} | fields)


def request(url: str, model: str, **fields: Any) -> bytes:
    return make_line(url=url, body={"model": model, **fields})


def found(line: bytes) -> set[str]:
    return set(codes(make_file(line), LIMITS)) - {"no_max_tokens"}


def message(line: bytes, code: str) -> str:
    report = check_bytes(make_file(line), LIMITS)
    return next(finding.message for finding in report.findings if finding.code == code)


# The endpoint


@pytest.mark.parametrize(
    ("url", "model", "fields"),
    [
        (CHAT, VECTORS, {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/responses", VECTORS, {"input": "Hi"}),
        ("/v1/messages", VECTORS, {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", VECTORS, {"prompt": "Hi"}),
        (EMBEDDINGS, TEXT, {"input": "Hi"}),
        (EMBEDDINGS, "acme/base", {"input": "Hi"}),
        (CHAT, "acme/base", {"messages": [{"role": "user", "content": "Hi"}]}),
        (CHAT, "acme/sorter", {"messages": [{"role": "user", "content": "Hi"}]}),
    ],
)
def test_a_model_of_another_kind_is_an_error(url: str, model: str, fields: dict[str, Any]) -> None:
    assert "wrong_endpoint" in found(request(url, model, **fields))


def test_the_error_names_the_way_out() -> None:
    assert message(request(EMBEDDINGS, TEXT, input="Hi"), "wrong_endpoint") == (
        "Qwen/Qwen3-4B is a chat model, which does not answer at /v1/embeddings; send it to "
        "/v1/chat/completions or /v1/completions or /v1/messages or /v1/responses, or name "
        "another model."
    )
    assert message(chat(model="acme/sorter"), "wrong_endpoint") == (
        "acme/sorter is a reranker, which does not answer at /v1/chat/completions; name another "
        "model."
    )


@pytest.mark.parametrize(
    "model", ["acme/unknown", "qwen/qwen3-embedding-4b", "Qwen3-Embedding-4B"]
)
def test_a_model_is_known_by_its_exact_name_only(model: str) -> None:
    assert found(chat(model=model)) == set()


# What it reads


@pytest.mark.parametrize(
    ("part", "model", "expected"),
    [
        (IMAGE, TEXT, {"model_reads_no_image"}),
        (INLINE, TEXT, {"model_reads_no_image"}),
        (SOUND, TEXT, {"model_reads_no_audio"}),
        (VIDEO, TEXT, {"model_reads_no_video"}),
        (IMAGE, VISION, set()),
        (SOUND, VISION, {"model_reads_no_audio"}),
        (VIDEO, "acme/unknown", set()),
    ],
)
def test_what_the_model_cannot_read_is_a_warning(
    part: object, model: str, expected: set[str]
) -> None:
    assert found(chat([{"type": "text", "text": "What is it?"}, part], model=model)) == expected


def test_an_image_is_found_however_deep_and_at_every_url() -> None:
    result = {"type": "tool_result", "content": [{"type": "image", "source": {"type": "url"}}]}
    question = [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]

    assert "model_reads_no_image" in found(
        request(
            "/v1/messages", TEXT, max_tokens=9, messages=[{"role": "user", "content": [result]}]
        )
    )
    assert "model_reads_no_image" in found(request("/v1/responses", TEXT, input=question))
    assert message(chat([IMAGE]), "model_reads_no_image") == (
        "The request holds an image, and Qwen/Qwen3-4B reads text only: this request will fail. "
        "Name a model that reads it, or leave it out."
    )


def test_what_the_model_reads_instead_is_told_as_a_list() -> None:
    model = ModelCard("acme/eyes", "chat", ("text", "image", "video"))
    line = chat([SOUND], model="acme/eyes")

    [finding] = check_bytes(
        make_file(line), Limits(max_bytes=10**8, models={"acme/eyes": model})
    ).findings[:1]

    assert "acme/eyes reads text, image and video only" in finding.message


# What it writes


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (chat(max_tokens=301), "max_tokens"),
        (chat(max_completion_tokens=301, max_tokens=5), "max_completion_tokens"),
        (request("/v1/responses", TEXT, input="Hi", max_output_tokens=301), "max_output_tokens"),
    ],
)
def test_more_new_tokens_than_the_model_writes_are_a_warning(line: bytes, field: str) -> None:
    assert message(line, "too_many_new_tokens") == (
        "The request allows 301 new tokens, and Qwen/Qwen3-4B writes 300 at most, so it may fail; "
        f"lower {field}."
    )


def test_as_many_new_tokens_as_the_model_writes_are_right_also_for_several_answers() -> None:
    assert found(chat(max_tokens=300)) == set()
    assert found(chat(max_tokens=300, n=4)) == {"several_answers"}


# How long it may be


def test_prompt_and_answer_must_fit_together_to_the_token() -> None:
    # Eight tokens of the template around the question.
    assert found(chat("a " * 691 + "a", max_tokens=300)) == set()
    assert message(chat("a " * 692 + "a", max_tokens=300), "too_long_for_model") == (
        "The prompt has 701 tokens and max_tokens adds 300, but Qwen/Qwen3-4B takes 1,000 in all: "
        "this request will fail. Lower max_tokens to 299 or less, or shorten the prompt."
    )


def test_an_answer_without_a_limit_needs_room_for_one_token() -> None:
    assert found(chat("a " * 990 + "a")) == set()
    assert message(chat("a " * 991 + "a"), "too_long_for_model") == (
        "The prompt has 1,000 tokens, but Qwen/Qwen3-4B takes 1,000: this request will fail. "
        "Shorten the prompt, or name a model that takes more."
    )


@pytest.mark.parametrize(
    "line",
    [
        chat("a " * 2_000, truncate_prompt_tokens=500),
        request("/v1/responses", TEXT, input="a " * 2_000, truncation="auto"),
        chat("a " * 200_000, model="acme/unknown"),
    ],
)
def test_a_prompt_that_is_cut_or_of_unknown_context_is_not_judged(line: bytes) -> None:
    assert "too_long_for_model" not in found(line)


@pytest.mark.parametrize(("words", "expected"), [(1_900, set()), (2_100, {"too_long_for_model"})])
def test_an_estimate_is_believed_only_if_half_of_it_is_too_long(
    words: int, expected: set[str]
) -> None:
    assert found(chat("word" * words, model=SMALL)) == expected


def test_an_estimate_is_told_as_one() -> None:
    assert "The prompt has at least about 2," in message(
        chat("word" * 5_000, model=SMALL), "too_long_for_model"
    )


def test_images_of_unknown_size_do_not_make_a_prompt_too_long() -> None:
    limits = {"acme/eyes": ModelCard("acme/eyes", "chat", ("text", "image"), context_tokens=1_000)}
    line = chat([IMAGE, IMAGE, IMAGE], model="acme/eyes")

    assert "too_long_for_model" not in codes(
        make_file(line), Limits(max_bytes=10**8, models=limits)
    )


@pytest.mark.parametrize(
    ("texts", "is_too_long"),
    [
        (["a " * 90] * 30, False),  # each fits, together they do not
        (["a"] * 30 + ["a " * 110], True),
        ([[1] * 100], False),
        ([[1] * 101, [1]], True),
        ([1] * 101, True),
        ("a " * 110, True),
    ],
)
def test_each_of_several_prompts_must_fit_by_itself(texts: object, is_too_long: bool) -> None:
    line = request(EMBEDDINGS, VECTORS, input=texts)

    assert ("too_long_for_model" in found(line)) is is_too_long


def test_several_prompts_of_an_unknown_vocabulary_are_estimated_one_by_one() -> None:
    fits = request("/v1/completions", "acme/base", prompt=["word" * 900] * 9)
    too_long = request("/v1/completions", "acme/base", prompt=["word" * 900, "word" * 5_000])

    assert found(fits) == set()
    assert found(too_long) == {"too_long_for_model"}


@pytest.mark.parametrize("seed", range(6))
def test_a_line_among_others_has_the_same_report_as_alone(seed: int) -> None:
    chance = Random(seed)
    extra = chance.choice([{}, {"max_tokens": 200}, {"max_tokens": 400}, {"n": 2}])
    lines = [
        chat("a " * chance.choice([1, 500, 690, 700, 790, 800, 995, 2_000]), **extra)
        for _ in range(20)
    ]

    [(_, reports)] = check_blocks([Block(make_file(*lines))], LIMITS)

    assert reports == [check_line(line, len(line), LIMITS)[0] for line in lines]
