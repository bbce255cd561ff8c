"""Find results that arrive after the end of a cancelled batch, and are billed."""

from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Event, EventKind, ProviderBatch
from batchapp.providers.base import Provider
from batchapp.providers.remote_objects import RemoteBatch


@dataclass(slots=True)
class LateResults:
    """Provider batches with more answers than before, and those that the provider still runs."""

    with_answers: list[ProviderBatch] = field(default_factory=list)
    running: list[ProviderBatch] = field(default_factory=list)


def find_late_results(batch: Batch, provider: Provider) -> LateResults:
    """Poll the cancelled provider batches, and follow those with more answers again.

    All of these are followed again or none; the batch is then settled again. Provider batches that
    still run are only returned.

    Raises:
        StaleRow: another worker has the row; nothing was written.
        ProviderError: nothing was written.
    """
    cancelled = batch.provider_batches.exclude(remote_id="").filter(
        status__in=ProviderBatch.OVER, results__outcome=Outcome.CANCELLED
    )
    late_results, more_answers = LateResults(), 0
    for provider_batch in cancelled.distinct():
        remote = provider.retrieve_batch(provider_batch.remote_id)
        if remote.is_cancelled_unstarted:
            continue
        if not remote.is_over:
            late_results.running.append(provider_batch)
        elif (number := _count_late_answers(provider_batch, remote)) > 0:
            late_results.with_answers.append(provider_batch)
            more_answers += number
    if late_results.with_answers:
        _follow_again(batch, late_results.with_answers, more_answers)
    return late_results


def _count_late_answers(provider_batch: ProviderBatch, remote: RemoteBatch) -> int:
    return remote.completed + remote.failed - provider_batch.completed - provider_batch.failed


def _follow_again(batch: Batch, provider_batches: list[ProviderBatch], answers: int) -> None:
    with transaction.atomic():
        batch.return_to_running()
        for provider_batch in provider_batches:
            provider_batch.move_to(
                ProviderBatch.Status.RUNNING,
                next_check_at=timezone.now(),
                ended_at=None,
                rereads=0,
                **ProviderBatch.NO_PROBLEM,
            )
            provider_batch.results.unanswered().update(outcome=Outcome.PENDING)
        data = {"connection": batch.connection.name, "answers": answers}
        Event.objects.create(batch=batch, kind=EventKind.LATE_ANSWERS, data=data)
