"""An upgraded portal tells faulty requests from trouble at the provider, and can go back."""

from batchapp.models import Upload
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0009_checksums", "0010_honest_outcome"
STATUSES = {3: 400, 4: 402, 5: 429, 6: None}  # line -> HTTP status of a failure


def test_old_results_files_and_events_are_told_apart_and_the_way_back_is_open(
    migrate: Migrate,
) -> None:
    old = Rows(migrate(BEFORE))
    selection = {"endings": ["http_error", "provider_error", "lasting"], "counts": {"lasting": 2}}
    retry = old.make_upload(selection=selection)
    batch = old.make_batch(upload=retry, requests=7, status="completed")
    failed = [
        {"outcome": "http_error" if status else "provider_error", "status_code": status}
        for status in STATUSES.values()
    ]
    old.make_results(batch, {}, {}, *failed, {"outcome": "truncated"})
    counts = {"ok": 2, "http_error": 3, "provider_error": 1}
    old.create("Event", batch=batch, kind="finished", data={"outcomes": counts})

    new = Rows(migrate(AFTER))

    assert outcomes_of(new) == {
        3: "invalid_request",
        4: "unpaid",
        5: "provider_error",
        6: "provider_error",
    }
    assert new.model("Batch").objects.get().usable == 2
    events = new.model("Event").objects.filter(kind="finished")
    assert events.get().data["outcomes"] == {"ok": 2, "provider_error": 4}
    chosen = Upload.objects.only("selection").get().retry_selection
    assert chosen
    assert chosen.outcomes == {"invalid_request", "provider_error"}
    assert chosen.counts == {"invalid_request": 2}

    events.update(data={"outcomes": {"ok": 2, "invalid_request": 1, "unpaid": 1}})
    old = Rows(migrate(BEFORE))

    assert outcomes_of(old) == {
        3: "http_error",
        4: "http_error",
        5: "provider_error",
        6: "provider_error",
    }
    assert old.model("Event").objects.get().data["outcomes"] == {"ok": 2, "http_error": 2}
    selection = old.model("Upload").objects.get().selection
    assert selection["endings"] == ["lasting", "provider_error"]


def outcomes_of(rows: Rows) -> dict[int, str]:
    failed = rows.model("Result").objects.filter(line__in=STATUSES)
    return dict(failed.values_list("line", "outcome"))
