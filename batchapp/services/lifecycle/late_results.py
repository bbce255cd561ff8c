"""After the end of a batch: answers that come late and are billed, and what runs on unseen."""

from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Event, Part
from batchapp.providers.client import UpstreamClient
from batchapp.providers.remote_objects import RemoteBatch


@dataclass(slots=True)
class Aftermath:
    """Parts of which more was answered, and parts that their provider works on."""

    landed: list[Part] = field(default_factory=list)
    running: list[Part] = field(default_factory=list)


def look(batch: Batch, upstream: UpstreamClient) -> Aftermath:
    """Ask for the parts of ``batch`` that were cancelled, and fetch again what got further.

    All of those that landed are followed again or none; the batch is then added up anew. What
    runs is left as it is.

    Raises:
        StaleRow: another worker has it now; nothing was written.
        UpstreamError: there was no usable answer; nothing was written.
    """
    cancelled = batch.parts.exclude(upstream_id="").filter(
        status__in=Part.OVER, results__outcome=Outcome.CANCELLED
    )
    found, more = Aftermath(), 0
    for part in cancelled.distinct():
        remote = upstream.retrieve_batch(part.upstream_id)
        if not remote.is_over:
            found.running.append(part)
        elif late := _late(part, remote):
            found.landed.append(part)
            more += late
    if found.landed:
        _fetch(batch, found.landed, more)
    return found


def _late(part: Part, remote: RemoteBatch) -> int:
    return max(0, remote.completed + remote.failed - part.completed - part.failed)


def _fetch(batch: Batch, landed: list[Part], more: int) -> None:
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
