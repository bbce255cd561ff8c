"""The life of a batch: created, watched, cancelled, retried, deleted."""

import json
from uuid import uuid4

import pytest

from tests.sandbox.api import CHAT, chat, line, lines


def failing(custom_id: str, wish: str = "fail=400") -> str:
    return line(custom_id, **chat(user=f"sandbox:{wish}"))


def test_a_batch_goes_from_validating_to_completed(limited):
    api = limited(speed=20.0)
    response = api.create(api.file(lines(20)), metadata={"team": "blue"})

    batch = response.json()
    assert response.status_code == 201
    assert batch["status"] == "validating"
    assert batch["request_counts"] == {"total": 20, "completed": 0, "failed": 0}
    assert batch["output_file_id"]
    assert batch["error_file_id"]
    assert batch["expires_at"] - batch["created_at"] == 24 * 3600
    assert api.wait(batch, "in_progress")["in_progress_at"]
    over = api.wait(batch)
    assert over["status"] == "completed"
    assert over["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert over["completed_at"]


def test_some_successes_make_a_batch_completed_and_none_make_it_failed(api):
    mixed = api.finished("\n".join([line("good"), failing("bad")]))
    lost = api.finished("\n".join([failing("a"), failing("b", "fail=500")]))

    assert mixed["status"] == "completed"
    assert mixed["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert lost["status"] == "failed"
    assert lost["failed_at"]
    assert "completed_at" not in lost
    assert "errors" not in lost


def test_results_come_shuffled_and_only_grow(api):
    batch = api.batch(lines(300))
    seen: list[str] = []

    while True:
        rows = api.content(batch["output_file_id"]).text.splitlines()
        assert rows[: len(seen)] == seen
        seen = rows
        if len(seen) == 300:
            break

    order = [int(json.loads(row)["custom_id"].removeprefix("row-")) for row in seen]
    assert sorted(order) == list(range(300))
    assert order != sorted(order)


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        (
            {"completion_window": "2h", "endpoint": "/x"},
            400,
            "Unsupported completion_window. Allowed values: 24h, 1h",
        ),
        (
            {"endpoint": "/x", "input_file_id": "x"},
            400,
            (
                "Unsupported endpoint '/x'. Supported: /v1/chat/completions, /v1/completions,"
                " /v1/embeddings, /v1/responses, /v1/messages"
            ),
        ),
        ({"input_file_id": "file-1"}, 400, "Invalid input_file_id format"),
    ],
)
def test_the_wishes_are_checked_in_order(api, changes, status, text):
    response = api.create(str(uuid4()), **changes)

    assert (response.status_code, response.text) == (status, text)


def test_a_missing_or_mistyped_field_cannot_be_processed(api):
    missing = api.http.post("/v1/batches", json={"input_file_id": "a", "endpoint": CHAT})
    mistyped = api.create("a", metadata={"a": 1})
    no_json = api.http.post("/v1/batches", content="x")
    broken = api.http.post(
        "/v1/batches", content="{", headers={"Content-Type": "application/json"}
    )

    assert missing.status_code == 422
    assert missing.text.startswith(
        "Failed to deserialize the JSON body into the target type:"
        " missing field `completion_window` at line 1 column "
    )
    assert mistyped.status_code == 422
    assert (no_json.status_code, broken.status_code) == (415, 400)


def test_an_unknown_file_is_404_and_a_foreign_one_403(api, account):
    unknown = str(uuid4())
    theirs = account().file(line())

    assert api.create(unknown).text == f"File with ID {unknown} not found"
    assert api.create(unknown).status_code == 404
    assert api.create(theirs).status_code == 403


def test_reserved_metadata_is_dropped_and_the_servers_own_added(api):
    batch = api.batch(line(), metadata={"Created-By": "me", "tag": "x", "context_name": "y"})

    assert batch["metadata"].items() >= {"tag": "x", "request_source": "api"}.items()
    assert set(batch["metadata"]) == {"tag", "request_source", "created_by_email"}
    assert api.get(batch)["metadata"]["context_name"] == "Personal"


def test_nothing_keeps_one_from_creating_a_batch_twice(api):
    file_id = api.file(line())

    first, second = api.create(file_id).json(), api.create(file_id).json()

    assert first["id"] != second["id"]


def test_foreign_batches_are_not_found(api, account):
    theirs = account().batch(line())
    text = f"Batch with ID {theirs['id']} not found"

    answers = [
        api.http.get(f"/v1/batches/{theirs['id']}"),
        api.http.get(f"/v1/batches/{theirs['id']}/results"),
        api.http.get(f"/v1/batches/{theirs['id']}/analytics"),
        api.http.delete(f"/v1/batches/{theirs['id']}"),
        api.post(theirs, "cancel"),
        api.post(theirs, "retry"),
        api.post(theirs, "retry-requests", json={"request_ids": [str(uuid4())]}),
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(404, text)}


def test_cancelling_keeps_what_is_done_and_stops_the_rest(slow_api):
    api = slow_api
    batch = api.wait(api.batch(lines(500)), "in_progress")

    cancelled = api.post(batch, "cancel").json()

    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelling_at"] == cancelled["cancelled_at"]
    done = cancelled["request_counts"]["completed"]
    assert done < 500
    output = api.content(batch["output_file_id"])
    assert len(output.text.splitlines()) == done
    assert output.headers["X-Incomplete"] == "false"
    assert api.get(batch)["request_counts"]["completed"] == done
    again = api.post(batch, "cancel")
    assert (again.status_code, again.json()) == (200, cancelled)


def test_cancelling_a_completed_batch_relabels_it(api):
    batch = api.finished(line())

    response = api.post(batch, "cancel")

    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert response.json()["request_counts"]["completed"] == 1


def test_cancelling_before_population_shows_cancelling_first(limited):
    api = limited(speed=1.0, base_seconds=0.1)
    batch = api.batch(line())

    assert api.post(batch, "cancel").json()["status"] == "cancelling"

    assert api.wait(batch)["status"] == "cancelled"
    assert api.content(batch["output_file_id"]).headers["X-Incomplete"] == "true"


def test_retry_resumes_a_cancelled_batch(limited):
    api = limited(speed=20.0)
    batch = api.wait(api.batch(lines(400)), "in_progress")
    api.post(batch, "cancel")
    before = api.rows(batch["output_file_id"])

    resumed = api.post(batch, "retry").json()

    assert resumed["status"] == "in_progress"
    assert "cancelled_at" not in resumed
    assert resumed["expires_at"] == batch["expires_at"]
    over = api.wait(batch)
    assert over["status"] == "completed"
    assert over["request_counts"] == {"total": 400, "completed": 400, "failed": 0}
    assert api.rows(batch["output_file_id"])[: len(before)] == before


def test_retry_gives_failed_requests_another_chance(api):
    rows = [line("good"), failing("always"), failing("once", "fail-once=500")]
    batch = api.finished("\n".join(rows))
    assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 2}

    retried = api.post(batch, "retry").json()

    assert retried["status"] == "in_progress"
    assert retried["request_counts"] == {"total": 3, "completed": 1, "failed": 0}
    # "always" may have failed again by now, "once" never does.
    assert '"once"' not in api.content(batch["error_file_id"]).text
    over = api.wait(batch)
    assert over["request_counts"] == {"total": 3, "completed": 2, "failed": 1}


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


def test_listings_say_finalizing_until_somebody_looks(limited):
    api = limited(speed=100.0, finalizer_seconds=1000.0)
    batch = api.batch(line())
    listed = ""

    while listed in {"", "validating", "in_progress"}:
        listed = api.http.get("/v1/batches").json()["data"][0]["status"]

    assert listed == "finalizing"
    assert api.get(batch)["status"] == "completed"
    assert api.http.get("/v1/batches").json()["data"][0]["status"] == "completed"


def test_overdue_batches_are_stamped_but_never_expired(limited):
    api = limited(speed=0.5, completion_windows={"1h": -1.0})
    batch = api.batch(line(), completion_window="1h")

    shown = api.get(batch)

    assert shown["status"] == "validating"
    assert shown["expired_at"] == shown["expires_at"]
    late = api.http.get("/v1/batches", params={"status": "expired"}).json()["data"]
    assert [found["id"] for found in late] == [batch["id"]]
