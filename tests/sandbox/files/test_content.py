"""Downloads: lines, order and headers."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.sandbox.api_client import Api, chat, client, line, lines


def headers(response) -> tuple[str, str | None]:
    return response.headers["X-Incomplete"], response.headers.get("X-Last-Line")


@pytest.fixture(scope="module")
def api(sandbox_url) -> Iterator[Api]:
    with client(sandbox_url, f"sk-{uuid4().hex}") as http:
        yield Api(http)


@pytest.fixture(scope="module")
def finished(api) -> dict[str, Any]:
    """A batch of 120 successes and one failure, which no test changes."""
    rows = [line(f"row-{number}") for number in range(120)]
    return api.finished("\n".join([*rows, line("bad", **chat(user="sandbox:fail=418"))]))


def test_an_output_without_results_is_empty_and_incomplete(sandbox):
    api = sandbox.api()
    batch = api.batch(lines(5))

    output = api.content(batch["output_file_id"])

    assert (output.status_code, output.text) == (200, "")
    assert headers(output) == ("true", "0")
    assert output.headers["Content-Type"] == "application/x-ndjson"


def test_skip_resumes_and_offset_is_ignored(api, finished):
    output = finished["output_file_id"]
    everything = api.rows(output)

    assert len(everything) == 120
    assert headers(api.content(output)) == ("false", "120")
    assert api.rows(output, offset=100) == everything
    assert api.rows(output, skip=100) == everything[100:]
    assert headers(api.content(output, skip=100)) == ("false", "120")
    assert headers(api.content(output, skip=500)) == ("false", "500")
    assert api.rows(output, skip=-5) == everything


def test_pages_are_limited_and_say_whether_there_is_more(api, finished):
    output = finished["output_file_id"]

    page = api.content(output, limit=1000)

    assert page.text.count("\n") == 101
    assert headers(page) == ("true", "101")
    assert page.headers["Content-Length"]
    assert headers(api.content(output, limit=50, skip=101)) == ("false", "120")
    assert api.content(output, limit=0).text.count("\n") == 1


def test_whole_outputs_are_streamed(api, finished):
    response = api.content(finished["output_file_id"])

    assert response.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in response.headers
    assert "Content-Disposition" not in response.headers


def test_input_files_never_are_incomplete_and_have_no_last_line(api, finished):
    whole = api.content(finished["input_file_id"])
    page = api.content(finished["input_file_id"], limit=2, skip=1)

    assert headers(whole) == ("false", None)
    assert [json.loads(row)["custom_id"] for row in page.text.splitlines()] == ["row-1", "row-2"]
    assert headers(page) == ("true", "3")


def test_search_matches_part_of_the_custom_id(api, finished):
    matches = api.content(finished["output_file_id"], search="ROW-11")

    assert len(matches.text.splitlines()) == 11
    assert headers(matches) == ("false", None)
    assert len(api.rows(finished["input_file_id"], search="bad")) == 1


def test_output_lines_have_the_providers_shape(api, finished):
    raw = api.content(finished["output_file_id"], limit=1).text

    row = json.loads(raw)
    assert list(row) == ["id", "custom_id", "response", "error"]
    assert row["id"].startswith("batch_req_")
    assert list(row["response"]) == ["status_code", "request_id", "body"]
    assert row["response"]["request_id"] is None
    assert row["error"] is None
    body = row["response"]["body"]
    assert list(body) == sorted(body)


def test_error_lines_hold_json_in_a_string(api, finished):
    (row,) = api.rows(finished["error_file_id"])

    assert list(row) == ["id", "custom_id", "response", "error"]
    assert (row["custom_id"], row["response"], row["error"]["code"]) == ("bad", None, None)
    reason = json.loads(row["error"]["message"])
    assert reason["type"] == "NonRetriableHttpStatus"
    assert reason["details"]["status"] == 418
    assert json.loads(reason["details"]["body"])["error"]["code"] == 418


@pytest.mark.parametrize(
    ("directive", "kind", "detail"),
    [
        ("fail=500", "RetriableHttpStatus", "status"),
        ("fail=429", "RetriableHttpStatus", "status"),
        ("fail=404", "RetriableHttpStatus", "status"),
        ("fail=403", "NonRetriableHttpStatus", "status"),
        ("fail=timeout", "Timeout", "error"),
    ],
)
def test_failures_name_their_kind(api, directive, kind, detail):
    batch = api.finished(line(**chat(user=f"sandbox:{directive}")))

    (row,) = api.rows(batch["error_file_id"])

    reason = json.loads(row["error"]["message"])
    assert reason["type"] == kind
    assert detail in reason["details"]
