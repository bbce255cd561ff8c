"""Let a provider batch wait for a person, or close one that must be cancelled."""

from dataclasses import asdict

from django.db import transaction
from django.db.models import F

from batchapp.domain.problem import Problem
from batchapp.models import Batch, Event, EventKind, Notice, NoticeKind, ProviderBatch


def stop_for_person(provider_batch: ProviderBatch, problem: Problem) -> None:
    """Park the provider batch in its status until a person, who reads of ``problem``, decides.

    A provider batch that must be cancelled is closed instead.
    """
    uncancelled = Batch.objects.filter(pk=provider_batch.batch_id, cancel_requested_at=None)
    with transaction.atomic():
        # The UPDATE locks the batch: a person cancels either before or after, and then finds this
        # provider batch parked.
        if not uncancelled.update(status=F("status")):
            close_cancelled(provider_batch, problem)
            return
        _tell(provider_batch, problem)
        provider_batch.park(ProviderBatch.Parked.NEEDS_ATTENTION, problem=problem)
        Event.objects.create(
            batch_id=provider_batch.batch_id,
            kind=EventKind.NEEDS_ATTENTION,
            data={"problem": asdict(problem)},
        )


def _tell(provider_batch: ProviderBatch, problem: Problem) -> None:
    """Record that the batch needs a person, unless another of its provider batches does already.

    The row of the batch is locked, so that of two provider batches only the first records it.
    """
    batch = provider_batch.batch
    stuck = batch.provider_batches.filter(parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    if not stuck.exclude(pk=provider_batch.pk).exists():
        Notice.objects.record(
            NoticeKind.BATCH_NEEDS_ATTENTION,
            batch.project,
            batch=batch,
            name=batch.name,
            problem=asdict(problem),
        )


def close_cancelled(provider_batch: ProviderBatch, problem: Problem) -> None:
    """Cancel a provider batch here, although the provider could not be told or asked."""
    provider_batch.move_to(ProviderBatch.Status.CANCELLED, **ProviderBatch.NO_PROBLEM)
    data = {
        "problem": asdict(problem),
        "connection": provider_batch.connection.name,
        "may_still_run": provider_batch.was_sent and not provider_batch.ended_at,
    }
    Event.objects.create(batch_id=provider_batch.batch_id, kind=EventKind.CLOSED_HERE, data=data)
