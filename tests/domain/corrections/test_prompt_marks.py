"""Marking the prompts that requests share: the right block, the right order, nothing else."""

import json
from typing import Any

import pytest

from batchapp.domain.corrections.prompt_marks import NO_GROUP, PromptMarker, take_turns
from batchapp.domain.prompt_cache.blocks import read_start
from batchapp.domain.prompt_cache.choice import Marking, MarkRule
from tests.domain.request_lines import LIMITS, check_bytes, make_body, make_file, make_line

RULE = MarkRule("5m", 1_024, 1.28)
RULES = "word" * 1_100
MARKER = {"type": "ephemeral", "ttl": "5m"}


def request(number: int, system: Any = RULES, **fields: Any) -> bytes:
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": f"Question {number}"},
    ]
    return make_line(custom_id=f"r-{number}", body=make_body(messages=messages, **fields))


def mark(*lines: bytes, rule: MarkRule = RULE) -> list[tuple[int, dict[str, Any]]]:
    marker = PromptMarker(Marking({"m": rule}), LIMITS)
    return [(group, json.loads(line)) for group, line in marker.run(lambda: [make_file(*lines)])]


def test_a_system_text_becomes_a_block_with_a_marker_and_nothing_else_changes():
    lines = [request(number, temperature=0.5) for number in range(20)]

    for line, (group, marked) in zip(lines, mark(*lines), strict=True):
        expected = json.loads(line)
        expected["body"]["messages"][0]["content"] = [
            {"type": "text", "text": RULES, "cache_control": MARKER}
        ]
        assert (group, marked) == (0, expected)


def test_the_marked_file_is_checked_without_findings_and_with_as_many_tokens():
    lines = [request(number) for number in range(20)]
    marker = PromptMarker(Marking({"m": RULE}), LIMITS)
    before, after = (
        check_bytes(data)
        for data in (
            make_file(*lines),
            b"".join(line for _, line in marker.run(lambda: [make_file(*lines)])),
        )
    )

    assert not after.finding_totals
    assert after.models["m"].input_tokens == before.models["m"].input_tokens
    assert after.prompts["m"].shared[0].marked == {"5m": 20}
    assert marker.marked == 20


def test_the_marker_stands_on_the_last_of_several_shared_blocks():
    blocks = [{"type": "text", "text": RULES}, {"type": "text", "text": "And more"}]
    lines = [request(number, blocks) for number in range(20)]

    (_, marked), *_ = mark(*lines)

    first, second = marked["body"]["messages"][0]["content"]
    assert "cache_control" not in first
    assert second["cache_control"] == MARKER


def test_shared_tools_without_a_shared_message_are_marked():
    tool = {"type": "function", "function": {"name": "f", "description": RULES}}
    lines = [request(number, f"Rules {number}", tools=[tool, tool]) for number in range(20)]

    (_, marked), *_ = mark(*lines)

    first, second = marked["body"]["tools"]
    assert "cache_control" not in first
    assert second["cache_control"] == MARKER


def test_the_system_text_of_messages_is_marked():
    body = {"model": "m", "system": RULES, "max_tokens": 9}
    lines = [
        make_line(
            custom_id=f"r-{number}",
            url="/v1/messages",
            body=body | {"messages": [{"role": "user", "content": f"Question {number}"}]},
        )
        for number in range(20)
    ]

    (_, marked), *_ = mark(*lines)

    assert marked["body"]["system"] == [{"type": "text", "text": RULES, "cache_control": MARKER}]
    start = read_start(marked["body"], "/v1/messages")
    assert start is not None
    assert start.markers == ((0, "5m"),)


@pytest.mark.parametrize(
    "lines",
    [
        [request(1)],
        [request(number) for number in range(12)],  # ten would write it, and two read it
        [request(number, "Short") for number in range(200)],
        [request(number, RULES + " " * number) for number in range(20)],
        [request(number, model="other") for number in range(20)],
        [request(number, cache_control=MARKER) for number in range(20)],
        [make_line(url="/v1/responses", body={"model": "m", "input": RULES})] * 20,
    ],
)
def test_lines_that_gain_nothing_keep_every_byte(lines):
    marker = PromptMarker(Marking({"m": RULE}), LIMITS)
    odd = [line.replace(b'{"', b'{ "') for line in lines]

    assert [*marker.run(lambda: [make_file(*odd)])] == [(NO_GROUP, line + b"\n") for line in odd]
    assert marker.marked == 0


def test_a_last_line_without_an_end_gets_one():
    marker = PromptMarker(Marking({}), LIMITS)

    assert [line for _, line in marker.run(lambda: [b"{}\n{}"])] == [b"{}\n", b"{}\n"]


def test_groups_take_turns_and_keep_their_own_order():
    groups = [0, 0, 0, 1, 1, 2, NO_GROUP, 2]

    assert [*take_turns(groups, 10)] == [0, 3, 5, 1, 4, 7, 2, 6]


def test_only_some_groups_take_turns_at_once():
    groups = [group for group in range(9) for _ in range(3)]

    order = [groups[index] for index in take_turns(groups, 1)]

    assert order[:8] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert sorted(order) == groups


@pytest.mark.parametrize("groups", [[], [0] * 5, [NO_GROUP] * 3, [0, NO_GROUP, 0]])
def test_a_file_with_one_group_stays_in_its_order(groups):
    assert [*take_turns(groups, 10)] == [*range(len(groups))]
