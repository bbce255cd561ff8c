"""Faults that change the content of JSON responses."""

from decimal import Decimal

from tests.sandbox.api_client import chat, line, lines


def test_values_have_other_types(account):
    api = account("", "wrong-types/batch,batches")
    batch = api.batch(lines(3))

    content = api.http.get(f"/v1/batches/{batch['id']}").json()
    (listed,) = api.http.get("/v1/batches").json()["data"]

    assert isinstance(content["id"], int)
    assert isinstance(content["created_at"], str)
    assert isinstance(content["request_counts"], list)
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


def test_a_replica_does_not_know_the_youngest(sandbox):
    api = sandbox.api("sk-one~lag=60#1-4")
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


def test_a_replica_knows_what_is_old_enough(sandbox):
    api = sandbox.api("sk-one~lag=60/batch")
    batch = api.batch(line())
    statuses = []

    for seconds in (60, 1):  # the replica compares times that are rounded down to a second
        sandbox.clock.advance(seconds)
        statuses.append(api.http.get(f"/v1/batches/{batch['id']}").status_code)

    assert statuses == [404, 200]


def test_the_same_ids_vanish_from_lists_and_by_themselves_for_a_while(account):
    api = account("", "vanish=50#1-21")
    file_id = api.file(line())
    ids = [api.create(file_id).json()["id"] for _number in range(20)]

    listed = {row["id"] for row in api.http.get("/v1/batches").json()["data"]}
    statuses = {batch_id: api.http.get(f"/v1/batches/{batch_id}").status_code for batch_id in ids}
    known = {batch_id for batch_id, status in statuses.items() if status == 200}

    assert 2 < len(listed) < 18
    assert known == listed
    assert len(api.http.get("/v1/batches").json()["data"]) == 20


def test_answers_may_be_billed_twice(sandbox_with):
    api = sandbox_with(analytics_seconds=0.0).api()
    batch = api.finished("\n".join([line(**chat(user="sandbox:fail=400")), lines(8)]))
    url, listed = f"/v1/batches/{batch['id']}/analytics", "/v1/batches?include=analytics"
    before = api.http.get(url).json()

    api.http.post("/_sandbox/faults", json={"faults": ["billed-twice=4/any"]})
    after = api.http.get(url).json()

    assert (before["total_requests"], after["total_requests"]) == (8, 12)
    for name in ("total_prompt_tokens", "total_completion_tokens"):
        assert after[name] == before[name] * 3 // 2
    for name in ("total_cost", "total_list_cost"):
        assert Decimal(after[name]) == Decimal(before[name]) * 3 / 2
    assert api.http.get(listed).json()["data"][0]["analytics"] == after
    assert api.get(batch)["request_counts"]["completed"] == 8


def test_error_responses_are_not_changed(account):
    api = account("", "wrong-types/any", "counts-odd")

    assert api.http.get("/v1/batches/no").text == "Invalid batch ID format"
