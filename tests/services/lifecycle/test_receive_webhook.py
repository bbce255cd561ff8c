"""Receive webhooks, and poll the batches they name."""

import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from batchapp.access import OPERATOR
from batchapp.models import Batch, Connection, ProviderBatch
from batchapp.sandbox.settings import Settings
from batchapp.services.lifecycle import prepare
from batchapp.services.providers import provider_keys
from tests.fixtures import Clock
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    request_file,
    set_state,
)
from tests.provider import Provider
from tests.sandbox.processes import sandbox_thread
from tests.steps import advance

Status = ProviderBatch.Status

LONG_AGO = timedelta(hours=2)
MODEL = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"


@pytest.fixture
def over(provider: Provider, db: None) -> ProviderBatch:
    """A provider batch that ended two hours ago with the same counts here and at the provider."""
    batch = finish(make_batch(), [answer_line(1), answer_line(2)], [error_line(3)])
    provider_batch = set_state(batch, ended_at=timezone.now() - LONG_AGO)
    provider.batches[provider_batch.remote_id] = {
        "id": provider_batch.remote_id,
        "status": "completed",
        "created_at": 4_000_000_000,
        "request_counts": {"total": 3, "completed": 2, "failed": 1},
    }
    return provider_batch


def recheck(provider_batch: ProviderBatch) -> None:
    """Do as after a webhook that names other counts."""
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(next_check_at=timezone.now())
    advance(provider_batch)


def test_a_batch_that_ended_otherwise_over_there_is_followed_again(
    provider: Provider, over: ProviderBatch
) -> None:
    provider.batches[over.remote_id]["request_counts"] = {"total": 3, "completed": 3, "failed": 0}

    recheck(over)

    over.refresh_from_db()
    assert provider.calls == ["GET /v1/batches/ID"]
    assert over.status == Status.RUNNING
    assert Batch.objects.get(pk=over.batch_id).status == Batch.Status.RUNNING


def test_a_batch_of_which_only_the_webhook_tells_another_end_stays_over(
    provider: Provider, over: ProviderBatch
) -> None:
    recheck(over)

    over.refresh_from_db()
    assert provider.calls == ["GET /v1/batches/ID"]
    assert (over.status, over.next_check_at) == (Status.DONE, None)


@pytest.mark.parametrize("status", [404, 503])
def test_an_ended_batch_is_compared_again_after_a_failure_and_its_answers_come(
    provider: Provider, over: ProviderBatch, status: int, clock: Clock
) -> None:
    clock.stop()
    provider.before = lambda *_: httpx.Response(status)
    recheck(over)
    over.refresh_from_db()
    assert (over.status, over.failures) == (Status.DONE, 1)
    assert over.next_check_at
    assert over.next_check_at > timezone.now()

    provider.before = lambda *_: None
    provider.batches[over.remote_id]["request_counts"] = {"total": 3, "completed": 3, "failed": 0}
    recheck(over)

    over.refresh_from_db()
    assert (over.status, over.failures) == (Status.RUNNING, 0)


@pytest.mark.parametrize(("status", "attempts"), [(404, 21), (403, 1), (500, 21)])
def test_a_provider_that_never_answers_about_an_ended_batch_changes_nothing(
    provider: Provider, over: ProviderBatch, status: int, attempts: int
) -> None:
    provider.before = lambda *_: httpx.Response(status)
    while not provider.calls or over.next_check_at:
        Connection.objects.update(backoff_until=None)
        recheck(over)
        over.refresh_from_db()

    assert len(provider.calls) == attempts
    assert (over.status, over.failures) == (Status.DONE, 0)


def test_every_look_with_news_leaves_a_mark(provider: Provider, db: None) -> None:
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    advance(provider_batch)
    (remote,) = provider.batches.values()

    for completed in (1, 1, 2):
        remote["request_counts"]["completed"] = completed
        ProviderBatch.objects.filter(pk=provider_batch.pk).update(
            status=Status.RUNNING, next_check_at=timezone.now(), leased_until=None
        )
        advance(provider_batch)

    provider_batch.refresh_from_db()
    assert [ended for _, ended in provider_batch.marks] == [0, 1, 2]
    assert provider_batch.marks == sorted(provider_batch.marks)


def test_a_webhook_of_the_provider_has_its_batch_looked_at_before_its_turn(
    live_server: LiveServer, tmp_path: Path, woken: list[str]
) -> None:
    name = uuid4().hex
    with sandbox_thread(Settings(data=tmp_path, speed=200.0)) as url:
        project = make_project(connection=make_connection(base_url=url))
        key = make_key(project, secret=f"sk-{name}")
        address = f"{live_server.url}/webhooks/{key.pk}/"
        made = httpx.post(
            f"{url}/admin/api/v1/users/current/webhooks",
            json={"url": address},
            headers={"Authorization": f"Bearer pk-{name}"},
            timeout=60,
        )
        provider_keys.set_webhook_secret(key, OPERATOR, made.json()["secret"])
        upload = make_upload(project, content=request_file(model=MODEL))
        provider_batch = ProviderBatch.objects.get(
            batch=make_batch(project, upload=upload, key=key)
        )
        prepare.prepare(provider_batch)
        advance(provider_batch)
        ProviderBatch.objects.filter(pk=provider_batch.pk).update(
            next_check_at=timezone.now() + LONG_AGO
        )

        deadline = time.monotonic() + 60
        while not woken and time.monotonic() < deadline:
            time.sleep(0.02)
        advance(provider_batch)

    provider_batch.refresh_from_db()
    assert set(woken) == {str(provider_batch.pk)}
    assert (provider_batch.status, provider_batch.remote_status) == (
        Status.HARVESTING,
        "completed",
    )
    assert provider_batch.completed == 3
    assert [delivery.effect for delivery in key.deliveries.all()] == ["polled"]
