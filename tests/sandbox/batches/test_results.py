"""The results of a batch in the order of its input file."""

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


def test_results_show_every_request_in_the_order_of_the_input(api, finished):
    url = f"/v1/batches/{finished['id']}/results"

    rows = [json.loads(row) for row in api.http.get(url).text.splitlines()]
    failed = api.http.get(url, params={"status": "failed"}).text.splitlines()
    page = api.http.get(url, params={"limit": 3, "skip": 2, "search": "row"})

    assert [row["custom_id"] for row in rows[:3]] == ["row-0", "row-1", "row-2"]
    assert len(rows) == 121
    assert rows[0]["status"] == "completed"
    assert rows[0]["response_body"]["choices"]
    assert json.loads(json.loads(failed[0])["error"])["details"]["status"] == 418
    assert [json.loads(row)["custom_id"] for row in page.text.splitlines()] == [
        "row-2",
        "row-3",
        "row-4",
    ]
    assert headers(page) == ("true", "5")
    unknown_status = api.http.get(url, params={"status": "cancelled"})
    assert (unknown_status.status_code, unknown_status.text) == (200, "")


def test_results_call_a_validating_batch_complete_and_show_cancelled_rows_as_pending(sandbox):
    api = sandbox.api()
    batch = api.batch(lines(7))
    url = f"/v1/batches/{batch['id']}/results"

    early = api.http.get(url)
    sandbox.clock.advance(sandbox.settings.validating_seconds)
    api.post(batch, "cancel")
    late = [json.loads(row) for row in api.http.get(url).text.splitlines()]

    assert (early.text, *headers(early)) == ("", "false", "7")
    assert {row["status"] for row in late} == {"pending"}


def test_results_of_a_deleted_input_cannot_be_read(api):
    finished = api.finished(lines(3))
    api.http.delete(f"/v1/files/{finished['input_file_id']}")

    response = api.http.get(f"/v1/batches/{finished['id']}/results?limit=5")

    assert (response.status_code, response.text) == (500, "Internal server error")
    assert len(api.rows(finished["output_file_id"])) == 3
