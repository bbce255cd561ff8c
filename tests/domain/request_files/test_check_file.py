import json
import tracemalloc
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.request_files.check_file import (
    Limits,
    ModelFacts,
    Report,
    Severity,
    check,
    read_requests,
)
from batchapp.domain.request_files.findings import FINDINGS_KEPT_PER_CODE
from batchapp.domain.request_files.limits import MAX_DEPTH
from tests.domain.request_lines import (
    CHAT,
    LIMITS,
    check_bytes,
    codes,
    make_body,
    make_file,
    make_line,
    make_request,
)

OTHER_BODY = make_body(messages=[{"role": "user", "content": "Good evening"}])


def test_a_good_file_has_no_findings():
    report = check_bytes(make_file(make_line(), make_line(custom_id="b", body=OTHER_BODY)))

    assert report.is_valid
    assert report.findings == []
    assert report.requests == 2
    assert report.urls == {CHAT: 2}
    assert report.severities == {"error": 0, "warning": 0, "info": 0}


LINE_ERRORS = [
    ({"custom_id": ...}, "missing_custom_id"),
    ({"custom_id": 7}, "custom_id_not_text"),
    ({"custom_id": None}, "custom_id_not_text"),
    ({"custom_id": ""}, "blank_custom_id"),
    ({"custom_id": " \t"}, "blank_custom_id"),
    ({"custom_id": "\n"}, "control_character_in_custom_id"),
    ({"custom_id": "\u2028"}, "blank_custom_id"),
    ({"custom_id": " " * 65}, "custom_id_too_long"),
    ({"method": "po\u017ft"}, "method_not_post"),
    ({"custom_id": "a" * 65}, "custom_id_too_long"),
    ({"custom_id": "é" * 33}, "custom_id_too_long"),
    ({"custom_id": "é\x1f"}, "control_character_in_custom_id"),
    ({"custom_id": "\x7f"}, "control_character_in_custom_id"),
    ({"custom_id": "a\nb"}, "control_character_in_custom_id"),
    ({"custom_id": "a\0"}, "control_character_in_custom_id"),
    ({"method": ...}, "missing_method"),
    ({"method": 1}, "method_not_text"),
    ({"method": "GET"}, "method_not_post"),
    ({"url": ...}, "missing_url"),
    ({"url": ["/v1"]}, "url_not_text"),
    ({"url": "/v1/chat/completions/"}, "misspelled_url"),
    ({"url": "https://api.doubleword.ai/v1/chat/completions"}, "misspelled_url"),
    ({"url": "/v1/rerank"}, "url_not_allowed"),
    ({"body": ...}, "missing_body"),
    ({"body": None}, "body_not_object"),
    ({"body": "{}"}, "body_not_object"),
    ({"body": make_body(model=...)}, "missing_model"),
    ({"body": make_body(model=None)}, "model_not_text"),
    ({"body": make_body(model=True)}, "model_not_text"),
    ({"body": make_body(model=" ")}, "blank_model"),
    ({"body": make_body(model="m" * 201)}, "bad_model_name"),
    ({"body": make_body(model="m\0")}, "bad_model_name"),
    ({"body": make_body(messages=...)}, "missing_messages"),
    ({"body": make_body(messages=None)}, "missing_messages"),
    ({"body": make_body(messages="hi")}, "messages_not_list"),
    ({"body": make_body(messages=[])}, "empty_messages"),
    ({"url": "/v1/messages", "body": make_body(messages=...)}, "missing_messages"),
    ({"url": "/v1/completions"}, "missing_prompt"),
    ({"url": "/v1/embeddings"}, "missing_input"),
    ({"url": "/v1/responses", "body": {"model": "m", "max_output_tokens": 1}}, "missing_input"),
]


@pytest.mark.parametrize(("overrides", "code"), LINE_ERRORS)
def test_each_error_is_found_alone_with_its_line_and_a_sentence(overrides, code):
    report = check_bytes(make_file(b"", make_line(custom_id="first"), make_line(**overrides)))

    assert report.finding_totals == {code: 1}
    assert not report.is_valid
    (finding,) = report.findings
    assert (finding.line, finding.severity) == (3, Severity.ERROR)
    assert finding.message.endswith(".")
    assert finding.message.isprintable()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"stream": True}, "stream"),
        ({"n": 2}, "several_answers"),
        ({"max_tokens": 0}, "bad_max_tokens"),
        ({"max_tokens": -1}, "bad_max_tokens"),
        ({"max_tokens": True}, "bad_max_tokens"),
        ({"max_tokens": "10"}, "bad_max_tokens"),
        ({"max_tokens": 1.5}, "bad_max_tokens"),
        ({"max_tokens": 10**300}, "bad_max_tokens"),
        ({"max_completion_tokens": []}, "bad_max_tokens"),
    ],
)
def test_a_request_that_may_fail_later_gets_a_warning(body, code):
    report = check_bytes(make_line(body=make_body(**body)))

    assert report.is_valid
    assert report.finding_totals[code] == 1
    assert report.findings[0].severity == Severity.WARNING
    assert report.models["m"].requests == 1


def test_a_whole_number_with_a_point_bounds_the_answer_and_is_a_warning():
    report = check_bytes(make_line(body=make_body(max_tokens=5.0)))

    assert report.findings[0].message == (
        "max_tokens is 5.0, which some servers refuse; write 5, without the point."
    )
    facts = report.models["m"]
    assert (facts.max_output_tokens, facts.unbounded_requests) == (5, 0)


@pytest.mark.parametrize(
    "overrides",
    [
        {"method": "post"},
        {"custom_id": "a\tb"},
        {"custom_id": "~" * 64},
        {"extra": {"ignored": True}},
        {"body": make_body(stream=False, n=1, max_tokens=..., max_completion_tokens=5)},
        {"url": "/v1/embeddings", "body": {"model": "m", "input": ["a", "b"]}},
        {"url": "/v1/responses", "body": {"model": "m", "input": "a", "max_output_tokens": 1}},
        {"url": "/v1/completions", "body": {"model": "m", "prompt": "a", "max_tokens": 1}},
        {"body": make_body(metadata={"name": "\u0000 is text here"})},
    ],
)
def test_a_request_that_the_provider_accepts_has_no_finding(overrides):
    assert codes(make_line(**overrides)) == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"custom_id": "a", "body": {"temperature": NaN}}', "NaN is not allowed"),
        (b'{"custom_id": "a", "body": {"temperature": -Infinity}}', "-Infinity is not allowed"),
        (b'{"custom_id": "a", "body": {"x": 1e400}}', "number too large"),
        (rb'{"custom_id": "a", "body": {"x": "\ud83d"}}', "surrogate"),
        (make_line()[:-1], "at character"),
        (b'{"custom_id": "a" 1}', "at character 19"),
    ],
)
def test_broken_json_is_explained(line, words):
    report = check_bytes(make_file(make_line(custom_id="first"), line))

    assert report.finding_totals == {"invalid_json": 1}
    assert report.findings[0].line == 2
    assert words in report.findings[0].message


def test_a_line_that_cannot_be_read_still_names_the_custom_id_that_can_be_seen():
    report = check_bytes(make_file(make_line(), b'{"custom_id": "row 7", "body": '))

    assert report.findings[0].custom_id == "row 7"


@pytest.mark.parametrize("line", [b"[1]", b'"text"', b"12", b"true", b"null"])
def test_a_line_of_json_that_is_no_object_is_an_error(line):
    assert codes(make_file(make_line(), line)) == {"not_an_object": 1}


def test_every_duplicate_names_both_lines():
    lines = [make_line(custom_id="x")] * 3

    report = check_bytes(make_file(*lines, make_line(custom_id="y", body=OTHER_BODY)))

    assert [(finding.line, finding.custom_id) for finding in report.findings] == [
        (2, "x"),
        (3, "x"),
    ]
    assert [finding.other_line for finding in report.findings] == [1, 1]
    assert "of line 3 " in report.findings[1].message
    assert "on line 1" in report.findings[1].message


def test_a_field_named_twice_is_an_error_as_it_is_to_the_provider():
    twice = make_line()[:-1] + b', "custom_id": "b"}'
    schema = {"custom_id": "x", "url": "y", "body": [{"url": 1}], "method": "GET", "model": 1}
    nested = make_line(body=make_body(metadata=schema))

    shortest = b'{"url":0,' + json.dumps(make_request(), separators=(",", ":")).encode()[1:]

    assert codes(twice) == codes(shortest) == {"repeated_key": 1}
    assert codes(make_line(body="url")) == {"body_not_object": 1}
    assert codes(make_line(custom_id="body", extra={}, body={})) == {
        "missing_model": 1,
        "missing_messages": 1,
    }
    assert codes(nested) == {}


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3(", b"\xed\xa0\x80"])
def test_bytes_that_are_not_utf8_are_an_error(bad):
    line = make_line().replace(b"Hello", b"He" + bad)

    report = check_bytes(make_file(make_line(custom_id="first"), line))

    assert report.finding_totals == {"invalid_utf8": 1}
    assert report.findings[0].custom_id == "a"


def test_invalid_utf8_is_not_reported_as_broken_json():
    assert codes(make_file(make_line(), b'{"a": \xff')) == {"invalid_utf8": 1}


def test_a_byte_order_mark_is_one_error_and_the_rest_is_checked():
    report = check_bytes(b"\xef\xbb\xbf" + make_file(make_line(), make_line()))

    assert report.finding_totals == {"byte_order_mark": 1, "duplicate_custom_id": 1}
    assert report.findings[0].line == 1
    assert "without BOM" in report.findings[0].message


@pytest.mark.parametrize("depth", [100_000, 500, MAX_DEPTH])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("is_closed", [True, False])
def test_deep_nesting_is_an_error_and_no_crash(depth, opening, closing, is_closed):
    deep = opening * depth + (b"1" + closing * depth if is_closed else b"")
    line = make_line()[:-1] + b', "extra": ' + deep + b"}"

    totals = codes(line)

    assert set(totals) <= {"too_deep", "invalid_json"}
    assert sum(totals.values()) == 1


def test_nesting_up_to_the_providers_limit_is_accepted():
    inner = MAX_DEPTH - 1
    line = make_line()[:-1] + b', "extra": ' + b"[" * inner + b"]" * inner + b"}"

    assert codes(line) == {}


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "empty_file"), (b"\n \r\n\t\n", "only_blank_lines"), (b" ", "only_blank_lines")],
)
def test_a_file_without_requests_is_an_error(data, code):
    report = check_bytes(data)

    assert report.finding_totals == {code: 1}
    assert report.findings[0].line == 0
    assert report.bytes == len(data)


def test_the_limits_of_the_connection_are_kept():
    data = make_file(
        *(make_line(custom_id=f"{number}", body=make_body(seed=number)) for number in range(3))
    )

    assert codes(data, Limits(max_bytes=len(data), max_requests=3)) == {}
    limits = Limits(max_bytes=len(data), max_upload_bytes=len(data) - 1)
    assert codes(data, limits) == {"too_many_bytes": 1}
    assert codes(data, Limits(max_bytes=len(data), urls=("/v1/messages",))) == {
        "url_not_allowed": 3
    }
    assert codes(data, Limits(max_bytes=len(data), urls=())) == {"url_not_allowed": 3}


def test_the_body_is_measured_as_the_provider_stores_it_without_white_space():
    size = len(json.dumps(make_body(), separators=(",", ":")))

    assert codes(make_line(), Limits(10_000, max_body_bytes=size)) == {}
    assert codes(make_line(), Limits(10_000, max_body_bytes=size - 1)) == {"body_too_large": 1}


def test_a_line_without_end_is_measured_but_not_kept_in_memory():
    limits = Limits(max_bytes=10**9, max_body_bytes=1024)
    chunk = b"x" * 1024 * 1024

    def chunks():
        yield b'{"custom_id": "big", "'
        for _ in range(64):
            yield chunk
        yield b"\n" + make_line()

    tracemalloc.start()
    report = check(chunks(), limits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert report.finding_totals == {"line_too_long": 1}
    assert report.findings[0].custom_id == "big"
    assert report.requests == 2
    assert peak < 8 * len(chunk)


def test_crlf_blank_lines_and_a_missing_final_newline_are_tolerated():
    data = b"\r\n" + make_line() + b"\r\n\r\n  \r\n" + make_line(custom_id="b", body=OTHER_BODY)

    report = check_bytes(data)

    assert report.findings == []
    assert report.requests == 2


def test_findings_are_capped_per_code_and_totals_are_true():
    count = FINDINGS_KEPT_PER_CODE + 50
    lines = [make_line(custom_id=f"{number}", method="GET") for number in range(count)]

    report = check_bytes(make_file(*lines, make_line(url="/no"), b"{"))

    assert report.finding_totals == {
        "method_not_post": count,
        "url_not_allowed": 1,
        "invalid_json": 1,
    }
    assert len(report.findings) == FINDINGS_KEPT_PER_CODE + 2
    assert report.severities == {"error": count + 2, "warning": 0, "info": 0}


def test_mixed_models_and_missing_limits_are_reported_once_for_the_file():
    lines = [
        make_line(body=make_body(max_tokens=...)),
        make_line(custom_id="b", body=make_body(max_tokens=..., model="n")),
        make_line(custom_id="c", url="/v1/embeddings", body={"model": "e", "input": "x"}),
    ]

    report = check_bytes(make_file(*lines))

    assert report.is_valid
    assert report.finding_totals == {"no_max_tokens": 2, "mixed_models": 1, "mixed_urls": 1}
    assert {finding.line for finding in report.findings} == {0}
    assert report.severities["info"] == 4


def test_facts_are_summed_per_model_over_the_lines_without_errors():
    lines = [
        make_line(body=make_body(max_tokens=7)),
        make_line(custom_id="b", body=make_body(max_tokens=5, n=3)),
        make_line(custom_id="c", body=make_body(max_tokens=...)),
        make_line(custom_id="", body=make_body()),
        make_line(custom_id="e", url="/v1/embeddings", body={"model": "e", "input": "x" * 40}),
    ]

    report = check_bytes(make_file(*lines))

    assert report.models == {
        "m": ModelFacts(
            requests=3,
            input_tokens=27,
            expected_output_tokens=226,
            expected_low_tokens=22,
            expected_high_tokens=1_022,
            output_basis="the requests do not say how long an answer is; about 75 tokens each, as "
            "in public chats",
            max_output_tokens=7 + 15,
            unbounded_requests=1,
        ),
        "e": ModelFacts(requests=1, input_tokens=10, embeddings=True),
    }
    assert report.requests == 5


def test_requests_say_what_answers_they_ask_for():
    def make(model, number, **body):
        messages = [{"role": "system", "content": "Answer yes or no."}]
        messages.append({"role": "user", "content": f"Is {number} prime?"})
        return make_line(
            custom_id=f"{number}", body=make_body(model=model, messages=messages, **body)
        )

    facts = check_bytes(make_file(*(make("m", number) for number in range(50)))).models["m"]
    data = make_file(*(make("openai/gpt-oss-20b", number, max_tokens=...) for number in (1, 2)))
    [thinking] = check_bytes(data).models.values()
    [sandbox] = check_bytes(data, msgspec.structs.replace(LIMITS, thinks=False)).models.values()

    assert facts.output_basis == "from the answers that the requests ask for: yes or no"
    assert (facts.expected_low_tokens, facts.expected_output_tokens) == (50, 75)
    assert facts.expected_high_tokens == 300
    assert facts.says_length
    assert thinking.expected_output_tokens > 100
    assert "thinking" in thinking.output_basis
    assert sandbox.expected_output_tokens == 3


def test_a_report_stored_before_answers_were_expected_can_be_read():
    stored = msgspec.to_builtins(check_bytes(make_file(make_line())))
    for field in ("expected_low_tokens", "expected_high_tokens", "output_basis", "says_length"):
        del stored["models"]["m"][field]

    facts = msgspec.convert(stored, Report).models["m"]

    assert (facts.expected_high_tokens, facts.output_basis) == (None, "")


def test_the_number_of_models_is_bounded():
    lines = [
        make_line(custom_id=f"{number}", body=make_body(model=f"m{number}"))
        for number in range(1003)
    ]

    report = check_bytes(make_file(*lines))

    assert report.finding_totals == {"too_many_models": 3, "mixed_models": 1}
    assert len(report.models) == 1000


def test_a_report_survives_json():
    data = make_file(make_line(body=make_body(max_tokens=...)), make_line(), b"{", b"[]")
    report = check_bytes(data)

    stored = json.loads(json.dumps(msgspec.to_builtins(report)))

    assert msgspec.convert(stored, Report) == report


def test_a_report_stored_before_other_lines_and_offsets_existed_is_read():
    finding = {"line": 2, "custom_id": "a", "severity": "error", "code": "x", "message": "X."}
    facts = {"requests": 1, "input_tokens": 2}
    stored = {"requests": 2, "bytes": 9, "findings": [finding], "finding_totals": {"x": 1}}
    stored |= {"severities": {"error": 1}, "models": {"m": facts}, "urls": {CHAT: 1}}

    report = msgspec.convert(stored, Report)

    assert (report.findings[0].other_line, report.findings[0].offset) == (0, 0)
    assert (report.repeated, report.is_gzip, report.is_valid) == ({}, False, False)


def test_progress_is_reported_every_thousand_lines_and_at_the_end():
    numbers: list[int] = []

    check([make_line() + b"\n"] * 2_500, LIMITS, progress=numbers.append)

    assert numbers == [1000, 2000, 2500]


def test_requests_are_found_again_by_their_position():
    data = b"\n" + make_line() + b"\r\n \n" + make_line(custom_id="b", url="/v1/messages")

    requests = list(read_requests([data[:50], data[50:]]))

    assert [(row.line, row.custom_id, row.url, row.model) for row in requests] == [
        (2, "a", CHAT, "m"),
        (4, "b", "/v1/messages", "m"),
    ]
    for request in requests:
        line = data[request.offset : request.offset + request.length]
        assert json.loads(line)["custom_id"] == request.custom_id
        assert not line.endswith(b"\r")


def test_requests_of_a_file_that_did_not_pass_is_a_value_error():
    with pytest.raises(ValueError, match="custom_id"):
        list(read_requests([b"{}"]))


ODD_LINES = st.sampled_from(
    [
        make_line(),
        make_line(custom_id="b", body=make_body(model="é", max_tokens=...)),
        make_line(custom_id="ü"),
        make_line(custom_id="long", body=make_body(messages=[{"content": "z" * 3000}])),
        make_line() + b"\r",
        make_line().replace(b"Hello", b"\xff"),
        make_line()[:-1],
        b"",
        b" \r",
        b"[]",
        b"[" * 200,
        b"\xef\xbb\xbf",
        b"a,b",
    ]
)
FILES = st.tuples(st.lists(ODD_LINES, max_size=8), st.sampled_from([b"\n", b"\r\n"])).map(
    lambda drawn: drawn[1].join(drawn[0])
)


@settings(max_examples=150, deadline=None)
@given(FILES, st.lists(st.integers(0, 12_000), max_size=12))
def test_the_report_does_not_depend_on_the_chunks(data, cuts):
    limits = Limits(max_bytes=4_000, max_requests=3, max_body_bytes=2_000)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in pairwise(edges)]

    assert check(chunks, limits) == check([data], limits)
    assert check([bytes([byte]) for byte in data], limits) == check([data], limits)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("custom_id", "method", "url", "body", "model", "messages", "input", "n"),
                    *("prompt", "max_tokens", "tools", "content", "type", "text", "stream"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_line_makes_the_check_fail(data):
    for file in (data, make_line() + b"\n" + data):
        report = check([file], LIMITS)

        assert report.bytes == len(file) or report.is_gzip
        assert all(finding.message.isprintable() for finding in report.findings)
        assert sum(report.finding_totals.values()) == sum(report.severities.values())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([CHAT, "/v1/responses", "/v1/embeddings", "/v1/completions"]), JSON)
def test_no_body_makes_the_sums_fail(url, value):
    if not isinstance(value, dict):
        value = {"input": value, "prompt": value, "messages": [value], "tools": value}
    data = json.dumps(make_request(url=url, body={**value, "model": "m"})).encode()

    report = check([data], LIMITS)

    if report.is_valid:
        assert [request.model for request in read_requests([data])] == ["m"]
        assert report.models["m"].input_tokens >= 0


def test_the_id_of_a_line_that_cannot_be_read_is_shown_in_any_script():
    line = json.dumps(make_request(custom_id="注文 1"), ensure_ascii=False)

    (finding,) = check_bytes(line[:-1].encode()).findings

    assert finding.code == "invalid_json"
    assert finding.custom_id == "注文 1"
