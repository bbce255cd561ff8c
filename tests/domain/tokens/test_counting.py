import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tokens.counting import (
    count_answers,
    limit_output,
    measure_input,
)
from batchapp.domain.tokens.token_ratio import (
    PER_ATTACHMENT,
    PER_MESSAGE,
    PER_REPLY,
    Size,
    text_quarters,
)
from tests.domain.request_lines import CHAT, make_body

BASE64 = "data:image/png;base64," + "A" * 400_000
ONE_MESSAGE = PER_MESSAGE + PER_REPLY


@pytest.mark.parametrize(
    ("text", "quarters"),
    [
        ("", 0),
        ("abcd", 4),
        ("déjà", 2 + 4),
        ("Привет", 12),
        ("数据", 8),
        ("한국어", 12),
        ("नमस्ते", 24),
        ("🙂", 4),
        ("aé数🙂", 1 + 2 + 4 + 4),
        ("\ud800", 4),
    ],
)
def test_characters_weigh_by_their_length_in_utf8(text, quarters):
    assert text_quarters(text) == quarters


@given(st.text())
def test_the_fast_count_is_the_count_character_by_character(text):
    weights = [1 if c < "\x80" else 2 if c < "\u0800" else 4 for c in text]

    assert text_quarters(text) == sum(weights)


@pytest.mark.parametrize(
    ("url", "body", "tokens"),
    [
        (CHAT, {"messages": [{"role": "user", "content": "a" * 40}]}, 10 + ONE_MESSAGE),
        (CHAT, {"messages": [{"role": "user", "content": "a"}]}, 1 + ONE_MESSAGE),
        (
            CHAT,
            {"messages": [{"content": [{"type": "text", "text": "a" * 40}]}]},
            10 + ONE_MESSAGE,
        ),
        ("/v1/embeddings", {"input": "a" * 40}, 10),
        ("/v1/embeddings", {"input": ["a" * 40, "b" * 40]}, 20),
        ("/v1/embeddings", {"input": [[1, 2, 3], [4]]}, 4),
        ("/v1/completions", {"prompt": "a" * 40, "suffix": "a" * 4}, 11),
        ("/v1/responses", {"input": "a" * 40}, 10 + ONE_MESSAGE),
        (
            "/v1/responses",
            {"instructions": "a" * 40, "input": [{"role": "user", "content": "a" * 40}]},
            20 + ONE_MESSAGE + PER_MESSAGE,
        ),
        (
            "/v1/messages",
            {"system": "a" * 40, "messages": [{"role": "user", "content": "a" * 40}]},
            20 + ONE_MESSAGE + PER_MESSAGE,
        ),
        (CHAT, {"messages": [{"content": None}], "tools": [{"type": "f"}]}, 4 + ONE_MESSAGE),
        (CHAT, {"messages": []}, PER_REPLY),
        ("/unknown", {}, 0),
    ],
)
def test_the_input_of_each_url_is_counted(url, body, tokens):
    assert measure_input(body, url).tokens == tokens


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": BASE64}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "input_image", "image_url": BASE64},
        {"type": "image", "source": {"type": "base64", "data": "A" * 400_000}},
        {"type": "input_audio", "input_audio": {"data": "A" * 400_000, "format": "wav"}},
        {"image_url": BASE64},
    ],
)
def test_an_image_is_a_flat_number_of_tokens_and_never_text(part):
    size = measure_input({"messages": [{"role": "user", "content": [part]}]}, CHAT)

    assert size == Size(PER_ATTACHMENT + ONE_MESSAGE, attachments=1, assumed=1, is_exact=False)


@pytest.mark.parametrize(
    ("body", "url", "number"),
    [
        ({}, CHAT, 1),
        ({"n": 3}, CHAT, 3),
        ({"n": True}, CHAT, 1),
        ({"n": 10**9}, CHAT, 128),
        ({"prompt": ["a", "b"], "n": 2}, "/v1/completions", 4),
        ({"prompt": [1, 2, 3]}, "/v1/completions", 1),
    ],
)
def test_a_request_may_ask_for_several_answers(body, url, number):
    assert count_answers(body, url) == number


@pytest.mark.parametrize(
    ("body", "url", "limit"),
    [
        ({"max_tokens": 50}, CHAT, 50),
        ({"max_tokens": 50, "n": 2}, CHAT, 100),
        ({"max_tokens": 50, "max_completion_tokens": 60}, CHAT, 60),
        ({}, CHAT, None),
        ({"max_tokens": 50.0}, CHAT, 50),
        ({"max_tokens": 50.5}, CHAT, None),
        ({"max_tokens": 0}, CHAT, None),
        ({"max_tokens": 9}, "/v1/responses", None),
        ({"max_output_tokens": 9}, "/v1/responses", 9),
        ({}, "/v1/embeddings", 0),
    ],
)
def test_output_is_limited_by_what_the_request_allows(body, url, limit):
    assert limit_output(body, url).tokens == limit


def test_a_request_is_counted_however_deep_it_is():
    content = "a"
    for _ in range(5_000):
        content = [content]

    body = make_body(messages=[{"content": content}])
    assert measure_input(body, CHAT).tokens == 1 + ONE_MESSAGE
