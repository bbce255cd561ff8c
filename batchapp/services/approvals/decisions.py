"""End the waiting of a batch that is not approved: an owner denies it, or its time is over."""

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    ApprovalRequest,
    AuditKind,
    Batch,
    EventKind,
    ProviderBatch,
    StaleRow,
    User,
)

State = ApprovalRequest.State


def deny(request: ApprovalRequest, user: User, *, note: str, address: str = "") -> None:
    """Have the batch of ``request`` cancelled before anything of it is sent.

    Raises:
        NotAllowed: nothing was written.
        Refused: it was decided before, or at this moment; nothing was written.
    """
    access.require_approve(user, request.batch)
    try:
        with transaction.atomic():
            request.close(State.DENIED, user, note=note)
            request.tell(
                EventKind.DENIED, AuditKind.BATCH_DENIED, user, address=address, note=note
            )
    except StaleRow as exc:
        request.refresh_from_db()
        person = str(request.decided_by or "")
        raise Refused(Refusal.APPROVAL_DECIDED, state=request.state, person=person) from exc


def expire(batch: Batch) -> list[ProviderBatch]:
    """Have ``batch`` cancelled if nobody approved it in time, else let it wait on.

    Returns the provider batches that became due.

    Raises:
        StaleRow: somebody decides at this moment; nothing was written.
    """
    request = ApprovalRequest.objects.get(batch=batch)
    request.batch = batch  # with the lease of this worker
    rest = request.expires_at - timezone.now()
    if rest.total_seconds() > 0:
        batch.postpone(rest)
        return []
    with transaction.atomic():
        provider_batch = request.close(State.EXPIRED)
        request.tell(EventKind.APPROVAL_EXPIRED, AuditKind.APPROVAL_EXPIRED, None)
    return [provider_batch]
