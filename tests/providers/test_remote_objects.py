from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from batchapp.providers.json_values import MalformedError
from batchapp.providers.remote_objects import (
    Analytics,
    Page,
    RemoteBatch,
    RemoteFile,
    RemoteStatus,
)

AT = 1_780_000_000
MOMENT = datetime.fromtimestamp(AT, tz=UTC)


def test_a_batch_is_read_in_full():
    batch = RemoteBatch.from_json(
        {
            "id": "7c1f",
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": {"data": [{"line": 3, "message": "bad"}, {"message": "worse"}, 7, {}]},
            "input_file_id": "in",
            "completion_window": "24h",
            "status": "in_progress",
            "output_file_id": "out",
            "error_file_id": "err",
            "created_at": AT,
            "expires_at": AT + 86400,
            "request_counts": {"total": 5, "completed": 2, "failed": 1},
            "metadata": {"token": "abc", "count": 7},
            "dwext": {"source": "api"},
        }
    )

    assert batch.status is RemoteStatus.IN_PROGRESS
    assert not batch.is_over
    assert (batch.total, batch.completed, batch.failed) == (5, 2, 1)
    assert (batch.input_file_id, batch.output_file_id, batch.error_file_id) == ("in", "out", "err")
    assert (batch.endpoint, batch.window) == ("/v1/chat/completions", "24h")
    assert (batch.created_at, batch.expires_at) == (MOMENT, MOMENT + timedelta(days=1))
    assert batch.errors == ("Line 3: bad", "worse")
    assert batch.metadata == {"token": "abc"}


@pytest.mark.parametrize(
    ("status", "is_over"),
    [
        ("validating", False),
        ("in_progress", False),
        ("finalizing", False),
        ("cancelling", False),
        ("completed", True),
        ("failed", True),
        ("expired", True),
        ("cancelled", True),
    ],
)
def test_every_status_of_openai_is_known(status, is_over):
    batch = RemoteBatch.from_json({"id": "a", "status": status})

    assert (batch.status, batch.status_word, batch.is_over) == (status, status, is_over)


@pytest.mark.parametrize(("status", "raw"), [("paused", "paused"), (None, ""), (7, "")])
def test_an_unknown_status_is_taken_as_running_and_logged(status, raw, caplog):
    batch = RemoteBatch.from_json({"id": "a", "status": status})

    assert (batch.status, batch.status_word, batch.is_over) == (RemoteStatus.UNKNOWN, raw, False)
    assert "batch a: unknown status" in caplog.text


@pytest.mark.parametrize("odd", [None, "", 0, -1, True, "x", [], {}, 1.5, 2**70, {"data": 7}])
def test_odd_values_count_as_absent(odd):
    names = ["endpoint", "input_file_id", "output_file_id", "completion_window", "metadata"]
    names += ["created_at", "expires_at"]
    value = {"id": "a", "status": "completed"} | dict.fromkeys(names, odd)
    value["request_counts"] = {"total": odd, "completed": odd, "failed": odd}

    batch = RemoteBatch.from_json(value)

    assert (batch.total, batch.completed, batch.failed) == (0, 0, 0)
    assert batch.errors == ()
    assert batch.is_over


@pytest.mark.parametrize(
    "at", [253_402_300_799, 10**300, Decimal("1e400"), Decimal("1e999999999")]
)
def test_a_moment_that_not_every_time_zone_has_counts_as_absent(at):
    batch = RemoteBatch.from_json({"id": "a", "expires_at": at})

    assert batch.expires_at is None


@pytest.mark.parametrize(("cost", "known"), [("99999999.5", True), ("1e11", False)])
def test_a_cost_that_no_column_can_hold_is_unknown(cost, known):
    assert (Analytics.from_json({"total_cost": cost}).total_cost is not None) is known


def test_an_empty_file_id_is_none():
    batch = RemoteBatch.from_json({"id": "a", "output_file_id": "", "error_file_id": None})

    assert (batch.output_file_id, batch.error_file_id) == (None, None)


def test_text_never_has_characters_that_postgresql_cannot_store():
    batch = RemoteBatch.from_json({"id": "a", "metadata": {"k\0": "v\0"}})

    assert batch.metadata == {"k": "v"}


def test_a_file_is_read_with_the_fields_it_has():
    full = {"id": "f", "filename": "a.jsonl", "bytes": 9, "purpose": "batch", "created_at": AT}

    assert RemoteFile.from_json(full) == RemoteFile("f", "a.jsonl", 9, "batch", MOMENT)
    assert RemoteFile.from_json({"id": "f", "status": "processed"}) == RemoteFile("f")


def test_a_page_knows_its_cursor():
    rows = [{"id": "a"}, {"id": "b"}]

    page = Page.from_json({"data": rows, "has_more": True}, RemoteFile.from_json)

    assert (page.last_id, page.has_more, len(page.data)) == ("b", True, 2)
    assert not Page.from_json({"data": [], "has_more": True}, RemoteFile.from_json).has_more


@pytest.mark.parametrize("value", [None, [], {}, {"data": None}, {"data": [7]}, {"data": [{}]}])
def test_a_malformed_page_is_refused(value):
    with pytest.raises(MalformedError):
        Page.from_json(value, RemoteFile.from_json)


@pytest.mark.parametrize("cost", [None, "", "NaN", "Infinity", "-1", "1e99", "free", True, []])
def test_an_impossible_cost_counts_as_unknown(cost):
    assert Analytics.from_json({"total_requests": 3, "total_cost": cost}).total_cost is None


def test_an_unknown_cost_is_not_free():
    new = Analytics.from_json({"total_requests": 0, "total_tokens": 0})
    settled = Analytics.from_json({"total_cost": "0"})

    assert new.total_cost is None
    assert settled.total_cost == Decimal(0)
