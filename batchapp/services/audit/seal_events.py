"""Seal the events of the audit in groups, so that a later change of any of them shows.

An event is stored in the transaction of the change that it tells of, and such transactions must
not wait for each other. So events are sealed later, by a worker. An event whose transaction ends
late may have a smaller id than events that are sealed already; the next seal has it.
"""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp.domain.audit.seals import digest_of_entries, pack
from batchapp.models import AuditEvent, AuditSeal

MOST_EVENTS = 1_000  # of one seal
# An event waits no longer for others, so that a quiet portal has few seals, and a change of an
# event that is not sealed yet has little time.
LONGEST_WAIT = timedelta(minutes=1)


def is_due() -> bool:
    """Return True if many events are not sealed, or one has waited for long."""
    unsealed = AuditEvent.objects.unsealed().order_by("pk")
    oldest = unsealed.values_list("at", flat=True).first()
    if oldest is None:
        return False
    # A time in the future was written by a clock that ran ahead.
    waited = abs(timezone.now() - oldest)
    return waited >= LONGEST_WAIT or unsealed[MOST_EVENTS - 1 :].exists()


def seal_all() -> int:
    """Seal all events that are stored by now, and return how many seals were made.

    Of several workers at once one makes a seal, and the others stop.
    """
    made = 0
    try:
        while _seal_next():
            made += 1
    except IntegrityError:  # another worker was faster
        return made
    return made


@transaction.atomic
def _seal_next() -> AuditSeal | None:
    """Make one seal of the oldest events without one; None if there are none.

    Raises:
        IntegrityError: another worker has made the seal with this number; nothing was written.
    """
    events = list(AuditEvent.objects.unsealed().order_by("pk")[:MOST_EVENTS])
    if not events:
        return None
    previous = AuditSeal.objects.order_by("-number").first()
    packed = pack([event.entry() for event in events])
    seal = AuditSeal(
        number=previous.number + 1 if previous else 1,
        sealed_at=timezone.now(),
        first_at=min(event.at for event in events),
        last_at=max(event.at for event in events),
        count=len(events),
        entries=packed,
        entries_digest=digest_of_entries(packed),
    )
    seal.digest = seal.digest_after(previous.digest if previous else "")
    seal.save(force_insert=True)
    # On PostgreSQL the other worker waited at the INSERT above, and fails there.
    if AuditEvent.objects.put_under(seal, [event.pk for event in events]) != len(events):
        raise IntegrityError("other events were sealed meanwhile")
    return seal
