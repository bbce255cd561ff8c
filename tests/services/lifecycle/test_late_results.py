"""Requests that were being worked on when a batch was cancelled may be answered after its end."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from batchapp.models import Batch, Connection, ProviderBatch, ResultChunk
from batchapp.models.batches.batch import FOLLOW_UP_PERIOD
from batchapp.services.lifecycle import controls, prepare
from tests.make import answer_line, error_line, make_batch
from tests.provider import Provider
from tests.sentences import told
from tests.steps import advance, make_due, run_steps

pytestmark = pytest.mark.django_db
GET, BILL = "GET /v1/batches/ID", "GET /v1/batches/ID/analytics"


@pytest.fixture
def cancelled(provider: Provider, running: ProviderBatch) -> Batch:
    """One of three requests was answered; the two others were cancelled."""
    provider.finish([answer_line(1)], status="in_progress")
    controls.request_cancel(running.batch, running.batch.created_by)
    batch = run_steps(running)
    assert (batch.succeeded, batch.cancelled) == (1, 2)
    provider.calls.clear()
    return batch


def look_back(batch: Batch, *, after: timedelta = timedelta(minutes=1)) -> Batch:
    Batch.objects.filter(pk=batch.pk).update(
        finished_at=timezone.now() - after, next_check_at=timezone.now(), leased_until=None
    )
    advance(batch)
    return Batch.objects.get(pk=batch.pk)


def test_late_results_are_fetched_counted_and_paid_once(
    provider: Provider, cancelled: Batch
) -> None:
    cost = cancelled.actual_cost_usd
    assert cost
    provider.finish([answer_line(1), answer_line(2)], [error_line(3)], status="cancelled")

    assert look_back(cancelled).status == Batch.Status.RUNNING
    batch = run_steps(make_due(ProviderBatch.objects.get()))

    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.failed, batch.cancelled, batch.missing) == (2, 1, 0, 0)
    assert batch.actual_cost_usd == 2 * cost
    assert batch.cancel_requested_at
    assert told(batch, "answered 2 requests that were running")
    assert ProviderBatch.objects.get().result_chunks.count() == 3


@pytest.mark.parametrize("has_partial_results", [True, False])
def test_a_line_that_says_cancelled_is_kept_once_and_counts_beside_late_results(
    provider: Provider, running: ProviderBatch, has_partial_results: bool
) -> None:
    Connection.objects.update(has_partial_results=has_partial_results)
    errors = [error_line(2, code="batch_cancelled"), error_line(3, code="batch_cancelled")]
    controls.request_cancel(running.batch, running.batch.created_by)
    provider.finish([answer_line(1)], errors, status="cancelled")
    cancelled = run_steps(running)
    assert (cancelled.succeeded, cancelled.cancelled) == (1, 2)
    provider.finish([answer_line(1), answer_line(2)], errors, status="cancelled")

    look_back(cancelled)
    batch = run_steps(make_due(ProviderBatch.objects.get()))

    assert (batch.succeeded, batch.failed, batch.cancelled, batch.missing) == (2, 0, 1, 0)
    stored = ResultChunk.objects.filter(kind=ResultChunk.Kind.ERROR)
    assert [line for chunk in stored for line in chunk.read_lines()] == errors


def test_it_is_looked_for_some_minutes_and_no_longer(provider: Provider, cancelled: Batch) -> None:
    assert look_back(cancelled).next_check_at
    assert look_back(cancelled, after=FOLLOW_UP_PERIOD / 2).next_check_at
    assert provider.calls.count(GET) == 2

    batch = look_back(cancelled, after=FOLLOW_UP_PERIOD)

    assert provider.calls.count(GET) == 2
    assert (batch.status, batch.cancelled) == (cancelled.status, 2)


def test_a_provider_without_sums_is_still_asked_for_late_results(
    provider: Provider, cancelled: Batch
) -> None:
    provider.before = lambda call, _: httpx.Response(404, text="no") if call == BILL else None
    assert look_back(cancelled).next_check_at
    provider.finish([answer_line(1), answer_line(3)], status="cancelled")

    look_back(cancelled, after=timedelta(minutes=4))

    assert run_steps(make_due(ProviderBatch.objects.get())).succeeded == 2


def test_what_was_never_sent_is_not_asked_for(provider: Provider) -> None:
    batch = make_batch()
    prepare.prepare(provider_batch := ProviderBatch.objects.get())
    controls.request_cancel(batch, batch.created_by)

    batch = run_steps(provider_batch)

    assert (batch.cancelled, batch.next_check_at) == (3, None)
    assert provider.calls == []


def test_what_was_closed_here_and_runs_on_there_is_cancelled_when_it_is_asked_for(
    provider: Provider, cancelled: Batch
) -> None:
    ProviderBatch.objects.update(
        status=ProviderBatch.Status.CANCELLED, cancel_sent_at=None, ended_at=None
    )
    (remote,) = provider.batches.values()
    remote["status"] = "in_progress"

    look_back(cancelled, after=timedelta(minutes=4))
    batch = run_steps(make_due(ProviderBatch.objects.get()))

    assert remote["status"] == "cancelled"
    assert len(told(batch, "still runs this batch")) == 1
