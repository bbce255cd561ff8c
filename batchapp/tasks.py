"""Celery tasks: ``tick``, and one task per step. The row is the truth; a message only wakes it.

Every task claims its row, runs one step and records the outcome. A lost, repeated or late message
costs one tick; a worker that dies costs one lease.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone

from batchapp.models import (
    Batch,
    BatchImport,
    KeyPoll,
    LeasedRow,
    ProviderBatch,
    SourceTable,
    Upload,
)
from batchapp.models.fields.leased_row import WAKE_INTERVAL
from batchapp.pipeline import poll_steps, steps
from batchapp.pipeline.provider_access import with_provider, with_provider_for_import
from batchapp.pipeline.runner import DueRows, run_step
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.tables import table_import

Row = TypeVar("Row", bound=LeasedRow)
Status = ProviderBatch.Status

WAIT_SECONDS = 0.2  # between two looks at a row that another worker has
ROWS_PER_TICK = 500  # per kind of row


@shared_task
def tick() -> None:
    """Wake every due row, and settle batches whose last provider batch ended unnoticed.

    A row that was woken is not due again for ``WAKE_INTERVAL``, so that messages do not pile up
    while the workers are busy.
    """
    ProviderBatch.objects.start_settling()
    now = timezone.now()
    for model in (Upload, ProviderBatch, Batch, KeyPoll, SourceTable, BatchImport):
        rows = list(model.objects.due(now).order_by("next_check_at")[:ROWS_PER_TICK])
        model.objects.due(now).filter(pk__in=[row.pk for row in rows]).update(
            next_check_at=now + WAKE_INTERVAL
        )
        for row in rows:
            if task := STEPS.get((model, row.status)):
                task.delay(str(row.pk))


@shared_task
def read_table(pk: str) -> None:
    _step(SourceTable, pk, SourceTable.Status.READING, table_import.read_table)


@shared_task
def make_requests(pk: str) -> None:
    _step(SourceTable, pk, SourceTable.Status.MAKING, steps.make_requests_from_table)


@shared_task
def delete_table(pk: str) -> None:
    """Delete one table that nobody has used for days."""
    for status in (SourceTable.Status.KEPT, SourceTable.Status.REFUSED):
        _step(SourceTable, pk, status, table_import.delete_if_unused)


@shared_task
def check(pk: str) -> None:
    _step(Upload, pk, Upload.Status.CHECKING, steps.check_upload)


@shared_task
def prepare(pk: str) -> None:
    _step(ProviderBatch, pk, Status.PREPARING, steps.prepare_provider_batch)


@shared_task
def submit(pk: str) -> None:
    """Submit one provider batch. Two runs of this task submit it once."""
    _step(ProviderBatch, pk, Status.WAITING, steps.submit_provider_batch)


@shared_task
def poll(pk: str) -> None:
    _step(ProviderBatch, pk, Status.RUNNING, with_provider(poll_steps.poll_provider_batch))


@shared_task
def poll_key(pk: str) -> None:
    _step(KeyPoll, pk, KeyPoll.Status.POLLING, poll_steps.poll_running_batches_of_key)


@shared_task
def harvest(pk: str) -> None:
    _step(ProviderBatch, pk, Status.HARVESTING, with_provider(fetch_results.harvest))


@shared_task
def retry_in_place(pk: str) -> None:
    _step(ProviderBatch, pk, Status.RETRYING_IN_PLACE, steps.retry_in_place_at_provider)


@shared_task
def recheck_finished(pk: str) -> None:
    """Poll one provider batch that is over here, but perhaps not at the provider."""
    rows = ProviderBatch.objects.select_related("batch__connection", "batch__key__connection")
    if provider_batch := rows.filter(pk=pk, status__in=ProviderBatch.OVER).first():
        poll_steps.recheck_finished(provider_batch)


@shared_task
def settle(pk: str) -> None:
    _step(Batch, pk, Batch.Status.SETTLING, steps.settle_batch)


@shared_task
def check_after_end(pk: str) -> None:
    """Look for late results of one batch, and fetch its billed cost."""
    for status in Batch.OVER:
        _step(Batch, pk, status, poll_steps.check_after_end)


@shared_task
def import_batch(pk: str) -> None:
    """Import one batch: first its file, then the batch itself."""
    _step(
        BatchImport,
        pk,
        BatchImport.Status.FETCHING,
        with_provider_for_import(steps.fetch_import_file),
    )
    _step(BatchImport, pk, BatchImport.Status.CHECKING, steps.enter_import_batch)


STEPS: dict[tuple[type[LeasedRow], str], Task[[str], None]] = {
    (SourceTable, SourceTable.Status.READING): read_table,
    (SourceTable, SourceTable.Status.MAKING): make_requests,
    (SourceTable, SourceTable.Status.KEPT): delete_table,
    (SourceTable, SourceTable.Status.REFUSED): delete_table,
    (Upload, Upload.Status.CHECKING): check,
    (ProviderBatch, Status.PREPARING): prepare,
    (ProviderBatch, Status.WAITING): submit,
    (ProviderBatch, Status.RUNNING): poll,
    (ProviderBatch, Status.HARVESTING): harvest,
    (ProviderBatch, Status.RETRYING_IN_PLACE): retry_in_place,
    (Batch, Batch.Status.SETTLING): settle,
    **{(Batch, status): check_after_end for status in Batch.OVER},
    (KeyPoll, KeyPoll.Status.POLLING): poll_key,
    (BatchImport, BatchImport.Status.FETCHING): import_batch,
    (BatchImport, BatchImport.Status.CHECKING): import_batch,
}


def wake(row: LeasedRow) -> None:
    """Send the message for the step that ``row`` is due for, after this transaction commits."""
    task = STEPS.get((type(row), row.status))
    if task and row.next_check_at and row.next_check_at <= timezone.now():
        transaction.on_commit(lambda: task.delay(str(row.pk)), robust=True)


def run(row: LeasedRow) -> None:
    """Run the step that ``row`` is due for now, before the page is shown.

    Use this only for steps that take no longer than a page. If a worker was faster, ``row`` shows
    that the worker has it.
    """
    if task := STEPS.get((type(row), row.status)):
        task(str(row.pk))
    row.refresh_from_db()


def run_or_wait(row: LeasedRow) -> None:
    """Run the step that ``row`` is due for, or wait for the worker that was faster.

    If that worker dies, the step runs here as soon as its lease has ended.
    """
    status = row.status
    while row.status == status:
        run(row)
        if row.status == status:
            time.sleep(WAIT_SECONDS)


def _step(model: type[Row], pk: str, status: str, step: Callable[[Row], DueRows]) -> None:
    for moved in run_step(model, pk, status, step):
        wake(moved)
        if model is ProviderBatch:
            for next_row in steps.assign_left_slot(moved) or ():
                wake(next_row)
