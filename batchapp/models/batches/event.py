"""Events of a batch, for its timeline."""

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Any
from uuid import UUID

from django.db import models, transaction

from batchapp.models.audit.audit_event import AuditEvent
from batchapp.models.audit.audit_kind import AuditKind
from batchapp.models.batches.batch import Batch
from batchapp.models.people.user import User


@unique
class EventKind(StrEnum):
    """Everything that can happen to a batch; ``presenters/event_text.py`` has the sentences."""

    NOTE = "note"  # a sentence that an older version stored

    # People
    APPROVED = "approved"
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_REQUESTED_AGAIN = "cancel_requested_again"
    DENIED = "denied"
    HELD = "held"
    HOLD_ENDED = "hold_ended"
    LABELLED = "labelled"
    ORDERED = "ordered"
    PAUSE_REQUESTED = "pause_requested"
    RESUME_REQUESTED = "resume_requested"
    RETRIED = "retried"
    RETRY_IN_PLACE_REQUESTED = "retry_in_place_requested"
    TRY_AGAIN_REQUESTED = "try_again_requested"

    # The portal
    ABOVE_RESERVATION = "above_reservation"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_EXPIRED = "approval_expired"
    CLOSED_HERE = "closed_here"
    FELL_BACK = "fell_back"
    FINISHED = "finished"
    IMPORTED = "imported"
    NEEDS_ATTENTION = "needs_attention"
    PURGED = "purged"
    SETTLING_BROKE_OFF = "settling_broke_off"
    SPLIT = "split"
    UNMATCHED_LINES = "unmatched_lines"

    # The provider
    ACCEPTED = "accepted"
    CANCEL_REFUSED = "cancel_refused"
    CANCELLED_AT_PROVIDER = "cancelled_at_provider"
    DUPLICATE_CANCELLED = "duplicate_cancelled"
    DUPLICATE_ENDED = "duplicate_ended"
    DUPLICATE_NOT_CANCELLED = "duplicate_not_cancelled"
    ENDED_AT_PROVIDER = "ended_at_provider"
    LATE_ANSWERS = "late_answers"
    MONEY_LACKED = "money_lacked"
    NEVER_BEGUN = "never_begun"
    PAUSE_REFUSED = "pause_refused"
    PAUSED_AT_PROVIDER = "paused_at_provider"
    RETRY_IN_PLACE_REFUSED = "retry_in_place_refused"
    RETRY_IN_PLACE_STARTED = "retry_in_place_started"
    ROOM_LACKED = "room_lacked"
    RUNS_AGAIN = "runs_again"
    STILL_RUNS = "still_runs"
    TOO_MANY_RESULTS = "too_many_results"


# What people ask of a batch is in the audit as well, which is sealed and stays without the batch.
AUDITED: dict[str, AuditKind] = {
    EventKind.CANCEL_REQUESTED: AuditKind.BATCH_CANCELLED,
    EventKind.CANCEL_REQUESTED_AGAIN: AuditKind.BATCH_CANCELLED,
    EventKind.HELD: AuditKind.BATCH_HELD,
    EventKind.HOLD_ENDED: AuditKind.BATCH_HOLD_ENDED,
    EventKind.IMPORTED: AuditKind.BATCH_IMPORTED,
    EventKind.LABELLED: AuditKind.BATCH_LABELLED,
    EventKind.ORDERED: AuditKind.BATCH_ORDERED,
    EventKind.PAUSE_REQUESTED: AuditKind.BATCH_PAUSED,
    EventKind.PURGED: AuditKind.BATCH_PURGED,
    EventKind.RESUME_REQUESTED: AuditKind.BATCH_RESUMED,
    EventKind.RETRY_IN_PLACE_REQUESTED: AuditKind.BATCH_RETRIED_IN_PLACE,
    EventKind.TRY_AGAIN_REQUESTED: AuditKind.BATCH_TRIED_AGAIN,
}


class EventManager(models.Manager["Event"]):
    def bulk_create(self, objs: Iterable["Event"], *args: Any, **options: Any) -> list["Event"]:
        """Create several events, and record in the audit those that people asked for."""
        events = super().bulk_create(objs, *args, **options)
        audited = (event.audited() for event in events)
        AuditEvent.objects.bulk_create([event for event in audited if event])
        return events

    def create_once(self, batch_id: UUID, kind: EventKind, **data: Any) -> None:
        """Create an event, unless the batch has one of this kind with the same data."""
        if not self.filter(batch_id=batch_id, kind=kind, data=data).exists():
            self.create(batch_id=batch_id, kind=kind, data=data)


# The time of such a batch says nothing of the provider: the batch waited for a person, ran again,
# or began in another window or elsewhere.
OTHER_WAITS = (
    EventKind.APPROVAL_ASKED,
    EventKind.PAUSE_REQUESTED,
    EventKind.RESUME_REQUESTED,
    EventKind.TRY_AGAIN_REQUESTED,
    EventKind.RETRY_IN_PLACE_REQUESTED,
    EventKind.NEEDS_ATTENTION,
    EventKind.FELL_BACK,
    EventKind.IMPORTED,
)


class Event(models.Model):
    """One line in the timeline of a batch: facts, and the person who acted, if any.

    ``data`` holds numbers, ids and names as they were then, under the names of the sentence.
    """

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)

    objects = EventManager()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.kind

    def save(self, *args: Any, **options: Any) -> None:
        """Store the event, and record a new one in the audit if somebody asked for it."""
        audited = self.audited() if self._state.adding else None
        with transaction.atomic():
            super().save(*args, **options)
            if audited:
                audited.save(force_insert=True)

    def audited(self) -> AuditEvent | None:
        """Return the unsaved event of the audit that tells the same; None if it is not told."""
        kind = AUDITED.get(self.kind)
        if kind is None:
            return None
        batch = {"batch": str(self.batch_id), "name": self.batch.name}
        facts = {name: value for name, value in self.data.items() if name != "name"}
        return AuditEvent.objects.prepare(kind, self.actor, self.batch.project, **batch, **facts)
