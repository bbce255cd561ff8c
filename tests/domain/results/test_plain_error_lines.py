"""Error lines in OpenAI's form: the message is a sentence, and nothing else is lost."""

import json
from typing import Any

import pytest

from batchapp.domain.results.plain_error_lines import plain_error_line, plain_error_lines


def line_of(message: object, **fields: Any) -> bytes:
    error = {"code": None, "message": message}
    line = {"id": "batch_req_1", "custom_id": "ü-1", "response": None, "error": error}
    return json.dumps(line | fields).encode()


def failure(kind: str, **details: Any) -> str:
    return json.dumps({"type": kind, "details": details})


def test_an_http_answer_inside_the_message_becomes_the_response():
    answer = {"error": {"message": "max_tokens is too large", "code": "invalid_value"}}
    message = failure("NonRetriableHttpStatus", status=400, body=json.dumps(answer))

    assert json.loads(plain_error_line(line_of(message))) == {
        "id": "batch_req_1",
        "custom_id": "ü-1",
        "response": {"status_code": 400, "request_id": None, "body": answer},
        "error": {"code": "invalid_value", "message": "max_tokens is too large"},
    }


def test_a_body_that_is_no_json_and_a_failure_without_an_answer_are_told_as_well():
    page = failure("RetriableHttpStatus", status=502, body="upstream is away")
    timeout = failure("Timeout", error="300 s")

    answered, silent = (json.loads(plain_error_line(line_of(row))) for row in (page, timeout))

    assert answered["response"]["body"] == answered["error"]["message"] == "upstream is away"
    assert silent["response"] is None
    assert silent["error"] == {
        "code": "Timeout",
        "message": "The model did not answer in time: 300 s",
    }


@pytest.mark.parametrize(
    "line",
    [
        line_of("The model broke down."),
        line_of("{not JSON"),
        line_of("{}"),
        line_of('"a text in quotes"'),
        line_of(None),
        line_of({"type": "Timeout"}),
        line_of(failure("Timeout", error=3)).replace(b"300", b"NaN") + b" trailing",
        b'{"custom_id": "a", "error": null,   "response": {"status_code": 500}}',
        b'{"error": {"message": "{\\"type\\": \\"\\ud800\\", \\"details\\": {\\"error\\": 1}}"}}',
        b'{"error": 7}',
        b"[1]",
        b"\xff",
        b"",
    ],
)
def test_every_other_line_stays_byte_for_byte(line: bytes):
    assert plain_error_line(line) == line


def test_an_answer_that_the_provider_gave_is_kept():
    given = {"status_code": 429, "body": {"x": 1.50}}
    message = failure("RetriableHttpStatus", status=429, body="slow down")

    told = json.loads(plain_error_line(line_of(message, response=given)))

    assert told["response"] == given
    assert told["error"]["message"] == "slow down"


def test_lines_are_found_wherever_the_pieces_of_a_file_end():
    lines = [line_of("plain"), line_of(failure("Timeout", error="x")), line_of("last")]
    content = b"\n".join(lines)
    told = b"\n".join(map(plain_error_line, lines))

    for size in (1, 7, len(content)):
        pieces = (content[at : at + size] for at in range(0, len(content), size))
        assert b"".join(plain_error_lines(pieces)) == told
    assert b"".join(plain_error_lines([content, b"\n"])) == told + b"\n"
    assert told != content
