"""An upgraded portal tells faulty requests from trouble at the provider, and can go back."""

from typing import Any

from batchapp.models import Batch, Event, Result
from tests.make import answer_line, error_line, finish, make_batch, make_upload, request_file
from tests.migrations.conftest import Migrate

BEFORE, AFTER = "0009_checksums", "newest"
STATUSES = {3: 400, 4: 402, 5: 429, 6: None}  # line -> HTTP status of a failure


def test_old_results_files_and_events_are_told_apart_and_the_way_back_is_open(
    migrate: Migrate,
) -> None:
    batch = make_batch(upload=make_upload(content=request_file(7)))
    cut = answer_line(7).replace(b'"stop"', b'"length"')
    finish(batch, [answer_line(1), answer_line(2), cut], [error_line(n) for n in STATUSES])
    before = migrate(BEFORE)
    old: Any = before.get_model("batchapp", "Result")
    for line, status in STATUSES.items():
        outcome = "http_error" if status else "provider_error"
        old.objects.filter(line=line).update(outcome=outcome, status_code=status)
    events = Event.objects.filter(kind="finished")
    events.update(data={"outcomes": {"ok": 2, "http_error": 3, "provider_error": 1}})
    selection = {"endings": ["http_error", "provider_error", "lasting"], "counts": {"lasting": 2}}
    before.get_model("batchapp", "Upload").objects.update(selection=selection)

    migrate(AFTER)

    outcomes = dict(Result.objects.filter(line__in=STATUSES).values_list("line", "outcome"))
    assert outcomes == {
        3: "invalid_request",
        4: "unpaid",
        5: "provider_error",
        6: "provider_error",
    }
    assert Batch.objects.get().usable == 2
    assert events.get().data["outcomes"] == {"ok": 2, "provider_error": 4}
    batch.upload.refresh_from_db()
    assert batch.upload.retry_selection
    assert batch.upload.retry_selection.outcomes == {"invalid_request", "provider_error"}
    assert batch.upload.retry_selection.counts == {"invalid_request": 2}

    events.update(data={"outcomes": {"ok": 2, "invalid_request": 1, "unpaid": 1}})
    before = migrate(BEFORE)
    old = before.get_model("batchapp", "Result")

    outcomes = dict(old.objects.filter(line__in=STATUSES).values_list("line", "outcome"))
    assert outcomes == {
        3: "http_error",
        4: "http_error",
        5: "provider_error",
        6: "provider_error",
    }
    assert events.get().data["outcomes"] == {"ok": 2, "http_error": 2}
    selection = before.get_model("batchapp", "Upload").objects.get().selection
    assert selection["endings"] == ["lasting", "provider_error"]
