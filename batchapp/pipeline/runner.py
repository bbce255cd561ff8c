"""Run one attempt at a step: claim the row, run the step, and record the outcome."""

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
from batchapp.models.fields.leased_row import WAKE_INTERVAL
from batchapp.services.imports import start_import
from batchapp.services.lifecycle import billed_cost
from batchapp.services.tables import table_import

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=LeasedRow)

BROKE_OFF = "broke off several times. Try again; if it happens again, the portal's log says why."

DueRows = Iterable[LeasedRow] | None  # other rows that a step has made due

MAX_CLAIMS = 10  # claims without progress; after so many, the row itself seems to crash workers
# Longest pause between two calls to a provider that does not answer, unless it asks for more.
MAX_RETRY_PAUSE = timedelta(minutes=5)


def run_step(
    model: type[Row], pk: str, status: str, step: Callable[[Row], DueRows]
) -> list[LeasedRow]:
    """Claim one row, run ``step`` on it, and record the outcome.

    Returns the rows that may be due for a step now, first the claimed row, or its batch if that
    ended; no row if another worker has it.
    """
    # Messages pile up while workers are busy: a late one finds a row that is not due any more.
    row: Row | None = model.objects.claim(pk, status, by=timezone.now() + WAKE_INTERVAL)
    if row is None:
        return []
    due_rows: DueRows = None
    try:
        if isinstance(row, ProviderBatch) and row.can_cancel_locally:
            # A provider batch that was to be retried in place has ended before, and stays done.
            is_done = row.ended_at is not None
            status = ProviderBatch.Status.DONE if is_done else ProviderBatch.Status.CANCELLED
            row.move_to(status, trouble="")
        elif row.claims > MAX_CLAIMS:
            _give_up(row)
        elif isinstance(row, ProviderBatch) and row.can_pause_locally:
            if not row.pause():  # the batch was resumed: start again with its new state
                row.postpone(timedelta())
        else:
            due_rows = step(row)
        logger.info("%s %s: %s, now %s", model.__name__, pk, step.__name__, row.status)
    except StaleRow:
        logger.info("%s %s: lost the lease during %s", model.__name__, pk, step.__name__)
        return []
    moved: LeasedRow = row
    if isinstance(row, ProviderBatch) and row.status in ProviderBatch.OVER:
        ProviderBatch.objects.start_settling(pk=row.batch_id)
        moved = Batch.objects.get(pk=row.batch_id)
    return [moved, *(due_rows or ())]


def stop_for_person(provider_batch: ProviderBatch, trouble: str) -> None:
    """Let the provider batch wait for a person, who reads ``trouble``.

    It returns to its present status afterwards. A provider batch that must be cancelled is closed
    instead.
    """
    uncancelled = Batch.objects.filter(pk=provider_batch.batch_id, cancel_requested_at=None)
    with transaction.atomic():
        # The UPDATE locks the batch: a person cancels either before or after, and then finds this
        # provider batch stopped.
        if not uncancelled.update(status=F("status")):
            close_cancelled(provider_batch, trouble)
            return
        provider_batch.move_to(
            ProviderBatch.Status.NEEDS_ATTENTION,
            stopped_in_status=provider_batch.status,
            trouble=trouble,
        )
        Event.objects.create(batch_id=provider_batch.batch_id, text=trouble)


def close_cancelled(provider_batch: ProviderBatch, trouble: str) -> None:
    """Cancel a provider batch here, although the provider could not be told or asked."""
    provider_batch.move_to(ProviderBatch.Status.CANCELLED, trouble="", stopped_in_status="")
    text = f"{trouble} It is closed here, and what was fetched so far is kept."
    if provider_batch.may_be_at_provider and not provider_batch.ended_at:
        text += f" {provider_batch.connection} may still run it and bill it."
    Event.objects.create(batch_id=provider_batch.batch_id, text=text)


def _give_up(row: LeasedRow) -> None:
    """Stop a row that crashes every attempt, with a text for people."""
    logger.error("%s %s: %d attempts died", type(row).__name__, row.pk, row.claims - 1)
    if isinstance(row, Upload):
        row.move_to(Upload.Status.FAILED, error=f"The check {BROKE_OFF}")
    elif isinstance(row, SourceTable):
        table_import.give_up(row)
    elif isinstance(row, ProviderBatch):
        stop_for_person(row, f"This step {BROKE_OFF}")
    elif isinstance(row, BatchImport):
        start_import.fail_import(row, f"The import {BROKE_OFF}")
    elif isinstance(row, KeyPoll):
        row.postpone(MAX_RETRY_PAUSE)
    elif isinstance(row, Batch) and row.is_over:
        billed_cost.stop_asking(row)
    elif isinstance(row, Batch):
        row.postpone(MAX_RETRY_PAUSE)
        text = "Adding up broke off several times. The portal keeps trying; its log says why."
        if not row.events.filter(text=text).exists():
            Event.objects.create(batch=row, text=text)
