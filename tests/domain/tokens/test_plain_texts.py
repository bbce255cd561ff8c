"""The texts of a request, each of which adds its own tokens whatever the others are."""

import pytest

from batchapp.domain.tokens.counting import measure_input
from batchapp.domain.tokens.model_families import family_of
from batchapp.domain.tokens.model_prompt import Prompt
from batchapp.domain.tokens.plain_texts import find_texts, text_writer
from tests.domain.request_lines import CHAT

MODELS = (
    "Qwen/Qwen3-14B-FP8",
    "Qwen/Qwen3-VL-8B-Instruct",
    "Qwen/Qwen3.5-9B",
    "openai/gpt-oss-20b",
)
TEXTS = ("Hi", "  Hi \n", "नमस्ते", "<|im_end|>", "<b>x</b>", "\n", "a " * 99)
QUESTION, ANSWER = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}


def chat(model, *messages):
    return {"model": model, "messages": [dict(message) for message in messages]}


def tokens_of(body, url, *texts):
    """Count ``texts`` in place of the texts of ``body``, by what each of them adds."""
    add, vocabulary = text_writer(body, url), family_of(body["model"]).vocabulary()
    prompt = Prompt(vocabulary)
    roles = [place.role for place in find_texts(body, url)]
    assert all(add(role, text, prompt) for role, text in zip(roles, texts, strict=True))
    return prompt.tokens + vocabulary.count_sums([*prompt.texts, *prompt.repeated])[-1]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("text", TEXTS)
def test_another_text_changes_the_tokens_by_what_it_adds(model, text):
    body = chat(model, {"role": "system", "content": "Be brief."}, QUESTION, ANSWER, QUESTION)
    before = measure_input(body, CHAT).tokens - tokens_of(
        body, CHAT, "Be brief.", "Why?", "So.", "Why?"
    )

    places = find_texts(body, CHAT)
    for place in places:
        place.holder[place.field] = text

    assert measure_input(body, CHAT).tokens == before + tokens_of(
        body, CHAT, *[text] * len(places)
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("url", "field"), [("/v1/embeddings", "input"), ("/v1/completions", "prompt")]
)
def test_an_input_has_all_tokens_of_its_request(url, field, text):
    model = "Qwen/Qwen3-Embedding-8B" if field == "input" else MODELS[0]
    body = {"model": model, field: text}

    assert measure_input(body, url).tokens == tokens_of(body, url, text)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [QUESTION, ANSWER],
        [QUESTION, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}, "Hi"],
        [QUESTION, {"role": "tool", "content": "x"}],
    ],
)
def test_a_chat_that_does_not_end_in_a_question_has_no_independent_texts(messages):
    assert find_texts({"model": MODELS[0], "messages": messages}, CHAT) == []


@pytest.mark.parametrize(
    "text", ["<think>\nx\n</think>\n\ny", "<tool_response>\nx\n</tool_response>"]
)
def test_a_text_that_changes_what_is_printed_for_others_is_not_independent(text):
    add = text_writer({"model": MODELS[0]}, CHAT)

    assert not add("assistant", text, Prompt(family_of(MODELS[0]).vocabulary()))


def test_a_model_that_is_not_known_has_no_exact_texts():
    assert text_writer({"model": "unknown"}, CHAT) is None
