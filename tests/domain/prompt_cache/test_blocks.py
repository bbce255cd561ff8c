from typing import Any

from batchapp.domain.prompt_cache.blocks import MAX_BLOCKS, Block, read_start

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
MARKER = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
QUESTION = {"role": "user", "content": "Question"}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages, QUESTION]} | fields


def test_blocks_come_in_the_order_of_the_prompt_without_the_last():
    parts = [{"type": "text", "text": "Rules"}, {"type": "text", "text": "More"} | MARKER]
    tool = {"type": "function", "function": {"name": "f"}}

    start = read_start(body({"role": "system", "content": parts}, tools=[tool]), CHAT)

    assert start is not None
    assert [block.role for block in start.blocks] == ["tools", "system", "system"]
    assert [block.text for block in start.blocks[1:]] == ["Rules", "More"]
    assert start.markers == ((2, "1h"),)


def test_a_text_and_a_block_of_the_same_text_are_the_same_with_and_without_marker():
    texts = [
        "Rules",
        [{"type": "text", "text": "Rules"}],
        [{"type": "text", "text": "Rules"} | MARKER],
    ]

    starts = [read_start(body({"role": "system", "content": row}), CHAT) for row in texts]

    assert {start and start.blocks for start in starts} == {(Block("system", "Rules"),)}


def test_the_system_field_of_messages_is_a_block():
    start = read_start(body(system="Rules"), MESSAGES)

    assert start is not None
    assert start.blocks == (Block("system", "Rules"),)


def test_a_marker_of_the_whole_body_stands_on_the_last_block():
    start = read_start(body({"role": "system", "content": "Rules"}, **MARKER), CHAT)

    assert start is not None
    assert start.markers == ((1, "1h"),)


def test_other_endpoints_and_single_blocks_have_no_start():
    assert read_start(body(), CHAT) is None
    assert read_start(body({"role": "system", "content": "Rules"}), "/v1/responses") is None


def test_a_long_conversation_is_read_up_to_a_limit():
    turns = [{"role": "user", "content": f"{number}"} for number in range(1_000)]

    start = read_start(body(*turns), CHAT)

    assert start is not None
    assert len(start.blocks) == MAX_BLOCKS


def test_the_lines_of_a_template_share_the_blocks_before_their_own():
    own = {"role": "user", "content": "Own"}
    request = body({"role": "system", "content": "Rules"}, own, {"role": "user", "content": "Go"})

    start = read_start(request, CHAT, [own], 1)

    assert start is not None
    assert start.blocks == (Block("system", "Rules"),)
    assert start.read_further("Mine") == [Block("user", "Mine"), Block("user", "Go")]
    assert start.fill(["Mine"]).blocks == (*start.blocks, *start.read_further("Mine"))
