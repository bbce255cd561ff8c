"""What a single request says, and what its answer says of the usage."""

import json

import pytest

from batchapp.domain.direct_call import (
    CHAT,
    EMBEDDINGS,
    RESPONSES,
    AnswerReader,
    InvalidCall,
    read_call,
)

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_a_body_is_sent_byte_for_byte_unless_its_usage_would_stay_unknown() -> None:
    odd = b' { "model":"m",\n "unknown": 1.0e5, "stream": false } '
    stream = b'{"model":"m","stream":true, "x": 1.50} '
    counted = b'{"model":"m","stream":true,"stream_options":{"include_usage":false}}'

    assert read_call(CHAT, odd).body == odd
    assert read_call(CHAT, counted).body == counted
    assert read_call(RESPONSES, stream).body == stream
    assert read_call(CHAT, stream).body == (
        b'{"model":"m","stream":true, "x": 1.50,"stream_options":{"include_usage":true}}'
    )
    assert read_call(CHAT, stream).hides_usage


def test_what_may_come_is_estimated_from_the_body_and_its_limits() -> None:
    limited = read_call(CHAT, b'{"model":"m","max_tokens":50,"n":3}')
    embedding = read_call(EMBEDDINGS, b'{"model":"m","input":"a"}')
    flex = read_call(RESPONSES, b'{"model":"m","service_tier":"flex"}')

    assert (limited.max_output_tokens, limited.output_tokens) == (150, 150)
    assert limited.input_tokens == 12
    assert embedding.output_tokens == 0
    assert (flex.tier, flex.max_output_tokens, flex.output_tokens) == ("flex", None, 1000)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"model":1}', b'{"model":""}'])
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCall):
        read_call(CHAT, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","user":"\xff"}',
        b'{"model":"m","metadata":' + 50_000 * b"[" + 50_000 * b"]" + b"}",
        b'{"model":"m","user":"\\udfff"}',
        b'{"model":"m","seed":' + 6_000 * b"7" + b"}",
    ],
    ids=["not UTF-8", "deep", "half a pair", "a long number"],
)
def test_a_body_that_no_strict_reader_takes_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCall):
        read_call(CHAT, body)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"model":"dear","messages":[],"model":"cheap"}', "model"),
        (b'{"model":"cheap","\\u006dodel":"dear"}', "model"),
        (b'{"model":"cheap","Model":"dear"}', "Model"),
        (b'{"model":"m","max_tokens":9,"n":1,"max_tokens":90000}', "max_tokens"),
        (b'{"model":"m","%s":1,"%s":1}' % (99 * b"x", 99 * b"x"), 64 * "x"),
    ],
)
def test_a_field_that_the_provider_may_read_otherwise_is_refused(body: bytes, name: str) -> None:
    with pytest.raises(InvalidCall) as refused:
        read_call(CHAT, body)

    assert refused.value.param == name
    assert len(str(refused.value)) < 150


@pytest.mark.parametrize("n", ["9", 9.0, True, 0, -1, 129, 10**12, [2]])
def test_a_number_of_answers_that_a_server_may_read_otherwise_is_refused(n: object) -> None:
    with pytest.raises(InvalidCall) as refused:
        read_call(CHAT, json.dumps({"model": "m", "n": n}).encode())

    assert refused.value.param == "n"


def test_each_of_several_answers_counts() -> None:
    several = read_call(CHAT, b'{"model":"m","n":7}')
    limited = read_call(CHAT, b'{"model":"m","n":7,"max_tokens":200}')
    one = read_call(CHAT, b'{"model":"m","n":null}')

    assert (several.output_tokens, limited.output_tokens, one.output_tokens) == (7000, 1400, 1000)


@pytest.mark.parametrize("name", ["models", "fallbacks"])
def test_another_model_in_place_of_the_first_is_refused(name: str) -> None:
    body = {"model": "openai/gpt-oss-20b", name: ["openai/gpt-oss-120b"]}

    with pytest.raises(InvalidCall) as refused:
        read_call(CHAT, json.dumps(body).encode())

    assert refused.value.param == name
    assert read_call(CHAT, json.dumps(body | {name: []}).encode()).model == body["model"]


def test_a_name_may_come_again_inside_of_another_field() -> None:
    body = b'{"model":"m","tools":[{"model":"a"},{"model":"b"}],"metadata":{"n":"1"},"n":2}'

    assert read_call(CHAT, body).model == "m"


@pytest.mark.parametrize(
    ("endpoint", "limits", "most"),
    [
        (CHAT, {"max_tokens": 1, "max_completion_tokens": 70_000}, 70_000),
        (CHAT, {"max_output_tokens": 1}, None),
        (CHAT, {"max_tokens": 40.0, "n": 2}, 80),
        (CHAT, {"max_tokens": 0}, None),
        (RESPONSES, {"max_tokens": 1, "max_completion_tokens": 1}, None),
        (RESPONSES, {"max_tokens": 1, "max_output_tokens": 900}, 900),
    ],
)
def test_only_the_limit_that_the_endpoint_reads_limits_the_cost(
    endpoint: str, limits: dict[str, object], most: int | None
) -> None:
    call = read_call(endpoint, json.dumps({"model": "m"} | limits).encode())

    assert (call.max_output_tokens, call.is_unbounded) == (most, most is None)


@pytest.mark.parametrize("text", [b'"\\udc00"', b'"\xfe"', b"NaN", 20_000 * b"[" + 20_000 * b"]"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_odd_answer_arrives_and_its_usage_counts_where_it_can_be_read(
    text: bytes, *, is_stream: bool
) -> None:
    answer = b'{"choices":[{"delta":%s}],"usage":%s}' % (text, json.dumps(USAGE).encode())
    sent = b"data: " + answer + b"\n\n" if is_stream else answer
    reader = AnswerReader(is_stream=is_stream)

    received = reader.feed(sent) + reader.finish()

    assert received == sent
    is_deep = text.startswith(b"[")
    assert (reader.usage.input_tokens, reader.usage.output_tokens) == (
        (None, None) if is_deep else (7, 2)
    )


def test_the_usage_of_a_stream_is_read_and_hidden_whatever_the_pieces() -> None:
    delta = {"choices": [{"index": 0, "delta": {"content": "Hi"}}], "usage": None}
    shown = event(**delta) + event(**delta)
    sent = shown + event(choices=[], usage=USAGE) + b"data: [DONE]\n\n"

    for size in (1, 7, len(sent)):
        reader = AnswerReader(is_stream=True, hides_usage=True)
        pieces = [reader.feed(sent[at : at + size]) for at in range(0, len(sent), size)]
        received = b"".join([*pieces, reader.finish()])

        assert received == shown + b"data: [DONE]\n\n"
        assert (reader.usage.input_tokens, reader.usage.output_tokens) == (7, 2)
        assert reader.pieces == 2


@pytest.mark.parametrize(
    "event",
    [
        b"data: [DONE]\n\n",
        b"data:[DONE]\r\n\r\n",
        b'event: response.incomplete\ndata: {"type":"response.incomplete","response":{}}\n\n',
        b'data: {"type":"response.completed","response":{"object":"response"}}\n\n',
    ],
)
def test_a_stream_is_whole_from_its_last_event_on(event: bytes) -> None:
    reader = AnswerReader(is_stream=True)
    reader.feed(b'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n')
    reader.feed(event[:-2])

    before = reader.has_last_event
    reader.feed(event[-2:])

    assert (before, reader.has_last_event) == (False, True)


def test_a_stream_that_asked_for_its_usage_is_passed_on_as_it_comes() -> None:
    sent = event(choices=[], usage=USAGE) + b"data: [DO"
    reader = AnswerReader(is_stream=True)

    assert reader.feed(sent) + reader.feed(b"NE]\n\n") + reader.finish() == sent + b"NE]\n\n"
    assert reader.usage.output_tokens == 2


def test_a_response_tells_its_id_and_whether_it_is_ready() -> None:
    waiting, ready = AnswerReader(is_stream=False), AnswerReader(is_stream=False)
    fields = {"object": "response", "id": "resp_1"}
    waiting.feed(json.dumps(fields | {"status": "queued"}).encode())
    usage = {"input_tokens": 5, "output_tokens": 6}
    ready.feed(json.dumps(fields | {"status": "completed", "usage": usage, "output": []}).encode())

    waiting.finish()
    ready.finish()

    assert (waiting.response_id, waiting.is_pending) == ("resp_1", True)
    assert (ready.is_pending, ready.usage.output_tokens) == (False, 6)


def test_a_streamed_response_tells_its_usage_at_the_end() -> None:
    reader = AnswerReader(is_stream=True)
    response = {"object": "response", "id": "resp_1", "output": []}
    usage = {"input_tokens": 5, "output_tokens": 6}
    reader.feed(event(type="response.created", response=response | {"status": "in_progress"}))
    reader.feed(event(type="response.output_text.delta", delta="Hi"))
    assert not reader.is_pending

    reader.feed(
        event(
            type="response.completed", response=response | {"status": "completed", "usage": usage}
        )
    )

    assert (reader.usage.input_tokens, reader.pieces) == (5, 1)


def test_the_id_of_a_response_is_whole_or_left_out() -> None:
    ids = {"r" * 1_500: "r" * 1_500, "r" * 2_001: "", "r\0": "", "ä" * 1_500: ""}

    for sent, read in ids.items():
        reader = AnswerReader(is_stream=False)
        reader.feed(json.dumps({"object": "response", "id": sent, "status": "queued"}).encode())
        reader.finish()
        assert reader.response_id == read
