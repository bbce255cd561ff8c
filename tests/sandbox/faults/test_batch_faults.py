"""Faults that change a batch after its end."""

import pytest

from tests.sandbox.api_client import Api, lines
from tests.sandbox.in_process import InProcess


def api_with_faults(sandbox: InProcess, *faults: str) -> Api:
    api = sandbox.api()
    api.http.post("/_sandbox/faults", json={"faults": list(faults)})
    return api


def test_a_batch_that_was_seen_finished_can_run_again_once(sandbox):
    api = api_with_faults(sandbox, "reopen")

    first = api.finished(lines(4))
    second = api.get(first)

    assert first["status"] == "completed"
    assert second["status"] == "in_progress"
    assert second["request_counts"]["completed"] == 3
    assert api.wait(first)["request_counts"] == first["request_counts"]
    assert api.get(first)["status"] == "completed"


def test_requests_may_settle_after_a_cancel(sandbox):
    api = api_with_faults(sandbox, "late-landing=2")
    batch = api.wait(api.batch(lines(50)), "in_progress")

    before = api.post(batch, "cancel").json()["request_counts"]["completed"]
    sandbox.clock.advance(1)
    between = api.get(batch)["request_counts"]["completed"]
    sandbox.clock.advance(1)
    after = api.get(batch)

    assert (between, after["request_counts"]["completed"]) == (before + 1, before + 2)
    assert after["status"] == "cancelled"
    assert len(api.rows(batch["output_file_id"])) == before + 2


@pytest.mark.parametrize("call", ["cancel", "delete-file"])
def test_a_cancel_may_come_before_the_population_whatever_the_time(sandbox, call):
    api = api_with_faults(sandbox, "cancel-before-population", "late-landing=2")
    batch = api.batch(lines(50))
    sandbox.clock.advance(sandbox.settings.validating_seconds)
    assert api.get(batch)["status"] == "in_progress"

    if call == "cancel":
        api.post(batch, "cancel")
    else:
        api.http.delete(f"/v1/files/{batch['input_file_id']}")

    sandbox.clock.advance(60)
    after = api.get(batch)
    assert after["status"] == "cancelling"
    assert "in_progress_at" not in after
    assert after["request_counts"] == {"total": 50, "completed": 0, "failed": 0}


def test_a_batch_with_results_is_cancelled_as_usual(sandbox):
    api = api_with_faults(sandbox, "cancel-before-population")
    batch = api.finished(lines(2))

    cancelled = api.post(batch, "cancel").json()

    assert cancelled["status"] == "cancelled"
    assert cancelled["request_counts"]["completed"] == 2


@pytest.mark.parametrize("fault", ["reopen", "late-landing"])
def test_batch_faults_do_not_change_other_calls(account, fault):
    api = account("", f"{fault}/any")

    assert api.http.get("/v1/batches").json()["data"] == []
