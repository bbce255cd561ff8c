"""The states and times of a batch."""

import json

from tests.sandbox.api_client import chat, line, lines


def failing(custom_id: str, directive: str = "fail=400") -> str:
    return line(custom_id, **chat(user=f"sandbox:{directive}"))


def test_a_batch_goes_from_validating_to_completed(sandbox):
    api = sandbox.api()
    response = api.create(api.file(lines(20)), metadata={"team": "blue"})

    batch = response.json()
    assert response.status_code == 201
    assert batch["status"] == "validating"
    assert batch["request_counts"] == {"total": 20, "completed": 0, "failed": 0}
    assert batch["output_file_id"]
    assert batch["error_file_id"]
    assert batch["expires_at"] - batch["created_at"] == 24 * 3600
    assert api.wait(batch, "in_progress")["in_progress_at"]
    finished = api.wait(batch)
    assert finished["status"] == "completed"
    assert finished["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert finished["completed_at"]


def test_some_successes_make_a_batch_completed_and_none_make_it_failed(api):
    mixed = api.finished("\n".join([line("good"), failing("bad")]))
    lost = api.finished("\n".join([failing("a"), failing("b", "fail=500")]))

    assert mixed["status"] == "completed"
    assert mixed["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert lost["status"] == "failed"
    assert lost["failed_at"]
    assert "completed_at" not in lost
    assert "errors" not in lost


def test_results_have_a_random_order_and_only_grow(api):
    batch = api.batch(lines(300))
    previous: list[str] = []

    while True:
        rows = api.content(batch["output_file_id"]).text.splitlines()
        assert rows[: len(previous)] == previous
        previous = rows
        if len(previous) == 300:
            break

    order = [int(json.loads(row)["custom_id"].removeprefix("row-")) for row in previous]
    assert sorted(order) == list(range(300))
    assert order != sorted(order)


def test_lists_say_finalizing_until_the_batch_is_read(sandbox):
    api, settings = sandbox.api(), sandbox.settings
    batch = api.batch(line())

    def listed() -> str:
        return api.http.get("/v1/batches").json()["data"][0]["status"]

    sandbox.clock.advance(settings.validating_seconds + settings.working_seconds(1))
    assert listed() == "finalizing"
    assert api.get(batch)["status"] == "completed"
    assert listed() == "completed"


def test_lists_say_completed_once_the_finalizer_has_seen_the_batch(sandbox):
    api, settings = sandbox.api(), sandbox.settings
    api.batch(line())

    sandbox.clock.advance(settings.validating_seconds + settings.working_seconds(1))
    sandbox.clock.advance(settings.finalizer_seconds)

    assert api.http.get("/v1/batches").json()["data"][0]["status"] == "completed"


def test_overdue_batches_have_a_time_but_not_the_status_expired(sandbox_with):
    api = sandbox_with(completion_windows={"1h": -1.0}).api()
    batch = api.batch(line(), completion_window="1h")

    current = api.get(batch)

    assert current["status"] == "validating"
    assert current["expired_at"] == current["expires_at"]
    overdue = api.http.get("/v1/batches", params={"status": "expired"}).json()["data"]
    assert [row["id"] for row in overdue] == [batch["id"]]
