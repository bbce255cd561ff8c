"""Faults that change a batch after its end."""

import pytest

from tests.sandbox.api_client import lines


def test_a_batch_that_was_seen_finished_can_run_again_once(api_with):
    # A request takes 2 seconds: enough to see the batch run again on a busy machine, too.
    api = api_with(speed=20.0, base_seconds=40.0)
    api.http.post("/_sandbox/faults", json={"faults": ["reopen"]})

    first = api.finished(lines(4))
    second = api.get(first)

    assert first["status"] == "completed"
    assert second["status"] == "in_progress"
    assert second["request_counts"]["completed"] == 3
    assert api.wait(first)["request_counts"] == first["request_counts"]
    assert api.get(first)["status"] == "completed"


def test_requests_may_settle_after_a_cancel(api_with):
    api = api_with(speed=20.0, base_seconds=1000.0)
    api.http.post("/_sandbox/faults", json={"faults": ["late-landing=2"]})
    batch = api.wait(api.batch(lines(50)), "in_progress")

    before = api.post(batch, "cancel").json()["request_counts"]["completed"]
    after = before
    while after < before + 2:
        current = api.get(batch)
        after = current["request_counts"]["completed"]

    assert current["status"] == "cancelled"
    assert len(api.rows(batch["output_file_id"])) == before + 2


@pytest.mark.parametrize("call", ["cancel", "delete-file"])
def test_a_cancel_may_come_before_the_population_whatever_the_time(api_with, call):
    api = api_with(speed=20.0, base_seconds=1000.0)
    faults = ["cancel-before-population", "late-landing=2"]
    api.http.post("/_sandbox/faults", json={"faults": faults})
    batch = api.wait(api.batch(lines(50)), "in_progress")

    if call == "cancel":
        api.post(batch, "cancel")
    else:
        api.http.delete(f"/v1/files/{batch['input_file_id']}")

    after = api.get(batch)
    assert after["status"] == "cancelling"
    assert "in_progress_at" not in after
    assert after["request_counts"] == {"total": 50, "completed": 0, "failed": 0}


def test_a_batch_with_results_is_cancelled_as_usual(api_with):
    api = api_with()
    api.http.post("/_sandbox/faults", json={"faults": ["cancel-before-population"]})
    batch = api.finished(lines(2))

    cancelled = api.post(batch, "cancel").json()

    assert cancelled["status"] == "cancelled"
    assert cancelled["request_counts"]["completed"] == 2


@pytest.mark.parametrize("fault", ["reopen", "late-landing"])
def test_batch_faults_do_not_change_other_calls(account, fault):
    api = account("", f"{fault}/any")

    assert api.http.get("/v1/batches").json()["data"] == []
