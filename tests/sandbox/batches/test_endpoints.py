"""Endpoints of one batch: access, retries by id, deletion."""

import json
from uuid import uuid4

from tests.sandbox.api_client import chat, line


def failing(custom_id: str, directive: str = "fail=400") -> str:
    return line(custom_id, **chat(user=f"sandbox:{directive}"))


def test_foreign_batches_are_not_found(api, account):
    other_batch = account().batch(line())
    text = f"Batch with ID {other_batch['id']} not found"

    answers = [
        api.http.get(f"/v1/batches/{other_batch['id']}"),
        api.http.get(f"/v1/batches/{other_batch['id']}/results"),
        api.http.get(f"/v1/batches/{other_batch['id']}/analytics"),
        api.http.delete(f"/v1/batches/{other_batch['id']}"),
        api.post(other_batch, "cancel"),
        api.post(other_batch, "retry"),
        api.post(other_batch, "retry-requests", json={"request_ids": [str(uuid4())]}),
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(404, text)}


def test_retry_of_a_success_has_nothing_to_do(api):
    response = api.post(api.finished(line()), "retry")

    assert (response.status_code, response.text) == (
        400,
        "Nothing to retry: no failed or canceled requests, and the batch is not cancelled",
    )


def test_single_failed_requests_can_be_retried_by_id(api):
    batch = api.finished("\n".join([failing("a", "fail-once=503"), failing("b"), line("c")]))
    rows = api.http.get(f"/v1/batches/{batch['id']}/results").text.splitlines()
    ids = {row["custom_id"]: row["id"] for row in map(json.loads, rows)}

    nothing = api.post(batch, "retry-requests", json={"request_ids": ["no", "batch_req_x"]})
    response = api.post(batch, "retry-requests", json={"request_ids": [ids["a"], ids["c"]]})

    assert (nothing.status_code, nothing.text) == (400, "No valid request IDs provided")
    assert response.status_code == 200
    assert api.wait(batch)["request_counts"] == {"total": 3, "completed": 2, "failed": 1}


def test_a_deleted_batch_is_gone_but_its_output_still_streams(api):
    batch = api.finished(line())

    response = api.http.delete(f"/v1/batches/{batch['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert api.http.get(f"/v1/batches/{batch['id']}").status_code == 404
    output = api.content(batch["output_file_id"])
    assert output.text.count("\n") == 1
    assert "X-Last-Line" not in output.headers
    assert api.http.get(f"/v1/files/{batch['input_file_id']}").status_code == 200
