"""Changes of a connection, each of which is recorded, and none of which batches suffer from."""

import pytest
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Batch, Connection, ProviderBatch
from batchapp.services.providers import connections
from tests.make import (
    finish,
    make_administrator,
    make_batch,
    make_connection,
    make_key,
    make_project,
    set_state,
)

pytestmark = pytest.mark.django_db


def test_a_change_says_what_changed_and_records_only_that() -> None:
    connection = make_connection(name="Acme")

    changed = connections.change(connection, OPERATOR, name="Acme", poll_seconds=7)

    assert changed == ["poll_seconds"]
    assert connection.poll_seconds == 7
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor) == (AuditKind.CONNECTION_CHANGED, None)
    assert event.data == {
        "connection": "Acme",
        "before": {"poll_seconds": 30},
        "after": {"poll_seconds": 7},
    }


def test_a_new_address_begins_without_the_failures_of_the_old() -> None:
    now = timezone.now()
    connection = make_connection(failures=5, down_since=now, backoff_until=now)

    connections.change(connection, OPERATOR, base_url="https://elsewhere.test")

    assert connection.failures == 0
    assert connection.down_since is None
    assert connection.backoff_until is None


def test_a_fallback_window_of_a_batch_under_way_stays_until_the_batch_is_over() -> None:
    batch = make_batch(window="1h", fallback_window="24h")

    with pytest.raises(Refused) as refused:
        connections.change(batch.connection, OPERATOR, windows=["1h"])

    assert refused.value.code == Refusal.WINDOWS_IN_USE
    assert refused.value.data == {"windows": ["24h"], "batches": 1}
    finish(batch)
    assert connections.change(batch.connection, OPERATOR, windows=["1h"]) == ["windows"]


def test_the_retry_in_place_goes_once_no_batch_is_paused() -> None:
    batch = make_batch()
    set_state(batch, parked_reason=ProviderBatch.Parked.PAUSED)

    with pytest.raises(Refused):
        connections.change(batch.connection, OPERATOR, has_retry=False)

    set_state(batch, parked_reason="")
    assert connections.change(batch.connection, OPERATOR, has_retry=False) == ["has_retry"]


def test_the_use_of_a_connection_is_counted() -> None:
    project = make_project()
    make_key(project)
    make_batch(project)
    finish(make_batch(project))

    use = connections.use_of(project.connection)

    assert (use.projects, use.batches, use.under_way, use.paused) == (1, 2, 1, 0)
    assert use.windows == ("24h",)
    assert not connections.use_of(make_connection()).is_used


def test_no_secret_is_recorded() -> None:
    connection = make_connection()

    connections.set_platform_key(connection, make_administrator(), "sk-platform-secret-1234")

    assert "platform-secret" not in str(AuditEvent.objects.values().get())


def test_archiving_twice_is_recorded_once_and_keeps_its_time() -> None:
    connection = make_connection()
    first = timezone.now()

    connections.archive(connection, OPERATOR, first)
    connections.archive(connection, OPERATOR, timezone.now())

    assert connection.archived_at == first
    assert AuditEvent.objects.count() == 1
    assert connection not in Connection.objects.in_use()


def test_a_connection_whose_batches_are_over_is_still_used() -> None:
    batch = finish(make_batch())

    with pytest.raises(Refused):
        connections.remove(batch.connection, OPERATOR)

    assert Batch.objects.exists()
