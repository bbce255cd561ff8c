"""Lists of batches: pages, filters, search."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.sandbox.api_client import Api, chat, line, lines


def ids(api, **query) -> list[str]:
    response = api.http.get("/v1/batches", params=query)
    assert response.status_code == 200, response.text
    return [batch["id"] for batch in response.json()["data"]]


@pytest.fixture
def api(sandbox) -> Api:
    return sandbox.api()


@pytest.fixture
def three(api) -> list[str]:
    """Ids of three finished batches, the oldest first."""
    file_id = api.file(line())
    batches = [api.create(file_id, metadata={"tag": f"t{n}"}).json() for n in range(3)]
    return [api.wait(batch)["id"] for batch in batches]


def test_pages_go_from_new_to_old_and_a_wrong_cursor_starts_again(api, three):
    assert ids(api) == three[::-1]
    assert ids(api, limit=2) == [three[2], three[1]]
    assert ids(api, limit=2, after=three[1]) == [three[0]]
    assert ids(api, limit=0) == [three[2]]
    for wrong in ("nonsense", str(uuid4())):
        assert ids(api, limit=2, after=wrong) == [three[2], three[1]]


def test_another_accounts_batch_is_no_cursor(api, sandbox, three):
    other_batch = sandbox.api("sk-other").batch(line())

    assert ids(api, after=other_batch["id"]) == three[::-1]


def test_unfinished_batches_come_first_when_asked_for(api, three):
    cancelled = api.batch(lines(100))
    running = api.batch(lines(100))
    api.wait(cancelled, "in_progress")
    api.post(cancelled, "cancel")

    order = ids(api, active_first="true")

    assert order == [running["id"], cancelled["id"], *three[::-1]]
    assert ids(api, active_first="true", after=running["id"]) == order[1:]
    assert ids(api, active_first="true", limit=2) == order[:2]


def test_search_finds_metadata_file_names_and_ids_with_wildcards(api, three):
    assert ids(api, search="T1") == [three[1]]
    assert ids(api, search="t_") == three[::-1]
    assert ids(api, search="in.jsonl") == three[::-1]
    assert ids(api, search=three[0][:13]) == [three[0]]
    assert ids(api, search=uuid4().hex) == []


def test_status_filters_group_related_statuses(api, three):
    failed = api.finished(line(**chat(user="sandbox:fail=400")))["id"]
    cancelled = api.batch(lines(100))["id"]
    api.http.post(f"/v1/batches/{cancelled}/cancel")
    running = api.batch(lines(100))["id"]

    assert ids(api, status="completed") == three[::-1]
    assert ids(api, status="failed") == [failed]
    assert ids(api, status="cancelled") == [cancelled]
    assert ids(api, status="in_progress") == [running]
    assert ids(api, status="expired") == []
    refused = api.http.get("/v1/batches?status=validating")
    assert (refused.status_code, refused.text) == (
        400,
        (
            "Unknown batch status filter: 'validating'."
            " Valid values: in_progress, completed, failed, cancelled, expired"
        ),
    )


def test_batches_are_filtered_by_the_time_of_their_creation(api, sandbox, three):
    now = datetime.fromtimestamp(sandbox.clock(), UTC)
    before, after = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()

    assert ids(api, created_after=before, created_before=after) == three[::-1]
    assert ids(api, created_after=after) == []
    assert ids(api, created_before=before) == []
    assert api.http.get("/v1/batches?created_after=yesterday").status_code == 400


def test_windows_are_filtered_by_a_list(api, three):
    hourly = api.batch(line(), completion_window="1h")["id"]

    assert ids(api, completion_window="1h") == [hourly]
    assert ids(api, completion_window="1h,24h") == [hourly, *three[::-1]]
    assert api.http.get("/v1/batches?completion_window=background").status_code == 400
