"""Wake due rows by tick, and the next row after a step."""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import LazySettings, settings
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, Notice, ProviderBatch, Upload
from batchapp.pipeline import provider_access
from batchapp.pipeline.runner import STORAGE_PAUSE
from batchapp.providers.http import SLOW_CALL_FACTOR
from batchapp.services.lifecycle import prepare, submit
from config.storage_url import storage_backend
from tests.make import finish, make_batch, make_project, make_upload, set_state
from tests.provider import Provider
from tests.steps import advance
from tests.variables import ROOT

NOBODY_LISTENS = "s3+http://key:secret@127.0.0.1:1/batchapp"

pytestmark = pytest.mark.django_db

Woken = list[tuple[str, str]]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Woken:
    """The messages that go out: kind and id of a row."""
    messages: Woken = []
    monkeypatch.setattr(tasks.advance, "delay", lambda *message: messages.append(message))
    return messages


def test_a_tick_wakes_what_is_due_and_only_once(woken: Woken) -> None:
    batch = make_batch(upload=make_upload())
    upload = make_upload(is_checked=False)
    provider_batch = batch.provider_batches.get()

    tasks.tick()
    tasks.tick()

    assert sorted(woken) == [
        ("providerbatch", str(provider_batch.pk)),
        ("upload", str(upload.pk)),
    ]


def test_steps_of_batches_wait_behind_few_notices_however_many_are_due(woken: Woken) -> None:
    project = make_project()
    Notice.objects.bulk_create(Notice(kind="key_refused", project=project) for _ in range(60))
    tasks.tick()
    make_upload(is_checked=False)
    for _ in range(2):
        tasks.tick()
    assert [kind for kind, _ in woken] == ["notice"] * 25 + ["upload"]

    for _, pk in woken[:15]:
        tasks.advance("notice", pk)
    tasks.tick()

    assert [kind for kind, _ in woken[26:]] == ["notice"] * 15


def test_a_message_that_was_lost_is_sent_again(woken: Woken) -> None:
    upload = make_upload(is_checked=False)
    tasks.tick()

    Upload.objects.update(next_check_at=timezone.now() - timedelta(seconds=1))
    tasks.tick()

    assert woken == [("upload", str(upload.pk))] * 2


def test_a_tick_leaves_leased_rows_alone(woken: Woken) -> None:
    upload = make_upload(is_checked=False)
    assert Upload.objects.claim(upload.pk, upload.status)

    tasks.tick()

    assert woken == []


def test_a_dead_workers_row_is_woken_when_its_lease_ran_out(woken: Woken) -> None:
    upload = make_upload(is_checked=False)
    assert Upload.objects.claim(upload.pk, upload.status)
    Upload.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    tasks.tick()

    assert woken == [("upload", str(upload.pk))]


def test_a_silent_provider_is_given_up_before_the_lease_is_over() -> None:
    timeout = provider_access.CALL_TIMEOUT
    longest_call = (1 + 1 + SLOW_CALL_FACTOR) * timeout  # to connect, to send, to be answered

    assert timeout < settings.LEASE
    assert longest_call < submit.LEASES_PER_CALL * settings.LEASE


def test_a_batch_whose_last_provider_batch_ended_unnoticed_is_settled(woken: Woken) -> None:
    batch = make_batch()
    set_state(batch, status=ProviderBatch.Status.DONE, next_check_at=None)

    tasks.tick()

    batch.refresh_from_db()
    assert batch.status == Batch.Status.SETTLING
    assert woken == [("batch", str(batch.pk))]


def test_a_finished_batch_is_not_woken(woken: Woken) -> None:
    finish(make_batch())

    tasks.tick()

    assert [kind for kind, _ in woken] == ["notice"]


def test_a_step_waits_while_the_storage_is_away(
    settings: LazySettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upload, storages = make_upload(is_checked=False), settings.STORAGES
    settings.STORAGES = {"default": storage_backend(NOBODY_LISTENS, copies_dir=tmp_path)}

    advance(upload)

    upload.refresh_from_db()
    assert (upload.status, upload.leased_until, upload.claims) == (Upload.Status.CHECKING, None, 0)
    assert upload.next_check_at
    assert timedelta() < upload.next_check_at - timezone.now() <= STORAGE_PAUSE
    assert "The object storage cannot be used" in caplog.text

    settings.STORAGES = storages
    Upload.objects.update(next_check_at=timezone.now())
    advance(upload)

    upload.refresh_from_db()
    assert upload.status == Upload.Status.READY


def test_a_step_wakes_the_next_one(
    woken: Woken, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]]
) -> None:
    provider_batch = make_batch().provider_batches.get()

    with django_capture_on_commit_callbacks(execute=True):
        advance(provider_batch)

    assert woken == [("providerbatch", str(provider_batch.pk))]


def test_a_submit_is_few_calls_deep_when_it_sends_its_first_request(provider: Provider) -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)
    depths: list[list[str]] = []

    def note_depth(*_: object) -> httpx.Response | None:
        package = str(ROOT / "batchapp")
        frames = [frame for frame in inspect.stack(0) if frame.filename.startswith(package)]
        depths.append([frame.function for frame in reversed(frames)])
        return None

    provider.before = note_depth
    advance(provider_batch)

    first = depths[0]
    assert first[0] == "advance"
    assert len(first) <= 8, first
