"""Pause and resume a batch at the sandbox provider."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from batchapp.models import Batch, ProviderBatch, ResultChunk
from batchapp.sandbox.settings import Settings
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.results import browse
from tests.fixtures import Clock
from tests.make import (
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    request_file,
)
from tests.sandbox.processes import sandbox_thread
from tests.steps import make_due, run_step, run_steps

pytestmark = pytest.mark.django_db
MODEL = "Qwen/Qwen3.5-9B"
REQUESTS = 40
SECRET = "sk-pausing-000001"
Until = Callable[[ProviderBatch, Callable[[ProviderBatch], bool]], ProviderBatch]


@pytest.fixture
def url(tmp_path: Path, clock: Clock) -> Iterator[str]:
    """A sandbox that takes ten seconds for a batch, which pass as the test lets them."""
    clock.stop()
    with sandbox_thread(Settings(data=tmp_path)) as url:
        yield url


@pytest.fixture
def until(clock: Clock) -> Until:
    """Run steps, one a second, until the provider batch is as described."""

    def run(
        provider_batch: ProviderBatch, is_so: Callable[[ProviderBatch], bool]
    ) -> ProviderBatch:
        for _ in range(60):
            provider_batch = run_step(provider_batch)
            if is_so(provider_batch):
                return provider_batch
            clock.advance(seconds=1)
        raise AssertionError(provider_batch.status)

    return run


@pytest.fixture
def provider_batch(url: str, until: Until) -> ProviderBatch:
    """A provider batch of forty requests, some of them answered."""
    connection = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
    project = make_project(connection=connection)
    upload = make_upload(project, content=request_file(REQUESTS, model=MODEL))
    key = make_key(project, secret=SECRET)
    provider_batch = make_batch(project, upload=upload, key=key).provider_batches.get()
    return until(provider_batch, lambda provider_batch: provider_batch.completed > 0)


def custom_ids(batch: Batch) -> Counter[str]:
    lines = b"".join(
        browse.download(batch, batch.created_by, ResultChunk.Kind.OUTPUT)
    ).splitlines()
    return Counter(json.loads(line)["custom_id"] for line in lines)


def paid(url: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return httpx.get(f"{url}/_sandbox/ledger", headers=headers, timeout=60).json()["total"]


def test_a_batch_that_was_paused_and_resumed_is_answered_and_paid_once(
    url: str, provider_batch: ProviderBatch, until: Until
) -> None:
    assert controls.request_pause(provider_batch.batch, provider_batch.batch.created_by)
    provider_batch = until(
        provider_batch,
        lambda provider_batch: provider_batch.parked_reason == ProviderBatch.Parked.PAUSED,
    )
    before = custom_ids(provider_batch.batch)
    assert 0 < before.total() < REQUESTS

    assert controls.resume(provider_batch.batch, provider_batch.batch.created_by)
    provider_batch = until(
        provider_batch, lambda provider_batch: provider_batch.status == ProviderBatch.Status.DONE
    )
    batch = run_steps(provider_batch)

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)
    assert custom_ids(batch) == Counter({f"row-{n}": 1 for n in range(1, REQUESTS + 1)})
    total = paid(url)
    assert (total["batches"], total["completed"]) == (1, REQUESTS)


def test_a_batch_that_was_cancelled_and_retried_in_place_is_answered_and_paid_once(
    url: str, provider_batch: ProviderBatch, until: Until
) -> None:
    controls.request_cancel(provider_batch.batch, provider_batch.batch.created_by)
    provider_batch = until(
        provider_batch, lambda provider_batch: provider_batch.status in ProviderBatch.OVER
    )
    batch = run_steps(provider_batch)
    assert batch.cancelled == REQUESTS - batch.succeeded > 0

    assert retry_in_place.request_retry_in_place(batch, batch.created_by) == batch.cancelled
    provider_batch = until(
        make_due(provider_batch),
        lambda provider_batch: provider_batch.status == ProviderBatch.Status.DONE,
    )
    batch = run_steps(provider_batch)

    assert (batch.succeeded, batch.cancelled) == (REQUESTS, 0)
    assert custom_ids(batch).total() == REQUESTS
    assert paid(url)["completed"] == REQUESTS
