"""Which markers count, how far they look back, and which the cache refuses."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.responses import token_usage
from batchapp.sandbox.prompt_cache.markers import marked_prompt
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings
from tests.sandbox.api_client import CHAT, CHAT_MODEL, EMBEDDING_MODEL, chat, client, line
from tests.sandbox.processes import sandbox_process
from tests.sandbox.prompt_cache.prompts import (
    FIVE_MINUTES,
    HOUR,
    block,
    message,
    request,
    requests,
    text,
)

CACHE = CacheSettings.for_models(CHAT_MODELS)
FIELDS = {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"}


def answered(sandbox, rows: list[str], key: str = "sk-markers") -> dict[str, dict]:
    """Return the usage of each answered request of a batch, by custom_id."""
    api = sandbox.api(key)
    batch = sandbox.run(api, rows)["batch"]
    return {
        row["custom_id"]: row["response"]["body"]["usage"]
        for row in api.rows(batch["output_file_id"])
    }


def errors(sandbox, rows: list[str]) -> list[dict]:
    """Return status and body of each failed request of a batch."""
    api = sandbox.api()
    batch = sandbox.run(api, rows)["batch"]
    reasons = [json.loads(row["error"]["message"]) for row in api.rows(batch["error_file_id"])]
    return [
        reason["details"] | {"body": json.loads(reason["details"]["body"])} for reason in reasons
    ]


def marked(*markers: object, top: object = None) -> str:
    """Return a line whose blocks have ``markers``."""
    fields = {} if top is None else {"cache_control": top}
    blocks = [block(text(1500, number), marker) for number, marker in enumerate(markers)]
    return line("marked", model=CHAT_MODEL, messages=[message("user", *blocks)], **fields)


@pytest.mark.parametrize(
    ("row", "message_part"),
    [
        (marked(*[FIVE_MINUTES] * 5), "too many cache_control breakpoints (max 4)"),
        (marked({"type": "permanent"}), 'unsupported cache_control type: "permanent"'),
        (marked("ephemeral"), "cache_control must be an object"),
        (marked({"ttl": "5m"}), "cache_control must be an object"),
        (marked({"type": "ephemeral", "ttl": 5}), "cache_control must be an object"),
        (marked({"type": "ephemeral", "ttl": "2h"}), 'invalid cache_control ttl: "2h"'),
        (
            marked({"type": "ephemeral", "ttl": "24h"}),
            "ttl tier '24h' is not currently available; available tiers: 5m, 1h",
        ),
        (marked(None, HOUR, top=FIVE_MINUTES), "top-level cache_control ttl conflicts"),
        (marked(*[HOUR] * 4, None, top=HOUR), "no breakpoint slot left"),
    ],
)
def test_a_bad_marker_is_accepted_and_fails_unbilled_at_the_run(sandbox_with, row, message_part):
    sandbox = sandbox_with()

    (error,) = errors(sandbox, [row])

    assert error["status"] == 400
    assert error["body"]["error"]["code"] == "invalid_cache_control"
    assert message_part in error["body"]["error"]["message"]
    assert sandbox.api().http.get("/_sandbox/ledger").json()["total"]["cost_usd"] == "0"


def test_a_bad_marker_of_a_message_has_the_error_of_its_api_and_never_recovers(sandbox_with):
    sandbox = sandbox_with()
    api = sandbox.api()
    body = json.loads(marked({"type": "x"}))["body"] | {"max_tokens": 9}
    batch = sandbox.run(api, [line("a", url="/v1/messages", **body)])["batch"]

    api.post(batch, "retry")
    sandbox.finish(api, batch)

    (row,) = api.rows(batch["error_file_id"])
    (result,) = api.http.get(f"/v1/batches/{batch['id']}/results").text.splitlines()
    details = json.loads(row["error"]["message"])["details"]
    assert details["status"] == 400
    assert json.loads(details["body"])["type"] == "error"
    assert json.loads(result)["error"] == row["error"]["message"]


def test_without_the_cache_no_marker_is_checked_and_no_field_appears(sandbox_with):
    sandbox = sandbox_with(cache=replace(CACHE, enabled=False))

    usage = answered(sandbox, [marked({"type": "x"})])["marked"]

    assert not FIELDS & usage.keys()
    assert "prompt_tokens_details" not in usage


def test_a_model_without_a_tariff_takes_markers_and_shows_no_fields(sandbox_with):
    sandbox = sandbox_with(cache=CacheSettings(enabled=True))

    usage = answered(sandbox, requests(1, system=FIVE_MINUTES))["row-0"]

    assert not FIELDS & usage.keys()


def test_fields_of_value_zero_appear_wherever_the_cache_is_on(sandbox_with):
    sandbox = sandbox_with()
    rows = [
        line("chat", **chat()),
        line("message", url="/v1/messages", **chat(max_tokens=9)),
        line("completion", url="/v1/completions", model=CHAT_MODEL, prompt="Once"),
        line("response", url="/v1/responses", model=CHAT_MODEL, input="Hi", cache_control="x"),
        line("embedding", url="/v1/embeddings", model=EMBEDDING_MODEL, input="a"),
    ]

    usage = answered(sandbox, rows)

    assert usage["chat"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert usage["chat"]["cache_creation"] == {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 0,
        "ephemeral_24h_input_tokens": 0,
    }
    for name in ("message", "completion", "response", "embedding"):
        assert not FIELDS & usage[name].keys()


def test_messages_count_cached_tokens_beside_the_input_and_chat_within(sandbox_with):
    sandbox = sandbox_with(concurrency=1)
    system, user = block(text(2000), HOUR), block(text(100))
    body = {"model": CHAT_MODEL, "max_tokens": 9, "messages": [message("user", user)]}
    rows = [
        line("writes", url="/v1/messages", **body, system=[system]),
        line("reads", url="/v1/messages", **body, system=[system]),
        line("chat", **body | {"messages": [message("system", system), *body["messages"]]}),
    ]

    usage = answered(sandbox, rows)

    assert usage["writes"] == {
        "input_tokens": 100,
        "output_tokens": 9,
        "cache_creation_input_tokens": 2000,
        "cache_creation": {"ephemeral_1h_input_tokens": 2000},
    }
    assert usage["reads"]["input_tokens"] == 100
    assert usage["reads"]["cache_read_input_tokens"] == 2000
    assert usage["chat"]["prompt_tokens"] == 2100
    assert usage["chat"]["cache_read_input_tokens"] == 2000


def test_the_lifetime_of_a_marker_decides_where_its_part_is_written(sandbox_with):
    sandbox = sandbox_with()
    row = request("row", system=HOUR, question=FIVE_MINUTES)

    written = answered(sandbox, [row])["row"]["cache_creation"]

    assert written == {
        "ephemeral_5m_input_tokens": 134,
        "ephemeral_1h_input_tokens": 2000,
        "ephemeral_24h_input_tokens": 0,
    }


def test_a_tool_can_be_marked_and_its_definition_is_part_of_the_prompt(sandbox_with):
    sandbox = sandbox_with(concurrency=1)
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 8000}}
    marked_tool = tool | {"cache_control": FIVE_MINUTES}
    bodies = [chat("One", tools=[marked_tool]), chat("Two", tools=[marked_tool])]

    usage = answered(sandbox, [line(str(n), **body) for n, body in enumerate(bodies)])

    assert usage["1"]["cache_read_input_tokens"] > 2000
    assert usage["1"]["prompt_tokens"] > usage["1"]["cache_read_input_tokens"]


@pytest.mark.parametrize(("distance", "read"), [(19, True), (20, False)])
def test_a_marker_reads_what_one_of_the_blocks_before_it_wrote(sandbox_with, distance, read):
    sandbox = sandbox_with(concurrency=1)
    shared = block(text(2000), FIVE_MINUTES)
    later = [block(f"block {n}") for n in range(distance - 1)]
    bodies = [
        [message("user", shared)],
        [message("user", block(text(2000)), *later, block("last", FIVE_MINUTES))],
    ]
    rows = [line(str(n), model=CHAT_MODEL, messages=body) for n, body in enumerate(bodies)]

    usage = answered(sandbox, rows)["1"]

    assert (usage["cache_read_input_tokens"] > 0) is read


def test_only_the_content_decides_and_a_text_is_a_block(sandbox_with):
    sandbox = sandbox_with(concurrency=1)
    system = text(2000)
    rows = [
        request("marked", system=FIVE_MINUTES),
        line(
            "as-text",
            model=CHAT_MODEL,
            temperature=1,
            messages=[
                {"role": "system", "content": system},
                message("user", block("Hi", FIVE_MINUTES)),
            ],
        ),
        line("other-role", **chat(system, cache_control=FIVE_MINUTES)),
    ]

    usage = answered(sandbox, rows)

    assert usage["as-text"]["cache_read_input_tokens"] == 2000
    assert usage["other-role"]["cache_read_input_tokens"] == 0


PARTS = st.sampled_from(
    [
        {"type": "text", "text": "some words"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "tool_result", "content": [{"type": "text", "text": "result"}]},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
        "plain",
    ]
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "user", "assistant"]),
            "content": st.text(min_size=1, max_size=30) | st.lists(PARTS, min_size=1, max_size=4),
        },
        optional={"tool_calls": st.just([{"id": "1", "function": {"name": "f"}}])},
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    url=st.sampled_from([CHAT, "/v1/messages"]),
    messages=MESSAGES,
    system=st.none() | st.text(min_size=1, max_size=20),
    tools=st.lists(st.just({"name": "f", "input_schema": {}}), max_size=2),
)
def test_the_last_block_ends_with_the_prompt(url, messages, system, tools):
    body = {"model": CHAT_MODEL, "messages": messages, "tools": tools}
    body |= {"max_tokens": 9, "cache_control": FIVE_MINUTES}
    if system and url != CHAT:
        body["system"] = system

    prompt = marked_prompt(url, body, CACHE)

    assert prompt is not None
    request_line = RequestLine(custom_id="a", method="POST", url=url, body=body)
    assert prompt.breakpoints[-1].tokens == token_usage(request_line, "")[0]


def test_the_command_line_turns_the_cache_on_for_chat_models(tmp_path):
    with (
        sandbox_process(tmp_path, "--prompt-cache") as (url, _process),
        client(url, "pk-markers") as http,
    ):
        models = http.get("/admin/api/v1/models?include=pricing&limit=100").json()["data"]

    enabled = {model["alias"]: model["cache_pricing"]["enabled"] for model in models}
    assert enabled == {alias: alias != EMBEDDING_MODEL for alias in enabled}


def test_the_management_api_shows_the_cache_tariff_also_while_the_cache_is_off(sandbox_with):
    sandbox = sandbox_with(cache=replace(CACHE, enabled=False))
    without = sandbox_with(cache=CacheSettings(enabled=True))

    def cache_pricing(box) -> dict:
        http = box.api("pk-markers").http
        query = {"include": "pricing", "search": CHAT_MODEL}
        return http.get("/admin/api/v1/models", params=query).json()["data"][0]["cache_pricing"]

    assert cache_pricing(sandbox) == {
        "enabled": True,
        "write_multiplier_5m": "1.2500",
        "write_multiplier_1h": "2.0000",
        "write_multiplier_24h": "2.5000",
        "read_multiplier": "0.1000",
        "min_prefix_tokens": 1024,
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": None,
    }
    assert cache_pricing(without)["enabled"] is False
    assert cache_pricing(without)["read_multiplier"] is None
