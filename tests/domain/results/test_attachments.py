"""Images of requests and tool calls of answers."""

import json
from typing import Any

import pytest

from batchapp.domain.results.attachments import (
    MAX_IMAGES,
    RequestImage,
    ToolCall,
    request_images,
    tool_calls,
)

PNG = "data:image/png;base64,iVBORw0KGgo="


def request(*parts: Any) -> bytes:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}]}
    return json.dumps({"custom_id": "a", "body": body}).encode()


def part(url: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (part(PNG), RequestImage(data_url=PNG)),
        ({"type": "input_image", "image_url": PNG}, RequestImage(data_url=PNG)),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
            },
            RequestImage(data_url=PNG),
        ),
        (part("https://x.test/a.png"), RequestImage(address="https://x.test/a.png")),
        (part("data:image/svg+xml;base64,PHN2Zz4="), RequestImage()),
        (part("data:text/html;base64,PHN2Zz4="), RequestImage()),
        (part('data:image/png;base64,"><script>'), RequestImage()),
        (part("javascript:alert(1)"), RequestImage()),
        (part("data:image/png;base64," + "A" * (4 * 1024 * 1024)), RequestImage()),
        (part(None), RequestImage()),
    ],
)
def test_only_pictures_of_bounded_size_are_shown_and_only_web_addresses_named(
    given: dict[str, Any], found: RequestImage
) -> None:
    assert request_images(request(given)) == [found]


def test_of_many_images_the_first_are_listed() -> None:
    assert len(request_images(request(*[part(PNG)] * 50))) == MAX_IMAGES


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b'{"body": 1}', b"[" * 100_000),
        b'{"response": {"body": {"output": [{"type": ["function_call"]}, {"type": {}}]}}}',
    ],
)
def test_what_is_no_request_has_no_images_and_no_calls(line: bytes) -> None:
    assert request_images(line) == []
    assert tool_calls(line) == []


def test_tool_calls_of_each_shape_are_read() -> None:
    call = {"function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    shown = ToolCall("weather", '{\n  "city": "Paris"\n}')
    for body in (
        {"choices": [{"message": {"tool_calls": [call]}}]},
        {
            "output": [
                {"type": "function_call", "name": "weather", "arguments": '{"city":"Paris"}'}
            ]
        },
        {"content": [{"type": "tool_use", "name": "weather", "input": {"city": "Paris"}}]},
    ):
        assert tool_calls(json.dumps({"response": {"body": body}}).encode()) == [shown]


def test_arguments_that_are_no_json_stay_as_they_are() -> None:
    call = {"function": {"name": "a", "arguments": "{not json \ud83d"}}
    body = {"choices": [{"message": {"tool_calls": [call]}}]}

    assert tool_calls(json.dumps({"response": {"body": body}}).encode()) == [
        ToolCall("a", "{not json ?")
    ]
