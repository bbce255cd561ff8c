"""A portal is upgraded while batches are paused or need attention, and can go back."""

from typing import Any

from batchapp.models import Event
from tests.make import make_batch
from tests.migrations.conftest import Migrate

BEFORE, AFTER = "0001_initial", "0002_parked_reason"
MODEL = "batchapp", "ProviderBatch"

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


def make_batch_without_events() -> Any:
    """Return the id of a batch. With events, the migration after these refuses the way back."""
    batch = make_batch()
    Event.objects.all().delete()
    return batch.pk


def states_of(model: Any, field: str) -> list[tuple[str, str]]:
    return list(model.objects.order_by("number").values_list("status", field))


def test_a_parked_row_keeps_the_status_in_which_it_was_stopped(migrate: Migrate) -> None:
    batch_id = make_batch_without_events()
    old: Any = migrate(BEFORE).get_model(*MODEL)
    old.objects.all().delete()
    for number, (status, stopped_in_status) in enumerate(ROWS):
        old.objects.create(
            batch_id=batch_id, number=number, status=status, stopped_in_status=stopped_in_status
        )

    new: Any = migrate(AFTER).get_model(*MODEL)

    assert states_of(new, "parked_reason") == list(ROWS.values())


def test_the_way_back_gives_a_parked_row_the_status_of_its_reason(migrate: Migrate) -> None:
    batch_id = make_batch_without_events()
    new: Any = migrate(AFTER).get_model(*MODEL)
    new.objects.all().delete()
    for number, (status, parked_reason) in enumerate(ROWS.values()):
        new.objects.create(
            batch_id=batch_id, number=number, status=status, parked_reason=parked_reason
        )

    old: Any = migrate(BEFORE).get_model(*MODEL)

    assert states_of(old, "stopped_in_status") == list(ROWS)
