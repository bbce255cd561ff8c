"""Events of a batch, for its timeline."""

from enum import StrEnum, unique
from typing import Any
from uuid import UUID

from django.db import models

from batchapp.models.batches.batch import Batch
from batchapp.models.people.user import User


@unique
class EventKind(StrEnum):
    """Everything that can happen to a batch; ``presenters/event_text.py`` has the sentences."""

    NOTE = "note"  # a sentence that an older version stored

    # People
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_REQUESTED_AGAIN = "cancel_requested_again"
    ORDERED = "ordered"
    PAUSE_REQUESTED = "pause_requested"
    RESUME_REQUESTED = "resume_requested"
    RETRIED = "retried"
    RETRY_IN_PLACE_REQUESTED = "retry_in_place_requested"
    TRY_AGAIN_REQUESTED = "try_again_requested"

    # The portal
    CLOSED_HERE = "closed_here"
    FELL_BACK = "fell_back"
    FINISHED = "finished"
    IMPORTED = "imported"
    NEEDS_ATTENTION = "needs_attention"
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
    NEVER_BEGUN = "never_begun"
    PAUSE_REFUSED = "pause_refused"
    PAUSED_AT_PROVIDER = "paused_at_provider"
    RETRY_IN_PLACE_REFUSED = "retry_in_place_refused"
    RETRY_IN_PLACE_STARTED = "retry_in_place_started"
    RUNS_AGAIN = "runs_again"
    STILL_RUNS = "still_runs"
    TOO_MANY_RESULTS = "too_many_results"


class EventManager(models.Manager["Event"]):
    def create_once(self, batch_id: UUID, kind: EventKind, **data: Any) -> None:
        """Create an event, unless the batch has one of this kind with the same data."""
        if not self.filter(batch_id=batch_id, kind=kind, data=data).exists():
            self.create(batch_id=batch_id, kind=kind, data=data)


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
