"""After the end of a batch that was cancelled: answers that come late, and are billed."""

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Event, Part
from batchapp.upstream.client import UpstreamClient


def look(batch: Batch, upstream: UpstreamClient) -> list[Part]:
    """Follow again the parts of ``batch`` of which more was answered since it ended.

    All of them or none; the batch is then added up anew.

    Raises:
        StaleRow: another worker has it now; nothing was written.
        UpstreamError: there was no usable answer; nothing was written.
    """
    cancelled = batch.parts.exclude(upstream_id="").filter(
        status__in=Part.OVER, results__outcome=Outcome.CANCELLED
    )
    landed, more = [], 0
    for part in cancelled.distinct():
        remote = upstream.retrieve_batch(part.upstream_id)
        late = remote.completed + remote.failed - part.completed - part.failed
        if remote.is_over and late > 0:
            landed.append(part)
            more += late
    if not landed:
        return []
    with transaction.atomic():
        batch.run_again()
        for part in landed:
            part.move_to(
                Part.Status.RUNNING,
                next_check_at=timezone.now(),
                ended_at=None,
                rereads=0,
                failures=0,
                trouble="",
            )
            part.results.filter(outcome=Outcome.CANCELLED).update(outcome=Outcome.PENDING)
        requests = "1 request that was" if more == 1 else f"{more:,} requests that were"
        text = f"{batch.connection} has answered {requests} being worked on when it was cancelled."
        Event.objects.create(batch=batch, text=text)
    return landed
