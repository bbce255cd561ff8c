"""Tell by one query whether the page of a running batch would show the same as before."""

import hashlib
import time
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from batchapp.models import Batch, Event, ProviderBatch, User

# Longest time for which a page counts as the same: it shows times, and rows of colleagues.
FRESH_SECONDS = 30

# What may change while a batch runs, of the batch and of what its page shows around it. Columns
# that stay as they are would only make the query longer.
_FIXED = {"id", "batch_id", "number", "starts_at", "size", "attempts", "leased_until"}
_AROUND = [
    *(
        f"batch__{name}"
        for name in ("name", "cost_centre", "window", "cancel_requested_at", "pause_requested_at")
    ),
    *("batch__held_at", "batch__project__archived_at", "batch__key__is_refused"),
    *("batch__connection__failures", "batch__connection__backoff_until"),
    *("batch__project__memberships__role", "newest_event"),
]


def batch_version(user: User, pk: UUID) -> str:
    """Return a text that changes with what the page of a running batch shows to ``user``.

    Return "" if the batch does not run, if it has retries or is one, since its page then shows
    several batches, or if the person is not in its project.
    """
    facts = list(_running().filter(batch=pk, batch__project__memberships__user=user))
    if not facts:
        return ""
    # Pages that were opened at the same moment do not all change at the same moment.
    period = (time.time() + pk.int % FRESH_SECONDS) // FRESH_SECONDS
    return hashlib.sha256(repr((user.pk, period, facts)).encode()).hexdigest()


@cache
def _running() -> "QuerySet[ProviderBatch, tuple[Any, ...]]":
    """Return the query, which takes longer to put together than to answer."""
    own = [f.attname for f in ProviderBatch._meta.concrete_fields if f.attname not in _FIXED]
    events = Event.objects.filter(batch=OuterRef("batch")).order_by("-pk")
    rows = ProviderBatch.objects.filter(
        batch__parent=None, batch__status=Batch.Status.RUNNING, batch__project__deleted_at=None
    )
    return (
        rows.exclude(Exists(Batch.objects.filter(parent=OuterRef("batch"))))
        .annotate(newest_event=Subquery(events.values("pk")[:1]))
        .order_by("number")
        .values_list(*own, *_AROUND)
    )
