"""Run a split file at a provider that has no room at first."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from batchapp.models import Batch, ProviderBatch, ResultChunk
from batchapp.sandbox.settings import Settings
from batchapp.services.results import browse
from tests.make import (
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    request_file,
)
from tests.sandbox.processes import sandbox_thread
from tests.steps import advance

pytestmark = pytest.mark.django_db

MODEL = "Qwen/Qwen3.5-9B"
SECRET = "sk-parts-000001~capacity/create#2"
REQUESTS = 50


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with sandbox_thread(Settings(data=tmp_path, speed=200.0, requests_per_file=20)) as url:
        yield url


def work_to_the_end(batch: Batch) -> Batch:
    """Run the steps of ``batch`` until it is over, without waiting."""
    deadline = time.monotonic() + 60
    while (
        ProviderBatch.objects.filter(batch=batch).exclude(status__in=ProviderBatch.OVER).exists()
    ):
        assert time.monotonic() < deadline, list(
            batch.provider_batches.values_list("status", "problem")
        )
        for provider_batch in batch.provider_batches.exclude(next_check_at=None):
            ProviderBatch.objects.filter(pk=provider_batch.pk).update(next_check_at=timezone.now())
            advance(provider_batch)
        time.sleep(0.02)
    advance(batch)
    return Batch.objects.get(pk=batch.pk)


def test_it_is_one_batch_here_and_three_there_each_paid_once(url: str) -> None:
    connection = make_connection(
        base_url=url, max_requests=20, max_active=2, poll_seconds=1, create_grace_seconds=0
    )
    project = make_project(connection=connection)
    upload = make_upload(project, content=request_file(REQUESTS, model=MODEL))
    batch = make_batch(project, upload=upload, key=make_key(project, secret=SECRET))

    done = work_to_the_end(batch)

    assert (done.status, done.succeeded) == (Batch.Status.COMPLETED, REQUESTS)
    assert [row.total for row in done.provider_batches.all()] == [20, 20, 10]
    lines = b"".join(browse.download(done, done.created_by, ResultChunk.Kind.OUTPUT)).splitlines()
    answered = [json.loads(line)["custom_id"] for line in lines]
    assert sorted(answered) == sorted(f"row-{n}" for n in range(1, REQUESTS + 1))
    headers = {"Authorization": f"Bearer {SECRET}"}
    ledger = httpx.get(f"{url}/_sandbox/ledger", headers=headers, timeout=60).json()
    assert (ledger["total"]["batches"], ledger["total"]["completed"]) == (3, REQUESTS)
    assert sorted(ledger["by_metadata"]["portal_provider_batch"]) == ["1/3", "2/3", "3/3"]
    assert list(ledger["by_metadata"]["portal_batch"]) == [str(batch.pk)]
