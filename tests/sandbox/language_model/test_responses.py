"""Response bodies and planned outcomes."""

import base64
import json
import math
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.outcomes import parse_directive, plan_outcome
from batchapp.sandbox.language_model.responses import make_response
from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import CHAT, CHAT_MODEL, EMBEDDING_MODEL, chat, line
from tests.sandbox.language_model.schema_check import schema_errors
from tests.sandbox.language_model.test_structured_output import TICKET

TOOL_PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
    "required": ["city", "days"],
}


def answer(body: dict, url: str = CHAT, custom_id: str = "one"):
    request = RequestLine(custom_id=custom_id, method="POST", url=url, body=body)
    raw = make_response(request, parse_directive(body), response_id="0" * 32, created=1)
    return json.loads(raw)


def text(prompt: str, **body) -> str:
    return answer(chat(prompt, **body))["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Classify the sentiment as positive, negative or neutral: I love it!", "positive"),
        ("Label this review (positive/negative): It broke, terrible.", "negative"),
        ("Choose one of: billing, technical, other.\n\nThe app shows an error.", "technical"),
        ("Reply with one word: spam or ham.\n\nYou are a winner, claim your prize!", "spam"),
    ],
)
def test_labels_follow_the_text(prompt, expected):
    assert text(prompt) == expected


def test_other_prompts_are_answered_about_their_subject():
    assert text("Summarise this:\nThe cat sat on the mat. It slept.") == "The cat sat on the mat."
    assert "kites fly" in text("Why do kites fly?")
    assert text("Is water wet? Answer yes or no.") in {"yes", "no"}
    assert "Invoice" in text("", model="allenai/olmOCR-2-7B-1025-FP8")


def test_the_same_request_has_the_same_answer():
    assert answer(chat("Tell me more")) == answer(chat("Tell me more"))


def test_structured_output_is_valid_json_of_the_schema():
    response_format = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": TICKET}}

    value = json.loads(text("My invoice is wrong.", response_format=response_format))

    assert schema_errors(value, TICKET) == []


def test_json_mode_answers_with_the_keys_the_prompt_names():
    value = json.loads(
        text(
            'Extract {"name": ..., "city": ...}: Ada, London',
            response_format={"type": "json_object"},
        )
    )

    assert set(value) == {"name", "city"}


def test_tools_are_called_with_valid_arguments_and_only_once():
    function = {"name": "forecast", "parameters": TOOL_PARAMETERS}
    body = chat("Weather in Rome?", tools=[{"type": "function", "function": function}])

    choice = answer(body)["choices"][0]
    call = choice["message"]["tool_calls"][0]
    body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": "Sunny"})
    after = answer(body)["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["function"]["name"] == "forecast"
    assert schema_errors(json.loads(call["function"]["arguments"]), TOOL_PARAMETERS) == []
    assert after["finish_reason"] == "stop"
    assert "tool_calls" not in answer(body | {"tool_choice": "none"})["choices"][0]["message"]


def test_max_tokens_cuts_the_answer():
    cut = answer(chat("Tell me about kites", max_tokens=3))

    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 3


def test_several_choices_are_given_when_asked_for():
    assert len(answer(chat(n=3))["choices"]) == 3


def test_directives_change_the_answer():
    def choice(directive: str):
        return answer(chat("Tell me about kites", user=f"sandbox:{directive}"))["choices"][0]

    assert choice("refuse")["message"]["refusal"]
    assert choice("empty")["message"]["content"] == ""
    assert choice("length")["finish_reason"] == "length"
    assert isinstance(answer(chat(user="sandbox:non-json")), str)


def test_every_api_has_its_own_format():
    completion = answer(
        {"model": CHAT_MODEL, "prompt": "Once", "max_tokens": 50}, "/v1/completions"
    )
    response = answer({"model": CHAT_MODEL, "input": "Hello"}, "/v1/responses")
    message = answer(chat(max_tokens=100), "/v1/messages")

    assert completion["object"] == "text_completion"
    assert completion["choices"][0]["text"]
    assert response["output"][0]["content"][0]["type"] == "output_text"
    assert response["usage"]["input_tokens"] > 0
    assert (message["type"], message["stop_reason"]) == ("message", "end_turn")
    assert message["content"][0]["text"]
    assert {body["model"] for body in (completion, response, message)} == {CHAT_MODEL}


def test_embeddings_have_unit_length_and_similar_texts_are_near():
    body = {"model": EMBEDDING_MODEL, "input": ["red kites fly", "red kites sing", "tax return"]}

    near, also_near, far = (item["embedding"] for item in answer(body, "/v1/embeddings")["data"])

    assert len(near) == 4096
    assert math.isclose(math.hypot(*near), 1, abs_tol=1e-4)
    assert dot(near, also_near) > dot(near, far)


def dot(first, second) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_embeddings_come_in_other_sizes_and_in_base64():
    body = {"model": EMBEDDING_MODEL, "input": [1, 2, 3], "dimensions": 8}

    (plain,) = answer(body, "/v1/embeddings")["data"]
    (packed,) = answer(body | {"encoding_format": "base64"}, "/v1/embeddings")["data"]

    assert len(plain["embedding"]) == 8
    numbers = struct.unpack("<8f", base64.b64decode(packed["embedding"]))
    assert numbers == pytest.approx(plain["embedding"])


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, {}),
        (CHAT, {"messages": []}),
        (CHAT, {"messages": [{"content": "no role"}]}),
        (CHAT, chat(temperature=3)),
        (CHAT, chat(max_tokens=0)),
        ("/v1/completions", {}),
        ("/v1/embeddings", {"input": []}),
        ("/v1/embeddings", {"input": "a", "dimensions": 0}),
        ("/v1/responses", {"input": None}),
        ("/v1/messages", chat()),
    ],
)
def test_bodies_a_model_cannot_take_fail_with_400(url, body):
    request = RequestLine(custom_id="a", method="POST", url=url, body=body | {"model": "any"})

    assert plan_outcome(request).first_status == 400


def test_all_apis_work_over_http(api):
    bodies = api.answers(
        line("chat", **chat()),
        line("completion", url="/v1/completions", model=CHAT_MODEL, prompt="Once"),
        line("embedding", url="/v1/embeddings", model=EMBEDDING_MODEL, input=["a", "b"]),
        line("response", url="/v1/responses", model=CHAT_MODEL, input="Hello"),
        line("message", url="/v1/messages", **chat(max_tokens=9)),
        line("string", **chat(user="sandbox:non-json")),
    )

    assert [type(body) for body in bodies] == [dict] * 5 + [str]
    assert [item["index"] for item in bodies[2]["data"]] == [0, 1]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "function", "schema"]),
            inner,
        )
    ),
    max_leaves=8,
)
FIELDS = [
    "messages",
    "prompt",
    "input",
    "tools",
    "tool_choice",
    "response_format",
    "max_tokens",
    "n",
    "text",
    "system",
    "instructions",
    "user",
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    url=st.sampled_from(Settings(data=None).endpoints),  # type: ignore[arg-type]
    body=st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES),
)
def test_no_body_breaks_the_model_and_planned_tokens_are_billed(url, body):
    body = {"model": CHAT_MODEL, "max_tokens": 20, "messages": [{"role": "user"}]} | body
    request = RequestLine(custom_id="a", method="POST", url=url, body=body)

    outcome = plan_outcome(request)

    if outcome.first_status == 200:
        raw = make_response(request, parse_directive(body), response_id="0", created=1)
        usage = msgspec.json.decode(raw)["usage"]
        billed = usage.get("prompt_tokens", usage.get("input_tokens"))
        assert billed == outcome.prompt_tokens
