"""The turns of a request, for people."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.results.conversation import ASKING, Turn, last_question, turns


def line(**body: Any) -> bytes:
    return json.dumps({"custom_id": "a", "body": body}).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"messages": [{"role": "system", "content": "Be short."}, {"content": "Hi"}]},
            [Turn("system", "Be short."), Turn("message", "Hi")],
        ),
        (
            {
                "system": "Be kind.",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            },
            [Turn("system", "Be kind."), Turn("user", "Hi")],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is this?"},
                            {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
                        ],
                    }
                ]
            },
            [Turn("user", "What is this?\n[image_url]")],
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "look", "arguments": '{"at": 1}'}}],
                    }
                ]
            },
            [Turn("assistant", 'look({"at": 1})')],
        ),
        ({"input": ["one", "two"]}, [Turn("input", "one"), Turn("input", "two")]),
        ({"input": "one"}, [Turn("input", "one")]),
        (
            {"instructions": "Rhyme.", "input": [{"role": "user", "content": "Go"}]},
            [Turn("system", "Rhyme."), Turn("user", "Go")],
        ),
        ({"prompt": "Once"}, [Turn("input", "Once")]),
        ({}, []),
        ({"messages": 7, "input": None}, []),
    ],
)
def test_each_shape_of_request_is_read(body: dict[str, Any], expected: list[Turn]) -> None:
    assert turns(line(**body)) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["messages", "role", "content", "type", "text", "input", "tool_calls"]),
        inner,
    ),
)  # fmt: skip


@given(JSON)
def test_no_request_is_too_odd(body: Any) -> None:
    assert all(turn.text for turn in turns(json.dumps({"body": body}).encode()))


@pytest.mark.parametrize("cut", [b"", b"{", b"[" * 100_000, b"\xff", b"7"])
def test_a_line_that_is_no_request_has_no_turns(cut: bytes) -> None:
    assert turns(cut) == []


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (
            {
                "messages": [
                    {"role": "user", "content": "First"},
                    {"role": "assistant", "content": "Yes?"},
                    {"role": "user", "content": "Second"},
                ]
            },
            "Second",
        ),
        ({"input": ["one", "two"]}, "two"),
        ({"messages": [{"role": "system", "content": "Be short."}]}, ""),
        ({}, ""),
    ],
)
def test_the_question_is_what_the_user_said_last(body: dict[str, Any], asked: str) -> None:
    assert last_question(line(**body)) == asked


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"content": st.sampled_from(["", "one", "zwei", None])},
        optional={
            "role": st.sampled_from(["user", "assistant", "system", "", "input", 1]),
            "tool_calls": st.sampled_from([None, [], [{"function": {"name": "f"}}]]),
        },
    )
)


@given(MESSAGES)
def test_the_quick_way_to_the_question_finds_the_same_as_the_turns(messages: list[Any]) -> None:
    request = line(messages=messages)
    asked = [turn.text for turn in turns(request) if turn.role in ASKING]

    assert last_question(request) == (asked[-1] if asked else "")
