"""Refusals as the provider's real server gives them: each is waited out, or asks a person."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from batchapp.models import Batch, Connection, EventKind, ProviderBatch, ProviderKey
from batchapp.presenters.problem_text import problem_text
from batchapp.sandbox.settings import Settings
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.results import retry_file
from tests.make import order_at_sandbox
from tests.sandbox.processes import sandbox_thread
from tests.steps import exhaust_patience, run_step, run_steps

pytestmark = pytest.mark.django_db
REQUESTS = 20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data: Path = tmp_path_factory.mktemp("sandbox")
    with sandbox_thread(Settings(data=data, speed=40.0)) as url:
        yield url


@pytest.fixture
def slow_url(tmp_path: Path) -> Iterator[str]:
    """A sandbox that answers no request in the first minutes."""
    with sandbox_thread(Settings(data=tmp_path, base_seconds=36_000.0)) as url:
        yield url


def order(url: str, *faults: str, **fields: Any) -> ProviderBatch:
    """A provider batch on a key that has worked before, and whose calls meet ``faults``."""
    provider_batch = order_at_sandbox(url, REQUESTS, *faults, **fields)
    ProviderKey.objects.update(last_used_at=F("secret_set_at"))
    return provider_batch


def until(
    provider_batch: ProviderBatch, is_so: Callable[[ProviderBatch], object]
) -> ProviderBatch:
    deadline = time.monotonic() + 60
    while not is_so(provider_batch):
        assert time.monotonic() < deadline, problem_text(provider_batch.problem)
        Connection.objects.update(backoff_until=None)
        provider_batch = run_step(provider_batch)
        time.sleep(0.02)
    return provider_batch


def is_over(provider_batch: ProviderBatch) -> bool:
    return provider_batch.status in ProviderBatch.OVER


def is_parked(provider_batch: ProviderBatch) -> bool:
    return bool(provider_batch.parked_reason)


@pytest.mark.parametrize(
    "fault",
    [
        "refuse-key/upload#1-2",
        "refuse-key/create#1",
        "refuse-key/batch#1-3",
        "refuse-key/content#1",
        "not-found/batch#1-3",
        "not-found/content#1",
    ],
)
def test_a_refusal_that_passes_needs_nobody(url: str, fault: str) -> None:
    provider_batch = until(order(url, fault), is_over)

    batch = run_steps(provider_batch)
    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)
    assert not batch.events.filter(kind=EventKind.NEEDS_ATTENTION).exists()
    assert not batch.key.is_refused


@pytest.mark.parametrize("fault", ["line-503=3", "unverified=5"])
def test_a_refusal_of_the_file_or_the_account_asks_a_person(url: str, fault: str) -> None:
    provider_batch = order(url, fault, window="1h")
    provider_batch = until(provider_batch, lambda row: row.refused_since)
    exhaust_patience()

    provider_batch = until(provider_batch, is_parked)

    assert provider_batch.parked_reason == ProviderBatch.Parked.NEEDS_ATTENTION
    assert provider_batch.status == ProviderBatch.Status.WAITING


def test_a_window_that_the_model_has_not_leads_to_the_one_agreed_to(url: str) -> None:
    provider_batch = order(url, "one-window=24h", window="1h", fallback_window="24h")

    batch = run_steps(until(provider_batch, is_over))

    assert (batch.window, batch.succeeded) == ("24h", REQUESTS)


@pytest.mark.parametrize("request_stop", [controls.request_cancel, controls.request_pause])
def test_a_batch_stopped_before_it_began_is_over_and_can_be_retried_as_a_new_one(
    slow_url: str, request_stop: Callable[..., bool]
) -> None:
    provider_batch = order(slow_url, "cancel-before-population")
    provider_batch = until(provider_batch, lambda row: row.remote_id)
    request_stop(provider_batch.batch, provider_batch.batch.created_by)

    batch = run_steps(until(provider_batch, is_over))

    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, REQUESTS)
    assert batch.events.filter(kind=EventKind.NEVER_BEGUN).exists()
    assert retry_in_place.count_retryable(batch, batch.created_by) == 0
    assert retry_file.has_retryable(batch)


def test_answers_billed_twice_are_told_and_cost_what_they_cost(url: str) -> None:
    provider_batch = until(order(url, "billed-twice=5"), is_over)
    batch = run_steps(provider_batch)

    deadline = time.monotonic() + 60
    while batch.billed_answers is None:
        assert time.monotonic() < deadline
        Batch.objects.update(next_check_at=batch.finished_at, leased_until=None)
        run_steps(provider_batch)
        time.sleep(0.05)
        batch.refresh_from_db()

    assert batch.succeeded == REQUESTS
    assert batch.billed_answers > REQUESTS
