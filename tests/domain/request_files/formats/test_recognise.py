import pytest

from batchapp.domain.request_files.findings import FORMAT_CODES
from batchapp.domain.request_files.formats.recognise import FORMATS, recognise_format
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line, make_request

ASKED = {"role": "user", "content": "Why?"}
ANSWERED = {"role": "assistant", "content": "Because."}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"custom_id": "a", "params": {"model": "c", "messages": [ASKED]}}, "anthropic_batch"),
        ({"params": {"messages": [ASKED]}}, "anthropic_batch"),
        ({"key": "k", "request": {"contents": []}}, "vertex_batch"),
        ({"request": {"contents": [], "generationConfig": {}}, "labels": {}}, "vertex_batch"),
        ({"contents": [{"parts": []}]}, "vertex_batch"),
        ({"recordId": "1", "modelInput": {"inputText": "x"}}, "bedrock_batch"),
        ({"custom_id": "a", "body": {"messages": []}}, "no_method_and_url"),
        ({"body": {"input": "x", "model": "m"}}, "no_method_and_url"),
        ({"model": "m", "messages": [ASKED]}, "bare_bodies"),
        ({"messages": [ASKED], "max_tokens": 5}, "bare_bodies"),
        ({"custom_id": "a", "model": "m", "prompt": "x"}, "bare_bodies"),
        ({"model": "m", "input": ["x"]}, "bare_bodies"),
        ({"messages": [ASKED, ANSWERED]}, "fine_tuning"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "fine_tuning"),
        ({"input": {"messages": []}, "preferred_output": []}, "fine_tuning"),
        ({"id": "b", "custom_id": "a", "response": {"status_code": 200}}, "output_file"),
        ({"id": "b", "custom_id": "a", "response": None, "error": {"code": "x"}}, "output_file"),
        ({"custom_id": "a", "result": {"type": "succeeded", "message": {}}}, "output_file"),
        ({"recordId": "1", "modelInput": {}, "modelOutput": {}}, "output_file"),
        ({"request": {"contents": []}, "response": {"candidates": []}}, "output_file"),
        (make_request(), ""),
        (make_request(method=...), ""),
        (make_request(body={}), ""),
        ({"id": "1", "prompt": "x", "response": "y"}, ""),
        ({"custom_id": "a", "body": {"model": "m"}}, ""),
        ({"messages": []}, ""),
        ({}, ""),
    ],
)
def test_a_line_is_recognised_by_its_fields(line, code):
    assert recognise_format(line) == code


def test_every_format_has_a_sentence_and_is_named_once():
    assert set(FORMATS) == FORMAT_CODES
    assert all(sentence.endswith(".") for sentence in FORMATS.values())


def test_a_format_among_requests_is_named_at_its_first_line_and_counted():
    line = b'{"custom_id": "%d", "params": {"model": "c", "messages": [{}]}}'

    report = check_bytes(make_file(make_line(), *(line % number for number in range(5))))

    (finding,) = report.findings
    assert (finding.code, finding.line) == ("anthropic_batch", 2)
    assert report.finding_totals == {"anthropic_batch": 5}
    assert report.severities["error"] == 5


def test_a_request_with_all_four_fields_is_checked_as_one():
    report = check_bytes(make_line(params={"messages": []}, body=make_body(model=...)))

    assert report.finding_totals == {"missing_model": 1}
