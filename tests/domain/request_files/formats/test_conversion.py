"""Also for ``gemini`` and ``bedrock``, which are reached through ``convert``."""

import json

import pytest

from batchapp.domain.request_files.formats.conversion import CHAT, MESSAGES, convert
from batchapp.domain.request_files.formats.lossless import CannotConvert
from batchapp.domain.request_files.formats.recognise import recognise_format
from tests.domain.request_lines import check_bytes

ASKED = {"role": "user", "content": "Why?"}


def converted(line: dict, url: str = "") -> dict:
    request = convert(line, recognise_format(line), 7, url)
    assert request.pop("method") == "POST"
    return request


def refusal(line: dict, url: str = "") -> str:
    with pytest.raises(CannotConvert) as caught:
        converted(line, url)
    return str(caught.value)


def test_the_body_of_an_anthropic_request_is_kept_whole_or_becomes_a_chat():
    params = {"model": "c", "max_tokens": 9, "system": "Be brief.", "messages": [ASKED]}
    line = {"custom_id": "a", "params": params}

    assert converted(line) == {"custom_id": "a", "url": MESSAGES, "body": params}
    assert converted(line, CHAT)["body"] == {
        "model": "c",
        "max_tokens": 9,
        "messages": [{"role": "system", "content": "Be brief."}, ASKED],
    }


@pytest.mark.parametrize(
    ("line", "custom_id"),
    [
        ({"custom_id": "a", "body": {"prompt": "x"}}, "a"),
        ({"body": {"prompt": "x"}}, "line-7"),
        ({"custom_id": 12, "body": {"prompt": "x"}}, "12"),
        ({"custom_id": " ", "body": {"prompt": "x"}}, "line-7"),
        ({"custom_id": True, "model": "m", "prompt": "x"}, "line-7"),
        ({"id": "z", "model": "m", "prompt": "x"}, "z"),
        ({"key": "k", "request": {"contents": []}}, "k"),
        ({"recordId": "r", "modelInput": {"prompt": "x"}}, "r"),
    ],
)
def test_a_request_has_the_name_of_its_line_or_its_number(line, custom_id):
    assert converted(line)["custom_id"] == custom_id


def test_a_name_that_is_too_long_is_not_cut():
    assert "more than 64 bytes" in refusal({"custom_id": "é" * 33, "body": {"prompt": "x"}})


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"messages": [ASKED]}, CHAT),
        ({"messages": [ASKED], "system": "x"}, MESSAGES),
        ({"prompt": "x"}, "/v1/completions"),
        ({"input": "x", "encoding_format": "float"}, "/v1/embeddings"),
        ({"input": "x", "model": "Qwen3-Embedding-8B"}, "/v1/embeddings"),
        ({"input": [ASKED]}, "/v1/responses"),
        ({"input": "x", "instructions": "y"}, "/v1/responses"),
    ],
)
def test_the_endpoint_is_told_by_the_body(body, url):
    assert converted({"custom_id": "a", "body": body}) == {
        "custom_id": "a",
        "url": url,
        "body": body,
    }


def test_an_endpoint_that_the_body_does_not_tell_must_be_chosen():
    line = {"custom_id": "a", "body": {"input": "x", "model": "m"}}

    assert "choose one" in refusal(line)
    assert converted(line, "/v1/responses")["url"] == "/v1/responses"


def test_a_body_alone_is_wrapped_with_every_field():
    body = {"model": "m", "messages": [ASKED], "unheard_of": [1, {"a": "b"}]}

    assert converted({"custom_id": "a", **body})["body"] == body


def test_contents_become_messages():
    line = {
        "key": "k",
        "request": {
            "model": "models/g",
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "What is"}, {"text": "this?"}]},
                {"role": "model", "parts": [{"text": "A cat."}]},
                {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            ],
            "generationConfig": {
                "maxOutputTokens": 9,
                "top_p": 0.5,
                "stopSequences": ["x"],
                "responseMimeType": "application/json",
            },
            "safetySettings": [{"category": "x"}],
        },
    }

    assert converted(line)["body"] == {
        "model": "g",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is"},
                    {"type": "text", "text": "this?"},
                ],
            },
            {"role": "assistant", "content": "A cat."},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
                ],
            },
        ],
        "max_tokens": 9,
        "top_p": 0.5,
        "stop": ["x"],
        "response_format": {"type": "json_object"},
    }


TEXT = [{"parts": [{"text": "x"}]}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            {"request": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://a"}}]}]}},
            "fileData",
        ),
        ({"request": {"contents": [{"role": "tool", "parts": []}]}}, "neither user nor model"),
        ({"request": {"contents": TEXT, "tools": []}}, "tools"),
        ({"request": {"contents": TEXT, "cachedContent": "x"}}, "cachedContent"),
        ({"request": {"contents": TEXT, "generationConfig": {"responseSchema": {}}}}, "responseS"),
        ({"request": {"contents": TEXT}, "extra": "text"}, "extra"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "is not text"),
        ({"contents": ["x"]}, "not a list of objects"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4"}}]}]}, "not an image"),
        ({"modelInput": {"inputText": "x"}}, "neither messages nor a prompt"),
        ({"modelInput": {"prompt": "x", "images": ["AAAA"]}}, "images"),
        ({"modelInput": {"messages": [{"role": "user", "content": [{"image": {}}]}]}}, "image"),
        ({"modelInput": {"messages": [], "toolConfig": {}}}, "toolConfig"),
        ({"modelInput": {"messages": [], "inferenceConfig": 5}}, "not an object"),
    ],
)
def test_a_line_of_which_something_would_be_lost_is_refused_and_the_check_says_so(line, reason):
    assert reason in refusal(line)

    report = check_bytes(json.dumps(line).encode())

    assert set(report.finding_totals) == {recognise_format(line), "not_convertible"}
    assert reason in report.findings[1].message


@pytest.mark.parametrize(
    ("fields", "url", "body"),
    [
        (
            {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [ASKED]},
            MESSAGES,
            {"max_tokens": 5, "messages": [ASKED]},
        ),
        (
            {
                "schemaVersion": "messages-v1",
                "system": [{"text": "Be brief."}],
                "messages": [{"role": "user", "content": [{"text": "Why?"}]}],
                "inferenceConfig": {"maxTokens": 5, "topP": 0.5},
            },
            CHAT,
            {
                "messages": [{"role": "system", "content": "Be brief."}, ASKED],
                "max_tokens": 5,
                "top_p": 0.5,
            },
        ),
        (
            {"prompt": "Once", "max_gen_len": 5},
            "/v1/completions",
            {"prompt": "Once", "max_tokens": 5},
        ),
    ],
)
def test_the_fields_of_each_model_family_of_bedrock_are_read(fields, url, body):
    request = converted({"recordId": "r", "modelInput": fields})

    assert (request["url"], request["body"]) == (url, body)
