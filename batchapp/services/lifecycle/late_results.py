"""After the end of a batch: answers that come late and are billed, and what runs on unseen."""

from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Event, ProviderBatch
from batchapp.providers.client import ProviderClient
from batchapp.providers.remote_objects import RemoteBatch


@dataclass(slots=True)
class LateResults:
    """Parts of which more was answered, and parts that their provider works on."""

    landed: list[ProviderBatch] = field(default_factory=list)
    running: list[ProviderBatch] = field(default_factory=list)


def find_late_results(batch: Batch, provider: ProviderClient) -> LateResults:
    """Ask for the parts of ``batch`` that were cancelled, and fetch again what got further.

    All of those that landed are followed again or none; the batch is then added up anew. What
    runs is left as it is.

    Raises:
        StaleRow: another worker has it now; nothing was written.
        UpstreamError: there was no usable answer; nothing was written.
    """
    cancelled = batch.provider_batches.exclude(remote_id="").filter(
        status__in=ProviderBatch.OVER, results__outcome=Outcome.CANCELLED
    )
    found, more = LateResults(), 0
    for provider_batch in cancelled.distinct():
        remote = provider.retrieve_batch(provider_batch.remote_id)
        if not remote.is_over:
            found.running.append(provider_batch)
        elif late := _late(provider_batch, remote):
            found.landed.append(provider_batch)
            more += late
    if found.landed:
        _fetch(batch, found.landed, more)
    return found


def _late(provider_batch: ProviderBatch, remote: RemoteBatch) -> int:
    return max(
        0, remote.completed + remote.failed - provider_batch.completed - provider_batch.failed
    )


def _fetch(batch: Batch, landed: list[ProviderBatch], more: int) -> None:
    with transaction.atomic():
        batch.return_to_running()
        for provider_batch in landed:
            provider_batch.move_to(
                ProviderBatch.Status.RUNNING,
                next_check_at=timezone.now(),
                ended_at=None,
                rereads=0,
                failures=0,
                trouble="",
            )
            provider_batch.results.filter(outcome=Outcome.CANCELLED).update(
                outcome=Outcome.PENDING
            )
        requests = "1 request that was" if more == 1 else f"{more:,} requests that were"
        text = f"{batch.connection} has answered {requests} being worked on when it was cancelled."
        Event.objects.create(batch=batch, text=text)
