import pytest

from batchapp.domain.request_files.formats.anthropic import to_chat
from batchapp.domain.request_files.formats.lossless import CannotConvert


def chat(**params):
    return to_chat({"model": "c", "messages": [{"role": "user", "content": "Hi"}]} | params)


def messages(*blocks, role="user"):
    return chat(messages=[{"role": role, "content": list(blocks)}])["messages"]


def test_settings_get_their_other_names():
    assert chat(
        max_tokens=5,
        stop_sequences=["x"],
        top_k=3,
        metadata={"user_id": "u"},
        tool_choice={"type": "any"},
    ) == {
        "model": "c",
        "max_tokens": 5,
        "top_k": 3,
        "messages": [{"role": "user", "content": "Hi"}],
        "stop": ["x"],
        "user": "u",
        "tool_choice": "required",
    }


def test_texts_and_images_are_parts_of_a_message_and_a_mark_for_the_cache_is_left_out():
    parts = [
        {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
    ]

    assert messages(*parts) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        }
    ]


def test_a_tool_its_call_and_its_result_are_kept():
    tool = {"name": "add", "description": "Adds", "input_schema": {"type": "object"}}
    call = {"type": "tool_use", "id": "1", "name": "add", "input": {"a": [1]}}
    result = {
        "type": "tool_result",
        "tool_use_id": "1",
        "content": [{"type": "text", "text": "2"}],
    }

    assert chat(tools=[tool], tool_choice={"type": "tool", "name": "add"})["tools"] == [
        {
            "type": "function",
            "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}},
        }
    ]
    assert messages({"type": "text", "text": "So"}, call, role="assistant") == [
        {
            "role": "assistant",
            "content": "So",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "add", "arguments": '{"a":[1]}'},
                }
            ],
        }
    ]
    assert messages(result, {"type": "text", "text": "And?"}) == [
        {"role": "tool", "tool_call_id": "1", "content": "2"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"thinking": {"type": "enabled"}}, "thinking"),
        ({"messages": "Hi"}, "not a list"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "neither user nor assistant"),
        ({"messages": [{"role": "user", "content": "Hi", "name": "Bob"}]}, "name"),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "neither text nor"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "not text"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "x", "citations": []}]}
                ]
            },
            "citations",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}
                ]
            },
            "neither an address nor base64",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "only Anthropic"),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "disable_parallel"),
        ({"tool_choice": {"type": "other"}}, "not known"),
        ({"tool_choice": "auto"}, "not an object"),
        ({"metadata": {"user_id": "u", "team": "t"}}, "team"),
    ],
)
def test_what_a_chat_has_no_place_for_is_refused_with_its_name(params, reason):
    with pytest.raises(CannotConvert, match=reason):
        chat(**params)
