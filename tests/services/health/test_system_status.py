"""The facts of the system page, read from the running portal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import ProviderBatch, Upload
from batchapp.services.health import portal_health, system_status
from batchapp.services.health.system_facts import SystemStatus
from tests.make import make_administrator, make_batch, make_project, make_upload, set_state

pytestmark = pytest.mark.django_db


def status() -> SystemStatus:
    return system_status.read_status(make_administrator())


def test_stored_bytes_and_the_database_have_a_size() -> None:
    upload = make_upload()

    facts = status()

    assert facts.stored_bytes == upload.size
    assert facts.database_bytes
    assert facts.database_bytes > 10_000
    assert facts.unapplied_migrations == 0
    assert facts.free_bytes
    assert facts.disk_bytes
    assert 0 < facts.free_bytes <= facts.disk_bytes


def test_rows_that_are_due_are_counted_by_kind_the_latest_first() -> None:
    make_batch()
    ProviderBatch.objects.update(next_check_at=timezone.now() - timedelta(minutes=1))
    make_upload(is_checked=False)
    Upload.objects.update(next_check_at=timezone.now() - timedelta(minutes=5))

    due = status().due

    assert [(rows.kind, rows.number) for rows in due] == [("uploads", 2), ("provider batch", 1)]
    assert due[0].lag > due[1].lag


def test_rows_that_need_a_person_are_counted_by_project() -> None:
    project = make_project(name="Support tickets")
    for _ in range(2):
        batch = make_batch(project)
        set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    (stuck,) = status().stuck

    assert (stuck.project, stuck.slug, stuck.number) == (project.name, project.slug, 2)


def test_what_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise ConnectionError("redis://:secret@host")

    monkeypatch.setattr(portal_health, "messages_waiting", fail)

    assert status().messages is None


def test_messages_wait_in_the_queue_of_the_portal() -> None:
    assert portal_health.messages_waiting() >= 0
