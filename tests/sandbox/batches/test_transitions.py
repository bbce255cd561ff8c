"""Cancellation and retries."""

import pytest

from tests.sandbox.api_client import chat, line, lines


def failing(custom_id: str, directive: str = "fail=400") -> str:
    return line(custom_id, **chat(user=f"sandbox:{directive}"))


def test_cancelling_keeps_results_and_stops_the_other_requests(sandbox):
    api = sandbox.api()
    batch = api.wait(api.batch(lines(500)), "in_progress")

    cancelled = api.post(batch, "cancel").json()

    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelling_at"] == cancelled["cancelled_at"]
    done = cancelled["request_counts"]["completed"]
    assert 0 < done < 500
    output = api.content(batch["output_file_id"])
    assert len(output.text.splitlines()) == done
    assert output.headers["X-Incomplete"] == "false"
    sandbox.clock.advance(60)
    assert api.get(batch)["request_counts"]["completed"] == done
    again = api.post(batch, "cancel")
    assert (again.status_code, again.json()) == (200, cancelled)


def test_cancelling_a_completed_batch_relabels_it(api):
    batch = api.finished(line())

    response = api.post(batch, "cancel")

    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert response.json()["request_counts"]["completed"] == 1


def assert_never_ends(sandbox, api, batch, status: str) -> None:
    sandbox.clock.advance(24 * 3600)
    after = api.get(batch)
    assert after["status"] == status
    assert "in_progress_at" not in after
    assert after["request_counts"] == {"total": 3, "completed": 0, "failed": 0}
    for file_id in (batch["output_file_id"], batch["error_file_id"]):
        content = api.content(file_id)
        assert (content.text, content.headers["X-Incomplete"]) == ("", "true")


@pytest.mark.parametrize("call", ["cancel", "delete-file"])
def test_a_batch_cancelled_while_validating_never_ends(sandbox, call):
    api = sandbox.api()
    batch = api.batch(lines(3))

    if call == "cancel":
        cancelled = api.post(batch, "cancel").json()
    else:
        api.http.delete(f"/v1/files/{batch['input_file_id']}")
        cancelled = api.get(batch)

    assert cancelled["status"] == "cancelling"
    assert cancelled["cancelled_at"] == cancelled["cancelling_at"]
    assert_never_ends(sandbox, api, batch, "cancelling")
    assert api.post(batch, "cancel").json()["status"] == "cancelling"
    assert [row["id"] for row in api.http.get("/v1/batches?status=cancelled").json()["data"]] == [
        batch["id"]
    ]


def test_a_retry_of_a_batch_that_was_never_populated_does_not_run(sandbox):
    api = sandbox.api("sk-one~cancel-before-population")
    batch = api.batch(lines(3))
    sandbox.clock.advance(sandbox.settings.validating_seconds)
    api.post(batch, "cancel")

    retried = api.post(batch, "retry").json()

    assert retried["status"] == "validating"
    assert "cancelling_at" not in retried
    assert_never_ends(sandbox, api, batch, "validating")
    assert api.post(batch, "retry").status_code == 400


def test_a_retry_of_a_cancelled_batch_that_was_completed_says_completed(api):
    batch = api.finished(line())
    api.post(batch, "cancel")

    retried = api.post(batch, "retry").json()

    assert retried["status"] == "completed"
    assert retried.keys() >= {"in_progress_at", "finalizing_at", "completed_at"}
    assert "cancelled_at" not in retried


def test_retry_resumes_a_cancelled_batch(sandbox):
    api = sandbox.api()
    batch = api.wait(api.batch(lines(400)), "in_progress")
    api.post(batch, "cancel")
    before = api.rows(batch["output_file_id"])
    assert 0 < len(before) < 400

    resumed = api.post(batch, "retry").json()

    assert resumed["status"] == "in_progress"
    assert "cancelled_at" not in resumed
    assert resumed["expires_at"] == batch["expires_at"]
    finished = api.wait(batch)
    assert finished["status"] == "completed"
    assert finished["request_counts"] == {"total": 400, "completed": 400, "failed": 0}
    assert api.rows(batch["output_file_id"])[: len(before)] == before


def test_retry_runs_failed_requests_again(sandbox):
    api = sandbox.api()
    rows = [line("good"), failing("always"), failing("once", "fail-once=500")]
    batch = api.finished("\n".join(rows))
    assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 2}

    retried = api.post(batch, "retry").json()

    assert retried["status"] == "in_progress"
    assert retried["request_counts"] == {"total": 3, "completed": 1, "failed": 0}
    assert api.content(batch["error_file_id"]).text == ""
    finished = api.wait(batch)
    assert finished["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
