"""Models that think before they answer, and what that costs."""

import json
from statistics import mean

import pytest

from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.responses import make_response
from tests.sandbox.api_client import CHAT, CHAT_MODEL, chat

PLAIN_MODEL = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"
PROMPT = "Classify as positive, negative or neutral: I love it!"


def answer(body: dict, url: str = CHAT, custom_id: str = "one") -> dict:
    line = RequestLine(custom_id=custom_id, method="POST", url=url, body=body)
    return json.loads(make_response(line, "", response_id="0" * 32, created=1))


def reasoning_tokens(**body) -> float:
    usages = [answer(chat(PROMPT, **body), custom_id=str(n))["usage"] for n in range(20)]
    return mean(usage["completion_tokens_details"]["reasoning_tokens"] for usage in usages)


def test_a_label_of_a_thinking_model_costs_hundreds_of_tokens_and_else_a_few():
    thinking, plain = answer(chat(PROMPT)), answer(chat(PROMPT, model=PLAIN_MODEL))

    assert plain["usage"]["completion_tokens"] <= 5
    assert "completion_tokens_details" not in plain["usage"]
    assert "reasoning_content" not in plain["choices"][0]["message"]
    message, usage = thinking["choices"][0]["message"], thinking["usage"]
    assert message["content"] == plain["choices"][0]["message"]["content"] == "positive"
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 150 <= reasoning == len(message["reasoning_content"]) / 4
    assert usage["completion_tokens"] == reasoning + plain["usage"]["completion_tokens"]


def test_the_effort_decides_how_long_a_model_thinks():
    low, medium, high = (reasoning_tokens(reasoning_effort=x) for x in ("low", "medium", "high"))

    assert low < medium / 2 < medium < high / 1.5
    assert reasoning_tokens() == medium
    assert "completion_tokens_details" not in answer(chat(reasoning_effort="none"))["usage"]


def test_a_terse_model_thinks_less():
    assert reasoning_tokens(model="openai/gpt-oss-20b") < reasoning_tokens() / 2


def test_thoughts_leave_room_for_the_answer():
    cut = answer(chat(PROMPT, max_tokens=10))

    assert cut["choices"][0]["message"]["content"] == "positive"
    assert cut["choices"][0]["finish_reason"] == "stop"
    assert cut["usage"]["completion_tokens"] == 10


@pytest.mark.parametrize(
    ("url", "body", "count"),
    [
        ("/v1/responses", {"model": CHAT_MODEL, "input": PROMPT}, "output_tokens"),
        ("/v1/messages", chat(PROMPT, max_tokens=900), "output_tokens"),
    ],
)
def test_the_other_apis_bill_thoughts_too(url, body, count):
    assert answer(body, url)["usage"][count] > 150


def test_completions_have_no_thoughts():
    body = {"model": CHAT_MODEL, "prompt": PROMPT, "max_tokens": 900}

    assert answer(body, "/v1/completions")["usage"]["completion_tokens"] <= 5
