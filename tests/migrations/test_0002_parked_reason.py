"""A portal is upgraded while batches are paused or need attention, and can go back."""

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0001_initial", "0002_parked_reason"
MODEL = "ProviderBatch"

# (status, stopped_in_status) before -> (status, parked_reason) after
ROWS = {
    ("paused", "preparing"): ("preparing", "paused"),
    ("paused", "waiting"): ("waiting", "paused"),
    ("paused", "running"): ("harvesting", "paused"),  # the provider has stopped it
    ("paused", "retrying_in_place"): ("retrying_in_place", "paused"),
    ("needs_attention", "preparing"): ("preparing", "needs_attention"),
    ("needs_attention", "waiting"): ("waiting", "needs_attention"),
    ("needs_attention", "running"): ("running", "needs_attention"),
    ("needs_attention", "harvesting"): ("harvesting", "needs_attention"),
    ("needs_attention", "retrying_in_place"): ("retrying_in_place", "needs_attention"),
    ("preparing", ""): ("preparing", ""),
    ("waiting", ""): ("waiting", ""),
    ("running", ""): ("running", ""),
    ("harvesting", ""): ("harvesting", ""),
    ("retrying_in_place", ""): ("retrying_in_place", ""),
    ("done", ""): ("done", ""),
    ("cancelled", ""): ("cancelled", ""),
}


def states_of(rows: Rows, field: str) -> list[tuple[str, str]]:
    return list(rows.model(MODEL).objects.order_by("number").values_list("status", field))


def test_a_parked_row_keeps_the_status_in_which_it_was_stopped(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    batch = old.make_batch()
    for number, (status, stopped_in_status) in enumerate(ROWS):
        state = {"status": status, "stopped_in_status": stopped_in_status}
        old.create(MODEL, batch=batch, number=number, **state)

    new = Rows(migrate(AFTER))

    assert states_of(new, "parked_reason") == list(ROWS.values())


def test_the_way_back_gives_a_parked_row_the_status_of_its_reason(migrate: Migrate) -> None:
    new = Rows(migrate(AFTER))
    batch = new.make_batch()
    for number, (status, parked_reason) in enumerate(ROWS.values()):
        state = {"status": status, "parked_reason": parked_reason}
        new.create(MODEL, batch=batch, number=number, **state)

    old = Rows(migrate(BEFORE))

    assert states_of(old, "stopped_in_status") == list(ROWS)
