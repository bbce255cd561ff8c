"""A portal of 0.1.0 is upgraded while batches are paused or need attention, and can go back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from batchapp.models import Event
from tests.make import make_batch

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = ("batchapp", "0001_initial"), ("batchapp", "0002_parked_reason")

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

Migrate = Callable[[tuple[str, str]], Any]


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    """Migrate the database to a migration, and return the model of provider batches there."""

    def to(target: tuple[str, str]) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([target])
        apps = executor.loader.project_state([target]).apps
        return apps.get_model("batchapp", "ProviderBatch")

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("batchapp"))


def make_batch_without_events() -> Any:
    """Return the id of a batch. A later migration cannot bring back the texts of its events."""
    batch = make_batch()
    Event.objects.all().delete()
    return batch.pk


def states_of(model: Any, field: str) -> list[tuple[str, str]]:
    return list(model.objects.order_by("number").values_list("status", field))


def test_a_parked_row_keeps_the_status_in_which_it_was_stopped(migrate: Migrate) -> None:
    batch_id = make_batch_without_events()
    old = migrate(BEFORE)
    old.objects.all().delete()
    for number, (status, stopped_in_status) in enumerate(ROWS):
        old.objects.create(
            batch_id=batch_id, number=number, status=status, stopped_in_status=stopped_in_status
        )

    new = migrate(AFTER)

    assert states_of(new, "parked_reason") == list(ROWS.values())


def test_the_way_back_gives_a_parked_row_the_status_of_its_reason(migrate: Migrate) -> None:
    batch_id = make_batch_without_events()
    new = migrate(AFTER)
    new.objects.all().delete()
    for number, (status, parked_reason) in enumerate(ROWS.values()):
        new.objects.create(
            batch_id=batch_id, number=number, status=status, parked_reason=parked_reason
        )

    old = migrate(BEFORE)

    assert states_of(old, "stopped_in_status") == list(ROWS)
