"""Requests are told with their answers in the order of the file, whatever came back."""

import json
from typing import Any

import pytest

from batchapp.models import Batch
from batchapp.services.results import request_lines
from batchapp.services.results.request_lines import read_request_lines
from tests.make import answer_line, error_line, finish, make_batch, make_upload, request_file

pytestmark = pytest.mark.django_db


def lines_of(batch: Batch, **part: Any) -> list[dict[str, Any]]:
    read = read_request_lines(batch, batch.created_by, **part)
    return [json.loads(line) for line in read.lines]


def test_answers_stand_beside_their_requests_in_the_order_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_lines, "ROWS_AT_ONCE", 2)
    batch = make_batch(upload=make_upload(content=request_file(5)))
    no_json = answer_line(4).replace(b"50", b"NaN")
    finish(batch, [answer_line(5), no_json, answer_line(1)], [error_line(2, code="429")])

    lines = lines_of(batch)

    assert [line["custom_id"] for line in lines] == [f"row-{n}" for n in range(1, 6)]
    assert [line["status"] for line in lines] == [
        *("completed", "failed", "failed", "completed", "completed"),
    ]
    assert lines[0]["response_body"]["usage"]["prompt_tokens"] == 100
    assert "broke down" in lines[1]["error"]
    assert (lines[2]["response_body"], lines[2]["error"]) == (None, None)
    assert "NaN" in lines[3]["error"]
    assert lines_of(batch, skip=3) == lines[3:]
    assert lines_of(batch, skip=1, limit=3) == lines[1:4]
    assert lines_of(batch, status="failed", skip=1) == [lines[2]]
