"""What fails when the request runs is a warning that says so, and says what to write."""

import base64
import json
from typing import Any

import pytest

from batchapp.domain.request_files.check_file import Severity
from batchapp.domain.request_files.rules.inputs import MAX_INPUTS, MAX_INPUTS_PER_BATCH
from batchapp.domain.request_files.rules.parameters import PARAMETERS
from batchapp.domain.request_files.rules.request_body import MAX_FINDINGS
from tests.domain.request_lines import check_bytes, codes, make_body, make_file, make_line

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: make_body(),
    RESPONSES: {"model": "m", "input": "Hello", "max_output_tokens": 10},
    MESSAGES: make_body(max_tokens=2_000),
    COMPLETIONS: {"model": "m", "prompt": "Hello", "max_tokens": 10},
    EMBEDDINGS: {"model": "m", "input": "Hello"},
}
FUNCTION = {"name": "look_up", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
FLAT_TOOL = {"type": "function", **FUNCTION}
SCHEMA_TOOL = {"name": "look_up", "input_schema": {"type": "object"}}

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300) + b"IEND\xaeB`\x82").decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9").decode()
WEBP = base64.b64encode(b"RIFF\x0c\x00\x00\x00WEBPVP8 abcd").decode()


def find(url: str, **fields: Any) -> list[tuple[str, str]]:
    """Return code and message of the findings of one request with these fields."""
    body = {name: value for name, value in (BODIES[url] | fields).items() if value is not ...}
    report = check_bytes(make_line(url=url, body=body))
    assert all(finding.severity is not Severity.ERROR for finding in report.findings)
    return [
        (finding.code, finding.message)
        for finding in report.findings
        if finding.code != "no_max_tokens"
    ]


def assert_one(found: list[tuple[str, str]], code: str, words: str) -> None:
    assert [name for name, _ in found] == [code]
    assert words in found[0][1]


@pytest.mark.parametrize("url", BODIES)
def test_a_usual_body_has_no_finding(url: str):
    assert find(url) == []


@pytest.mark.parametrize(
    ("url", "name", "value", "words"),
    [
        (CHAT, "temperature", "0.7", "a number from 0 to 2"),
        (CHAT, "temperature", 2.1, "temperature is 2.1, so this request will fail"),
        (CHAT, "temperature", True, "temperature is true"),
        (MESSAGES, "temperature", 1.2, "a number from 0 to 1"),
        (COMPLETIONS, "top_p", -0.1, "from 0 to 1"),
        (CHAT, "presence_penalty", 3, "from -2 to 2"),
        (CHAT, "stop", ["a", "b", "c", "d", "e"], "at most 4 texts"),
        (CHAT, "stop", 5, "a text or a list"),
        (CHAT, "seed", "42", 'seed is "42" in quotes'),
        (CHAT, "seed", 1.5, "a whole number"),
        (CHAT, "n", 0, "from 1 to 128"),
        (CHAT, "logprobs", 3, "true or false"),
        (COMPLETIONS, "logprobs", True, "from 0 to 20"),
        (CHAT, "stream", "false", "without quotes"),
        (CHAT, "logit_bias", {"50256": 101}, "-100 to 100"),
        (CHAT, "user", {"id": 1}, "user is an object"),
        (CHAT, "verbosity", "loud", "one of low, medium, high"),
        (EMBEDDINGS, "dimensions", 0, "from 1"),
        (EMBEDDINGS, "encoding_format", "hex", "float, base64"),
        (RESPONSES, "truncation", True, "auto, disabled"),
        (MESSAGES, "stop_sequences", "END", "a list of texts"),
    ],
)
def test_a_parameter_of_another_type_or_out_of_range_is_a_warning(url, name, value, words):
    is_quoted = value in {"0.7", "42", "false"} if isinstance(value, str) else False
    code = "quoted_parameter" if is_quoted else "bad_parameter"
    assert_one(find(url, **{name: value}), code, words)


@pytest.mark.parametrize("url", PARAMETERS)
def test_null_is_taken_as_left_out(url: str):
    assert find(url, **dict.fromkeys(PARAMETERS[url])) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", 0), ("temperature", 2), ("top_p", 1), ("stop", "x"), ("stop", [])),
        *(("seed", -7), ("n", 1), ("stream", False), ("logit_bias", {"1": -100})),
        *(("top_k", -1), ("repetition_penalty", 1.1), ("verbosity", "low")),
    ],
)
def test_a_parameter_at_the_end_of_its_range_has_no_finding(name, value):
    assert find(CHAT, **{name: value}) == []


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ("Hello", "bad_message", "is a text"),
        ([{"role": "user", "content": "x"}], "bad_message", "is no object"),
        ({"content": "x"}, "bad_message", "has no role"),
        ({"role": 1, "content": "x"}, "bad_message", "a role that is no text"),
        ({"role": "human", "content": "x"}, "bad_message", "“human”"),
        ({"role": "user"}, "bad_message", "has no content"),
        ({"role": "user", "text": "x"}, "bad_message", "name the field content"),
        ({"role": "user", "content": None}, "bad_message", "has no content"),
        ({"role": "user", "content": 7}, "bad_message", "a number for its content"),
        ({"role": "user", "content": {"text": "x"}}, "bad_message", "an object for its content"),
        ({"role": "user", "content": []}, "bad_message", "has no content"),
        ({"role": "user", "content": " \n"}, "blank_question", "is blank"),
        ({"role": "user", "content": ""}, "blank_question", "paid all the same"),
        ({"role": "user", "content": ["x"]}, "bad_part", "Part 1 of message 2 is no object"),
        ({"role": "user", "content": [{"text": "x"}]}, "bad_part", "has no type"),
        ({"role": "user", "content": [{"type": "text"}]}, "bad_part", "no text"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, "bad_part", "in quotes"),
        (
            {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
            "bad_part",
            "write text.",
        ),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "https://x.test"}]},
            "bad_part",
            "write image_url.",
        ),
        ({"role": "tool", "content": "x"}, "bad_tool_call", "no tool_call_id"),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}],
            },
            "bad_tool_call",
            "arguments as text",
        ),
        ({"role": "assistant", "content": None}, "bad_message", "has no content"),
    ],
)
def test_a_message_that_no_server_takes_is_a_warning(message, code, words):
    found = find(CHAT, messages=[{"role": "user", "content": "Hello"}, message])

    assert_one(found, code, words)
    assert "essage 2" in found[0][1]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
        {"role": "user", "content": [{"type": "text", "text": ""}]},
        {"role": "user", "content": "x", "name": "Ana"},
    ],
)
def test_a_message_of_any_usual_shape_has_no_finding(message):
    assert find(CHAT, messages=[{"role": "user", "content": "Hello"}, message]) == []


def test_instructions_alone_are_a_warning():
    messages = [{"role": "system", "content": "Be brief."}]

    assert_one(find(CHAT, messages=messages), "no_question", "role user")


@pytest.mark.parametrize(
    ("url", "message", "words"),
    [
        (MESSAGES, {"role": "system", "content": "x"}, "the field system beside messages"),
        (MESSAGES, {"role": "user", "content": [{"type": "image_url"}]}, "write image."),
        (RESPONSES, {"role": "user", "content": [{"type": "text", "text": "x"}]}, "input_text"),
        (RESPONSES, {"role": "tool", "content": "x"}, "function_call_output"),
    ],
)
def test_roles_and_parts_of_another_url_are_told_by_their_name_here(url, message, words):
    field = "messages" if url == MESSAGES else "input"

    ((_, text),) = find(url, **{field: [message]})

    assert words in text


def test_items_of_the_responses_api_are_no_messages():
    items = [
        {"type": "message", "role": "user", "content": "x"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "4"},
        {"type": "reasoning", "summary": []},
    ]

    assert find(RESPONSES, input=items) == []


def with_image(url: str, address: Any) -> dict[str, Any]:
    """Return the fields of a body that shows the image at ``address``."""
    if url == MESSAGES:
        source = {"type": "base64", "media_type": "image/png", "data": address}
        return {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    if url == RESPONSES:
        part = {"type": "input_image", "image_url": address}
        return {"input": [{"role": "user", "content": [part]}]}
    part = {"type": "image_url", "image_url": {"url": address}}
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize("url", [CHAT, RESPONSES])
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "an empty address"),
        (PNG, "is base64 alone"),
        ("A" * 400, "is base64 alone"),
        (f"b'{PNG}'", "as Python prints them"),
        (f"data:image/png;base64,b'{PNG}'", "as Python prints them"),
        (f"data:image/png;base64,{PNG[:-8]}", "is cut short"),
        (f"data:image/png;base64,{PNG[:-9]}", "is cut short"),
        (f"data:image/jpeg;base64,{JPEG[:-8]}", "is cut short"),
        (f"data:image/webp;base64,{WEBP[:-4]}", "is cut short"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,a*b=", "characters that base64 does not have"),
        (f"data:image/png,{PNG}", "without its type or ;base64"),
        (r"D:\scans\page 1.png", "is a path on a computer"),
        ("/home/ana/page.png", "is a path on a computer"),
        ("scans/page.jpeg", "is a path on a computer"),
        ("file:///home/ana/page.png", "is a path on a computer"),
        ("s3://bucket/page.png", "not on the web"),
        ("page one", "has no address"),
        (None, ""),
        (7, "has no address"),
    ],
)
def test_an_image_that_the_provider_cannot_read_is_a_warning(url, address, words):
    assert_one(find(url, **with_image(url, address)), "bad_attachment", words)


@pytest.mark.parametrize("url", [CHAT, RESPONSES])
@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a.png",
        "HTTPS://example.com/a",
        f"data:image/png;base64,{PNG}",
        f"data:image/jpg;base64,{PNG}",
        f"data:image/jpeg;base64,{JPEG}",
        f"data:image/webp;base64,{WEBP}",
        f"data:image/png;base64,{PNG[:76]}\n{PNG[76:]}",
        "dw-img://" + "0" * 64,
    ],
)
def test_an_image_that_can_be_read_has_no_finding(url, address):
    assert find(url, **with_image(url, address)) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PNG, ""),
        (f"data:image/png;base64,{PNG}", "leave that out"),
        ("https://example.com/a.png", "where base64 must stand"),
        (PNG[:-8], "is cut short"),
    ],
)
def test_the_messages_api_has_base64_alone(data, words):
    found = find(MESSAGES, **with_image(MESSAGES, data))

    assert [code for code, _ in found] == (["bad_attachment"] if words else [])
    assert not words or words in found[0][1]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, ""),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg=="}}, "no format"),
        (
            {"type": "input_audio", "input_audio": {"data": "https://x.test/a", "format": "wav"}},
            "where base64 must stand",
        ),
        ({"type": "input_audio", "input_audio": "UklGRg=="}, "is no object"),
        ({"type": "audio_url", "audio_url": {"url": "a.mp3"}}, "a path on a computer"),
        ({"type": "file", "file": {"file_id": "file-1"}}, ""),
        ({"type": "file", "file": {"file_data": "/tmp/a.pdf"}}, "a path on a computer"),
    ],
)
def test_sounds_and_documents_are_looked_at_too(part, words):
    found = find(CHAT, messages=[{"role": "user", "content": [part]}])

    assert [code for code, _ in found] == (["bad_attachment"] if words else [])
    assert not words or words in found[0][1]


@pytest.mark.parametrize(
    ("url", "value", "words"),
    [
        (EMBEDDINGS, "", "input is blank"),
        (EMBEDDINGS, " \n", "input is blank"),
        (EMBEDDINGS, [], "an empty list"),
        (EMBEDDINGS, ["a", ""], "a blank text as number 2"),
        (EMBEDDINGS, ["a", None], "null as number 2"),
        (EMBEDDINGS, {"text": "a"}, "an object"),
        (EMBEDDINGS, 5, "a number"),
        (EMBEDDINGS, ["a", 5], "values that are no texts"),
        (EMBEDDINGS, [[1, 2], []], "not of token ids"),
        (EMBEDDINGS, [["a"]], "not of token ids"),
        (COMPLETIONS, "", "prompt is blank"),
        (COMPLETIONS, [], "an empty list"),
        (RESPONSES, " ", "input is blank"),
        (RESPONSES, [], "an empty list"),
        (RESPONSES, 5, "a number"),
    ],
)
def test_an_input_that_no_server_takes_is_a_warning(url, value, words):
    field = "prompt" if url == COMPLETIONS else "input"

    assert_one(find(url, **{field: value}), "bad_input", words)


@pytest.mark.parametrize("value", [["a", "b"], [1, 2], [[1], [2, 3]], "a" * 10_000])
def test_inputs_in_every_usual_shape_have_no_finding(value):
    assert find(EMBEDDINGS, input=value) == []
    assert find(COMPLETIONS, prompt=value) == []


def test_more_inputs_than_a_request_takes_are_a_warning():
    assert find(EMBEDDINGS, input=["a"] * MAX_INPUTS) == []
    assert_one(find(EMBEDDINGS, input=["a"] * (MAX_INPUTS + 1)), "many_inputs", "2,049 texts")
    assert find(EMBEDDINGS, input=[1] * (MAX_INPUTS + 1)) == []


def test_more_inputs_than_a_batch_takes_are_a_warning_of_the_file():
    per_line = 2_000
    bodies = [
        BODIES[EMBEDDINGS] | {"input": [f"{number} {text}" for text in range(per_line)]}
        for number in range(MAX_INPUTS_PER_BATCH // per_line + 1)
    ]
    lines = [
        make_line(custom_id=str(number), url=EMBEDDINGS, body=body)
        for number, body in enumerate(bodies)
    ]

    assert codes(make_file(*lines[:-1])) == {}
    (finding,) = check_bytes(make_file(*lines)).findings
    assert (finding.line, finding.code) == (0, "many_inputs_in_all")
    assert "52,000 texts" in finding.message


@pytest.mark.parametrize(
    ("url", "fields", "code", "words"),
    [
        (MESSAGES, {"max_tokens": ...}, "missing_max_tokens", "has no max_tokens"),
        (CHAT, {"max_completion_tokens": 9}, "two_limits", "keep one of them"),
        (CHAT, {"top_logprobs": 3}, "bad_combination", "needs logprobs"),
        (CHAT, {"stream_options": {}}, "bad_combination", "needs stream"),
        (CHAT, {"min_tokens": 99}, "bad_combination", "more than max_tokens"),
        (COMPLETIONS, {"best_of": 1, "n": 1, "min_tokens": 11}, "bad_combination", "min_tokens"),
        (
            MESSAGES,
            {"thinking": {"type": "enabled", "budget_tokens": 2_000}},
            "bad_combination",
            "not less than max_tokens",
        ),
        (
            MESSAGES,
            {"thinking": {"type": "enabled", "budget_tokens": 10}},
            "bad_combination",
            "less than 1,024",
        ),
        (CHAT, {"model": "o3-mini", "temperature": 0.5}, "reasoning_model", "max_completion"),
        (CHAT, {"model": "openai/o1"}, "reasoning_model", "refuses max_tokens"),
        (RESPONSES, {"model": "o4-mini", "top_p": 0.5}, "reasoning_model", "leave out top_p"),
        (CHAT, {"model": "gpt-5-mini-2025-08-07"}, "reasoning_model", "refuses max_tokens"),
    ],
)
def test_fields_that_fail_together_are_a_warning(url, fields, code, words):
    assert_one(find(url, **fields), code, words)


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (CHAT, {"top_logprobs": 3, "logprobs": True}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1_500}}),
        (CHAT, {"model": "o3", "max_tokens": ..., "max_completion_tokens": 9, "temperature": 1}),
        (CHAT, {"model": "openai/gpt-oss-20b", "temperature": 0.5}),
        (CHAT, {"model": "gpt-5-chat", "temperature": 0.5}),
        (RESPONSES, {"model": "o3"}),
    ],
)
def test_fields_that_go_together_have_no_finding(url, fields):
    assert find(url, **fields) == []


@pytest.mark.parametrize(
    ("url", "fields", "code", "words"),
    [
        (CHAT, {"tools": []}, "bad_tool", "an empty list"),
        (CHAT, {"tools": TOOL}, "bad_tool", "is no list"),
        (CHAT, {"tools": ["look_up"]}, "bad_tool", "Tool 1 is no object"),
        (CHAT, {"tools": [TOOL, SCHEMA_TOOL]}, "bad_tool", "Tool 2 has the shape of Anthropic"),
        (CHAT, {"tools": [FLAT_TOOL]}, "bad_tool", "has no function"),
        (CHAT, {"tools": [FUNCTION]}, "bad_tool", "has no type"),
        (CHAT, {"tools": [{"type": "web_search"}]}, "bad_tool", "a type that is not function"),
        (CHAT, {"tools": [{"type": "function", "function": {}}]}, "bad_tool", "no valid name"),
        (RESPONSES, {"tools": [TOOL]}, "bad_tool", "the shape of chat completions"),
        (RESPONSES, {"tools": [SCHEMA_TOOL]}, "bad_tool", "the shape of Anthropic"),
        (MESSAGES, {"tools": [TOOL]}, "bad_tool", "the shape of OpenAI"),
        (MESSAGES, {"tools": [{"name": "f"}]}, "bad_tool", "no input_schema"),
        (CHAT, {"tool_choice": "auto"}, "bad_tool_choice", "needs tools"),
        (CHAT, {"tools": [TOOL], "tool_choice": "any"}, "bad_tool_choice", "none of none, auto"),
        (
            CHAT,
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            "bad_tool_choice",
            "“f”",
        ),
        (
            CHAT,
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look_up"}},
            "bad_tool_choice",
            "names no tool",
        ),
        (
            RESPONSES,
            {"tools": [FLAT_TOOL], "tool_choice": {"type": "function", "name": "f"}},
            "bad_tool_choice",
            "“f”",
        ),
        (MESSAGES, {"tools": [SCHEMA_TOOL], "tool_choice": "auto"}, "bad_tool_choice", "type"),
        (
            MESSAGES,
            {"tools": [SCHEMA_TOOL], "tool_choice": {"type": "tool", "name": "f"}},
            "bad_tool_choice",
            "“f”",
        ),
    ],
)
def test_tools_in_another_shape_are_a_warning(url, fields, code, words):
    assert_one(find(url, **fields), code, words)


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (CHAT, {"tools": [TOOL]}),
        (CHAT, {"tools": [TOOL], "tool_choice": "required"}),
        (CHAT, {"tool_choice": "none"}),
        (
            CHAT,
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "look_up"}},
            },
        ),
        (RESPONSES, {"tools": [FLAT_TOOL, {"type": "web_search"}], "tool_choice": "auto"}),
        (
            RESPONSES,
            {"tools": [FLAT_TOOL], "tool_choice": {"type": "function", "name": "look_up"}},
        ),
        (MESSAGES, {"tools": [SCHEMA_TOOL, {"type": "web_search_20250305", "name": "s"}]}),
        (MESSAGES, {"tools": [SCHEMA_TOOL], "tool_choice": {"type": "any"}}),
        (
            MESSAGES,
            {"tools": [SCHEMA_TOOL], "tool_choice": {"type": "tool", "name": "look_up"}},
        ),
    ],
)
def test_tools_in_the_shape_of_the_url_have_no_finding(url, fields):
    assert find(url, **fields) == []


def test_a_body_that_is_wrong_everywhere_has_few_findings_and_repeats_nothing_long():
    secret = "sk-" + "aB3" * 16
    messages = [{"role": secret * 100, "content": "x"}] * 1_000

    report = check_bytes(make_line(body=make_body(messages=messages, user=[secret] * 50)))

    assert len(report.findings) == MAX_FINDINGS + 1  # and the secret
    assert secret not in json.dumps([finding.message for finding in report.findings])
    assert all(len(finding.message) < 400 for finding in report.findings)
