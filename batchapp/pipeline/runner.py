"""One attempt at a step: a row is claimed, worked on, and its end written down."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from batchapp.models import (
    Batch,
    BatchImport,
    Event,
    KeyPoll,
    LeasedRow,
    ProviderBatch,
    SourceTable,
    StaleRow,
    Upload,
)
from batchapp.models.fields.leased_row import WAKE_AGAIN
from batchapp.services.imports import import_requests
from batchapp.services.lifecycle import billed_cost
from batchapp.services.tables import table_import

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=LeasedRow)

DueRows = Iterable[LeasedRow] | None
"""What a step returns: other rows that it has made due."""

MAX_CLAIMS = 10
"""Claims in a row that wrote nothing down: by then the row itself kills its workers."""

LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts at a provider that does not answer, unless it asks for longer."""


def run_step(
    model: type[Row], pk: str, status: str, step: Callable[[Row], DueRows]
) -> list[LeasedRow]:
    """Run ``step`` on a row that this worker claims, and write down how it ended.

    Returns the rows that may be due for a step now, that which moved first; none if another
    worker has it.
    """
    # Messages pile up while workers are busy; one that is late has nothing to wake any more.
    row: Row | None = model.objects.claim(pk, status, by=timezone.now() + WAKE_AGAIN)
    if row is None:
        return []
    others: DueRows = None
    try:
        if isinstance(row, ProviderBatch) and row.can_cancel_locally:
            # What was to be reopened has ended already, and keeps its end.
            end = ProviderBatch.Status.DONE if row.ended_at else ProviderBatch.Status.CANCELLED
            row.move_to(end, trouble="")
        elif row.claims > MAX_CLAIMS:
            _give_up(row)
        elif isinstance(row, ProviderBatch) and row.can_pause_locally:
            if not row.pause():  # the wish is gone: begin anew, with the batch as it is
                row.postpone(timedelta())
        else:
            others = step(row)
        logger.info("%s %s: %s, now %s", model.__name__, pk, step.__name__, row.status)
    except StaleRow:
        logger.info("%s %s: lost the lease during %s", model.__name__, pk, step.__name__)
        return []
    moved: LeasedRow = row
    if isinstance(row, ProviderBatch) and row.status in ProviderBatch.OVER:
        ProviderBatch.objects.end_batches(pk=row.batch_id)
        moved = Batch.objects.get(pk=row.batch_id)
    return [moved, *(others or ())]


def stop_for_person(provider_batch: ProviderBatch, trouble: str) -> None:
    """Let ``part`` wait for a person, who reads ``trouble``; it goes back to where it is now.

    One that is to be cancelled is closed instead: nobody waits for it.
    """
    wanted = Batch.objects.filter(pk=provider_batch.batch_id, cancel_requested_at=None)
    with transaction.atomic():
        # Whoever cancels comes before this or after it, so that no part stays behind.
        if not wanted.update(status=F("status")):
            close_cancelled(provider_batch, trouble)
            return
        provider_batch.move_to(
            ProviderBatch.Status.NEEDS_ATTENTION,
            stopped_in_status=provider_batch.status,
            trouble=trouble,
        )
        Event.objects.create(batch_id=provider_batch.batch_id, text=trouble)


def close_cancelled(provider_batch: ProviderBatch, trouble: str) -> None:
    """End a part that is to be cancelled although its provider could not be told, or asked."""
    provider_batch.move_to(ProviderBatch.Status.CANCELLED, trouble="", stopped_in_status="")
    rest = "It is closed here, and what was fetched so far is kept."
    if provider_batch.may_be_at_provider and not provider_batch.ended_at:
        rest += f" {provider_batch.batch.connection} may still run it and bill it."
    Event.objects.create(batch_id=provider_batch.batch_id, text=f"{trouble} {rest}")


def _give_up(row: LeasedRow) -> None:
    """Stop a row whose every attempt ended in a crash, where a person sees it."""
    logger.error("%s %s: %d attempts died", type(row).__name__, row.pk, row.claims - 1)
    if isinstance(row, Upload):
        row.move_to(
            Upload.Status.FAILED,
            error="The check broke off several times. Try again; if it happens again, the "
            "portal's log says why.",
        )
    elif isinstance(row, SourceTable):
        table_import.give_up(row)
    elif isinstance(row, ProviderBatch):
        stop_for_person(
            row,
            "This step broke off several times. Try again; if it happens again, the portal's log "
            "says why.",
        )
    elif isinstance(row, BatchImport):
        import_requests.refuse(
            row,
            "Bringing it in broke off several times. Try again; if it happens again, the portal's "
            "log says why.",
        )
    elif isinstance(row, KeyPoll):
        row.postpone(LONGEST_PAUSE)
    elif isinstance(row, Batch) and row.is_over:
        billed_cost.stop_asking(row)
    elif isinstance(row, Batch):
        row.postpone(LONGEST_PAUSE)
        text = "Adding up broke off several times. The portal keeps trying; its log says why."
        if not row.events.filter(text=text).exists():
            Event.objects.create(batch=row, text=text)
