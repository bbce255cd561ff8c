"""JSON answers that are wrong, old, or about something that is not there any more."""

import pytest

from batchapp.sandbox.state import now
from tests.sandbox.api import line, lines


def test_values_have_other_types(account):
    api = account("", "wrong-types/batch,batches")
    batch = api.batch(lines(3))

    shown = api.http.get(f"/v1/batches/{batch['id']}").json()
    (listed,) = api.http.get("/v1/batches").json()["data"]

    assert isinstance(shown["id"], int)
    assert isinstance(shown["created_at"], str)
    assert isinstance(shown["request_counts"], list)
    assert isinstance(listed["status"], int)


def test_a_status_can_be_unknown(account):
    api = account("", "unknown-status=pondering/batches", "unknown-status/batch#1")
    batch = api.batch(line())

    assert api.get(batch)["status"] == "reviewing"
    assert api.get(batch)["status"] != "reviewing"
    assert api.http.get("/v1/batches").json()["data"][0]["status"] == "pondering"


def test_counts_can_move_back(account):
    api = account("", "counts-back/batches#2")
    api.finished(lines(10))

    def completed() -> int:
        return api.http.get("/v1/batches").json()["data"][0]["request_counts"]["completed"]

    assert [completed(), completed(), completed()] == [10, 5, 10]


def test_counts_need_not_add_up(account):
    api = account("", "counts-odd")
    batch = api.batch(lines(10))

    counts = api.get(batch)["request_counts"]

    assert counts["failed"] > counts["total"] == 10


def test_a_replica_does_not_know_the_youngest(account):
    api = account("", "lag=60#1-4")
    batch = api.batch(line())

    missing = api.http.get(f"/v1/batches/{batch['id']}")
    file = api.http.get(f"/v1/files/{batch['input_file_id']}")
    listed = api.http.get("/v1/batches", params={"search": batch["id"]}).json()
    files = api.http.get("/v1/files").json()

    assert (missing.status_code, missing.text) == (404, f"Batch with ID {batch['id']} not found")
    assert file.status_code == 404
    assert listed == {"object": "list", "data": [], "has_more": False}
    assert files["data"] == []
    assert api.get(batch)["id"] == batch["id"]


def test_a_replica_knows_what_is_old_enough(account):
    api = account("", "lag=0.2/batch")
    batch = api.batch(line())
    seen = 404

    while seen == 404:
        seen = api.http.get(f"/v1/batches/{batch['id']}").status_code

    assert seen == 200
    assert now() - batch["created_at"] >= 0.2


def test_the_same_ids_vanish_from_lists_and_by_themselves_for_a_while(account):
    api = account("", "vanish=50#1-21")
    file_id = api.file(line())
    ids = [api.create(file_id).json()["id"] for _number in range(20)]

    listed = {row["id"] for row in api.http.get("/v1/batches").json()["data"]}
    known = {each for each in ids if api.http.get(f"/v1/batches/{each}").status_code == 200}

    assert 2 < len(listed) < 18
    assert known == listed
    assert len(api.http.get("/v1/batches").json()["data"]) == 20


def test_refusals_are_not_spoilt(account):
    api = account("", "wrong-types/any", "counts-odd")

    assert api.http.get("/v1/batches/no").text == "Invalid batch_id format"


def test_a_batch_that_was_seen_finished_can_run_again_once(limited):
    api = limited(speed=20.0, base_seconds=12.0)
    api.http.post("/_sandbox/faults", json={"faults": ["reopen"]})

    first = api.finished(lines(4))
    second = api.get(first)

    assert first["status"] == "completed"
    assert second["status"] == "in_progress"
    assert second["request_counts"]["completed"] == 3
    assert api.wait(first)["request_counts"] == first["request_counts"]
    assert api.get(first)["status"] == "completed"


def test_requests_may_land_after_a_cancel(limited):
    api = limited(speed=20.0, base_seconds=1000.0)
    api.http.post("/_sandbox/faults", json={"faults": ["late-landing=2"]})
    batch = api.wait(api.batch(lines(50)), "in_progress")

    before = api.post(batch, "cancel").json()["request_counts"]["completed"]
    after = before
    while after < before + 2:
        shown = api.get(batch)
        after = shown["request_counts"]["completed"]

    assert shown["status"] == "cancelled"
    assert len(api.rows(batch["output_file_id"])) == before + 2


@pytest.mark.parametrize("fault", ["reopen", "late-landing"])
def test_faults_of_state_leave_other_calls_alone(account, fault):
    api = account("", f"{fault}/any")

    assert api.http.get("/v1/batches").json()["data"] == []
