"""Send again what the provider took, and then refused as a whole before any request ran.

Some providers check the room and the credit of an account only after the create. The batch then
fails, has cost nothing, and would be taken later.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Event, EventKind, ProviderBatch
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.remote_errors import WholeRefusal
from batchapp.providers.remote_objects import RemoteBatch

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)

# What is known of the batch that was refused, and not true of the next one.
NOT_SENT: dict[str, Any] = {
    "remote_id": "",
    "remote_status": "",
    "output_file_id": "",
    "error_file_id": "",
    "create_attempted_at": None,
    "submitted_at": None,
    "expires_at": None,
    "slot_assigned_at": None,
    "marks": [],
}


def return_to_queue(provider_batch: ProviderBatch, remote: RemoteBatch) -> bool:
    """Let a provider batch wait again that was refused for want of room or money; else False.

    Its file stays at the provider. A batch that people want to stop ends instead, as does one that
    was imported, since the portal did not send it. A provider that checks the room before it takes
    a batch means something else.

    Raises:
        ProviderRejected: the account has no money left; the provider batch waits unsent.
        StaleRow: another worker has the row; nothing was written.
    """
    refusal, batch = remote.whole_refusal, provider_batch.batch
    batch.reload_requested_stops()
    is_ours = bool(provider_batch.remote_file_id and provider_batch.create_attempted_at)
    if refusal is None or not is_ours or batch.is_stop_requested:
        return False
    if refusal is WholeRefusal.ROOM and not batch.connection.capabilities.enqueued_limits:
        return False
    said = " ".join(remote.errors)[:500]
    data = {"connection": provider_batch.connection.name, "said": said}
    kind = EventKind.ROOM_LACKED
    if refusal is WholeRefusal.MONEY:
        kind = EventKind.MONEY_LACKED
    earlier = Event.objects.filter(batch=batch, kind=EventKind.ROOM_LACKED).count()
    wait = min(FIRST_WAIT * 2 ** min(earlier, 10), LONGEST_WAIT)
    provider_batch.move_to(
        ProviderBatch.Status.WAITING,
        next_check_at=timezone.now() + wait,
        **NOT_SENT,
        failures=provider_batch.failures + 1,
        refused_since=None,
        problem=Problem(ProblemCode.NO_CAPACITY, data),
    )
    Event.objects.create(
        batch=batch, kind=kind, data=data | {"remote_id": remote.id, "number": earlier + 1}
    )
    if refusal is WholeRefusal.MONEY:
        sentence = f"running the batch: {said}"
        raise ProviderRejected(sentence, 402, said, Reason.NO_CREDIT)
    return True
