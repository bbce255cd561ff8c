import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.results.outcome import (
    FAILED,
    SUCCEEDED,
    Answer,
    MalformedLine,
    Outcome,
    answer_text,
    failure_outcome,
    read_answer,
)


def make_result(body: Any = None, *, status: Any = 200, **overrides: Any) -> bytes:
    response = {"status_code": status, "request_id": None, "body": body}
    line = {"id": "batch_req_1", "custom_id": "a", "response": response, "error": None}
    return json.dumps(line | overrides).encode()


def make_error(message: Any, **error: Any) -> bytes:
    return make_result(response=None, error={"code": None, "message": message} | error)


def make_chat(content: Any = "Hi", reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": reason,
                "message": {"role": "assistant", "content": content} | message,
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }


def test_a_chat_answer_is_read_whole():
    assert read_answer(make_result(make_chat("The answer\nis  4."))) == Answer(
        line_id="batch_req_1",
        custom_id="a",
        outcome=Outcome.OK,
        status_code=200,
        finish_reason="stop",
        model="m",
        input_tokens=9,
        output_tokens=3,
        cache=None,
        error_code="",
        error_message="",
        preview="The answer is 4.",
    )


CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"at":"x"}'}}


@pytest.mark.parametrize(
    ("body", "outcome", "preview"),
    [
        (make_chat("cut", "length"), Outcome.TRUNCATED, "cut"),
        (make_chat(None, "length", reasoning_content="hmm"), Outcome.TRUNCATED, ""),
        (make_chat("", "content_filter"), Outcome.REFUSED, ""),
        (make_chat(None, "stop", refusal="I can't."), Outcome.REFUSED, "I can't."),
        (make_chat(""), Outcome.EMPTY, ""),
        (make_chat(" \n"), Outcome.EMPTY, ""),
        (make_chat(None), Outcome.EMPTY, ""),
        (make_chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ok", "a b"),
        (make_chat(None, "tool_calls", tool_calls=[CALL]), Outcome.OK, 'weather({"at":"x"})'),
        (
            make_chat("Let me look.", "tool_calls", tool_calls=[CALL, CALL]),
            Outcome.OK,
            'Let me look. weather({"at":"x"}) weather({"at":"x"})',
        ),
        (make_chat(None, "function_call", function_call={"name": "f"}), Outcome.OK, "f()"),
        ({"choices": []}, Outcome.EMPTY, ""),
        ({"choices": [{"text": "once", "finish_reason": "stop"}]}, Outcome.OK, "once"),
        ({"choices": [{"text": "onc", "finish_reason": "length"}]}, Outcome.TRUNCATED, "onc"),
        ({"data": [{"embedding": [0.5] * 1024}]}, Outcome.OK, "1,024 numbers"),
        ({"data": [{"embedding": [0.5]}]}, Outcome.OK, "1 number"),
        ({"data": [{"embedding": [1, 2]}] * 3}, Outcome.OK, "3 lists of 2 numbers"),
        ({"data": [{"embedding": "AACAPwAAgD8="}]}, Outcome.OK, "2 numbers"),
        ({"data": [{"index": 0, "score": 1.5}]}, Outcome.OK, '{"data":[{"index":0,"score":1.5}]}'),
        ({"data": []}, Outcome.EMPTY, ""),
        (
            {
                "status": "completed",
                "output": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
                ],
            },
            Outcome.OK,
            "Hi",
        ),
        (
            {"output": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            Outcome.OK,
            "f({})",
        ),
        (
            {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]},
            Outcome.REFUSED,
            "No.",
        ),
        (
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": [{"type": "message", "content": [{"text": "cu"}]}],
            },
            Outcome.TRUNCATED,
            "cu",
        ),
        (
            {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "x"},
            Outcome.OK,
            "Hi",
        ),
        (
            {
                "type": "message",
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "tool_use", "name": "f", "input": {"a": 1}},
                ],
                "stop_reason": "tool_use",
            },
            Outcome.OK,
            'f({"a":1})',
        ),
        (
            {"type": "message", "content": [{"text": "cu"}], "stop_reason": "max_tokens"},
            Outcome.TRUNCATED,
            "cu",
        ),
        ({"type": "message", "content": [], "stop_reason": "refusal"}, Outcome.REFUSED, ""),
        ("plain text", Outcome.OK, "plain text"),
        (json.dumps(make_chat("wrapped")), Outcome.OK, "wrapped"),
        ("", Outcome.EMPTY, ""),
        (None, Outcome.EMPTY, ""),
        ({}, Outcome.EMPTY, ""),
        ({"results": [{"score": 1}]}, Outcome.OK, '{"results":[{"score":1}]}'),
    ],
)
def test_every_shape_of_body_is_read(body, outcome, preview):
    answer = read_answer(make_result(body))

    assert answer.outcome == outcome
    assert answer.outcome in SUCCEEDED
    assert answer.preview == preview


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 2}}, (5, 2)),
        ({"usage": {"input_tokens": 5, "output_tokens": 2}}, (5, 2)),
        (
            {
                "usage": {
                    "input_tokens": 5,
                    "output_tokens": 2,
                    "cache_read_input_tokens": 100,
                    "cache_creation_input_tokens": 10,
                }
            },
            (115, 2),
        ),
        ({"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}, (5, 0)),
        ({"usage": {"prompt_tokens": 5.0, "completion_tokens": 0}}, (5, 0)),
        ({"usage": {"prompt_tokens": True, "completion_tokens": -1}}, (None, None)),
        ({"usage": {"prompt_tokens": "5", "completion_tokens": 10**12}}, (None, None)),
        ({"usage": None}, (None, None)),
        ({}, (None, None)),
        ("text", (None, None)),
    ],
)
def test_usage_is_none_if_the_body_has_none(body, tokens):
    answer = read_answer(make_result(body))

    assert (answer.input_tokens, answer.output_tokens) == tokens


CACHED = {"cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300}
OPENAI_CACHED = {"prompt_tokens_details": {"cached_tokens": 2000}}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 2400, "completion_tokens": 2}}, 2400),
        ({"choices": [], "usage": {"prompt_tokens": 2400} | OPENAI_CACHED}, 2400),
        ({"choices": [], "usage": {"prompt_tokens": 2400} | CACHED | OPENAI_CACHED}, 2400),
        ({"choices": [{"text": "x"}], "usage": {"prompt_tokens": 2400} | CACHED}, 2400),
        ({"choices": [], "usage": {"input_tokens": 2400} | CACHED}, 2400),
        ({"usage": {"prompt_tokens": 2400, "input_tokens": 100} | CACHED}, 2400),
        ({"usage": {"prompt_tokens": None, "input_tokens": 100} | CACHED}, None),
        (
            {
                "object": "response",
                "output": [],
                "usage": {"input_tokens": 2400, "input_tokens_details": {"cached_tokens": 2000}},
            },
            2400,
        ),
        ({"output": [], "usage": {"input_tokens": 2400} | CACHED}, 2400),
        ({"usage": {"input_tokens": 2400, "input_tokens_details": None} | CACHED}, 2400),
        ({"type": "message", "content": [], "usage": {"input_tokens": 100} | CACHED}, 2400),
        (
            {
                "type": "message",
                "content": [],
                "usage": {"input_tokens": 100, "cache_read_input_tokens": 2000},
            },
            2100,
        ),
        ({"content": [], "usage": {"input_tokens": 0} | CACHED}, 2300),
        (
            {"content": [], "usage": {"input_tokens": 5, "cache_read_input_tokens": "2000"}},
            None,
        ),
        (
            {"content": [], "usage": {"input_tokens": 5, "cache_read_input_tokens": -7}},
            None,
        ),
        (
            {"content": [], "usage": {"input_tokens": 2, "cache_read_input_tokens": 2**31 - 1}},
            None,
        ),
        ({"data": [], "usage": {"prompt_tokens": 2400} | CACHED}, 2400),
    ],
)
def test_cached_input_is_counted_once(body, tokens):
    assert read_answer(make_result(body)).input_tokens == tokens


def wrapped(status: int, body: Any, kind: str = "NonRetriableHttpStatus") -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return json.dumps({"type": kind, "details": {"status": status, "body": text}})


OPENAI = {"error": {"message": "Too long.", "type": "invalid_request", "code": "too_long"}}


@pytest.mark.parametrize(
    ("line", "status", "code", "message"),
    [
        (make_error(wrapped(400, OPENAI)), 400, "too_long", "Too long."),
        (make_error(wrapped(402, "Balance too low.")), 402, "NonRetriableHttpStatus", None),
        (
            make_error(wrapped(500, {"object": "error", "message": "Boom", "code": 500})),
            500,
            None,
            "Boom",
        ),
        (
            make_error(wrapped(422, {"detail": [{"loc": ["body"], "msg": "field required"}]})),
            422,
            None,
            "field required",
        ),
        (make_error(wrapped(503, {"detail": "Overloaded"})), 503, None, "Overloaded"),
        (
            make_error(wrapped(502, "<html><head><title>502 Bad Gateway</title></head></html>")),
            502,
            None,
            "502 Bad Gateway",
        ),
        (make_error(wrapped(502, "<h1>502 Bad Gateway</h1>")), 502, None, "502 Bad Gateway"),
        (make_error(wrapped(502, "<br>")), 502, None, "HTTP status 502, without a reason."),
        (make_error("<think> is not closed"), None, "", "<think> is not closed"),
        (make_error(wrapped(500, "")), 500, None, "HTTP status 500, without a reason."),
        (
            make_error(json.dumps({"type": "Timeout", "details": {"error": "after 600 s"}})),
            None,
            "Timeout",
            "The model did not answer in time: after 600 s",
        ),
        (
            make_error(json.dumps({"type": "NetworkError", "details": {"error": ""}})),
            None,
            "NetworkError",
            "The provider could not reach the model.",
        ),
        (
            make_error(json.dumps({"type": "TaskTerminated"})),
            None,
            "TaskTerminated",
            "The provider stopped while it worked on this request.",
        ),
        (make_error("Unknown error"), None, "", "Unknown error"),
        (make_error('"quoted once more"'), None, "", "quoted once more"),
        (make_error("{not json"), None, "", "{not json"),
        (make_error(""), None, "", "No reason was given."),
        (make_result(response=None, error="plain"), None, "", "plain"),
        (make_result(response=None, error=None), None, "", "No reason was given."),
        (make_result(response=None, error=[1]), None, "", "No reason was given."),
        (make_result(response={}, error={"message": "x"}), None, "", "x"),
        (make_result(response={"body": 1}, error={"message": "x"}), None, "", "x"),
        (make_result(None, error={"message": "x"}), 200, "", "x"),
        (make_result(OPENAI), 200, "too_long", "Too long."),
    ],
)
def test_the_sentence_of_an_error_line_is_found(line, status, code, message):
    answer = read_answer(line)

    assert answer.outcome == failure_outcome(status)
    assert answer.outcome in FAILED
    assert answer.status_code == status
    assert code is None or answer.error_code == code
    assert message is None or answer.error_message == message
    assert answer.input_tokens is None


@pytest.mark.parametrize(
    "line",
    [
        make_error(json.dumps({"type": "BatchTerminated"})),
        make_error("This batch was cancelled.", code="batch_cancelled"),
    ],
)
def test_a_request_that_was_never_tried_is_cancelled(line):
    assert read_answer(line).outcome == Outcome.CANCELLED


def test_a_request_whose_time_was_up_has_expired():
    answer = read_answer(make_error("This request could not be run.", code="batch_expired"))

    assert answer.outcome == Outcome.EXPIRED
    assert answer.outcome in FAILED
    assert answer.error_message == "This request could not be run."


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (400, OPENAI, None, "Too long."),
        (429, json.dumps(OPENAI), None, "Too long."),
        (500, "Internal\n server error", None, "Internal server error"),
        (404, {"error": "no such model"}, None, "no such model"),
        (400, None, {"message": "outside"}, "outside"),
        (302, None, None, "HTTP status 302, without a reason."),
        (0, None, None, "No reason was given."),
    ],
)
def test_the_status_decides_even_when_error_is_null(status, body, error, message):
    answer = read_answer(make_result(body, status=status, error=error))

    is_status = isinstance(status, int) and status < 1_000
    assert answer.outcome == failure_outcome(status if is_status else None)
    assert message is None or answer.error_message == message
    assert answer.error_message


@pytest.mark.parametrize("status", [None, "200", True, 2**70])
def test_an_answer_without_a_readable_status_is_an_answer(status):
    assert read_answer(make_result(make_chat(), status=status)).outcome == Outcome.OK


def test_a_status_that_is_absent_is_an_error_of_the_provider():
    assert read_answer(make_result(response={"body": {}})).outcome == Outcome.PROVIDER_ERROR
    assert read_answer(make_result(response={})).outcome == Outcome.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.INVALID_REQUEST, (400, 401, 403, 413, 422)),
        (Outcome.PROVIDER_ERROR, (None, 200, 302, 404, 408, 409, 425, 429, 499, 500, 503, 529)),
        (Outcome.UNPAID, (402,)),
    ],
)
def test_the_status_tells_a_faulty_request_from_trouble_at_the_provider(outcome, statuses):
    assert {failure_outcome(status) for status in statuses} == {outcome}
    for status in filter(None, statuses):
        details = {"type": "NonRetriableHttpStatus", "details": {"status": status, "body": "No."}}
        assert read_answer(make_error(json.dumps(details))).outcome == outcome


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        b"{}",
        b'{"custom_id": 5.5}',
        b'{"custom_id": null}',
        b'{"custom_id": "\xff"}',
        b'{"custom_id": "a", "x": ' + b"[" * 100_000,
        b"\xff\xfe",
        b"null",
    ],
)
def test_a_line_that_names_no_request_is_malformed(line):
    with pytest.raises(MalformedLine):
        read_answer(line)
    with pytest.raises(MalformedLine):
        answer_text(line)


def test_a_line_that_only_lenient_readers_take_is_not_lost():
    line = make_result(make_chat("x")).replace(b'"x"', b'"half \\ud83d", "logprobs": -Infinity')

    answer = read_answer(line)

    assert answer.outcome == Outcome.OK
    assert answer.preview == "half ?"


def test_no_text_holds_characters_that_a_database_refuses():
    chat = make_chat("a\0b") | {"model": "m\0"}

    answer = read_answer(make_result(chat, id="i\0", custom_id="c\0"))

    assert (answer.preview, answer.model) == ("a�b", "m�")
    assert (answer.line_id, answer.custom_id) == ("i�", "c�")
    assert answer_text(make_result(make_chat("a\0b"))) == "a�b"


def test_a_line_of_ten_megabytes_is_read_and_its_preview_is_short():
    line = make_result(make_chat("word " * 2_000_000))

    answer = read_answer(line)

    assert len(answer.preview) == 200
    assert len(answer_text(line)) == 10_000_000


def test_the_whole_text_of_an_answer_is_read():
    assert answer_text(make_result(make_chat("line 1\nline 2"))) == "line 1\nline 2"
    assert answer_text(make_error("x")) == ""
    assert answer_text(make_result("Internal server error", status=500)) == ""


def test_every_outcome_has_a_label_and_at_most_one_group():
    assert len({outcome.label for outcome in Outcome}) == len(Outcome)
    assert not SUCCEEDED & FAILED
    assert {outcome for outcome in Outcome if outcome.is_answer} == SUCCEEDED
    assert {outcome for outcome in Outcome if outcome.is_failure} == FAILED


KEYS = st.sampled_from(
    [
        *("choices", "message", "content", "text", "finish_reason", "tool_calls", "function"),
        *("function_call", "name", "arguments", "refusal", "output", "type", "data", "embedding"),
        *("usage", "prompt_tokens", "completion_tokens", "input_tokens", "status", "error"),
        *(
            "code",
            "details",
            "body",
            "detail",
            "msg",
            "stop_reason",
            "incomplete_details",
            "model",
        ),
    ]
)
WORDS = st.sampled_from(["message", "tool_use", "refusal", "function_call", "length", "{", '"x"'])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(
    body=JSON | JSON.map(json.dumps),
    status=st.sampled_from([200, 200, 400]) | JSON,
    error=st.none() | JSON | JSON.map(lambda value: {"message": json.dumps(value)}),
    line_id=JSON,
)
def test_no_result_line_fails(body, status, error, line_id):
    line = make_result(body, status=status, error=error, id=line_id)

    answer = read_answer(line)

    assert answer.custom_id == "a"
    assert len(answer.preview) <= 200
    for text in (answer.preview, answer.error_message, answer.error_code, answer.finish_reason):
        assert "\0" not in text
        text.encode()
    answer_text(line)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_fail_otherwise_than_as_malformed(line):
    for data in (line, make_result().replace(b"null", line)):
        try:
            read_answer(data)
        except MalformedLine:
            continue


@pytest.mark.parametrize("depth", [100, 900, 985, 995, 20_000])
@pytest.mark.parametrize("opening", ["[", '{"error":', '{"content":[', '{"unknown":'])
def test_depth_does_not_make_a_line_fail(depth, opening):
    closing = "".join({"{": "}", "[": "]"}.get(c, "") for c in reversed(opening))
    deep = opening * depth + "1" + closing * depth
    for body in (deep, json.dumps(deep)):
        for line in (
            make_result("BODY").replace(b'"BODY"', body.encode()),
            make_error("BODY").replace(b'"BODY"', body.encode()),
        ):
            try:
                read_answer(line)
            except MalformedLine:
                continue
