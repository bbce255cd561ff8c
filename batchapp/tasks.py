"""The steps as Celery tasks: the row is the truth, a message only wakes it.

Every task claims its row, works, and writes down what came of it. A message that is lost,
doubled or late costs a tick; a worker that dies costs a lease.
"""

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
from batchapp.models.fields.leased_row import WAKE_AGAIN
from batchapp.pipeline import provider_access, steps
from batchapp.pipeline.runner import DueRows, run_step
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.tables import table_import

Row = TypeVar("Row", bound=LeasedRow)

ROWS_PER_TICK = 500


@shared_task
def tick() -> None:
    """Wake every due row, and hand over batches whose last part ended unnoticed.

    A row that was woken is left alone for a while, so that messages do not pile up in front of
    workers that are busy.
    """
    ProviderBatch.objects.end_batches()
    now = timezone.now()
    for model in (Upload, ProviderBatch, Batch, KeyPoll, SourceTable, BatchImport):
        rows = list(model.objects.due(now).order_by("next_check_at")[:ROWS_PER_TICK])
        model.objects.due(now).filter(pk__in=[row.pk for row in rows]).update(
            next_check_at=now + WAKE_AGAIN
        )
        for row in rows:
            if task := STEPS.get((model, row.status)):
                task.delay(str(row.pk))


@shared_task
def read_table(table_id: str) -> None:
    """Read one table row by row."""
    _step(SourceTable, table_id, SourceTable.Status.READING, table_import.read_table)


@shared_task
def make_file(table_id: str) -> None:
    """Make the file that a person asked for of one table."""
    _step(SourceTable, table_id, SourceTable.Status.MAKING, steps.make_requests_from_table)


@shared_task
def forget_table(table_id: str) -> None:
    """Delete one table that nobody used for days."""
    for status in (SourceTable.Status.KEPT, SourceTable.Status.REFUSED):
        _step(SourceTable, table_id, status, table_import.forget)


@shared_task
def check(upload_id: str) -> None:
    """Check one file line by line; one that is made of another is made first."""
    _step(Upload, upload_id, Upload.Status.CHECKING, steps.check_upload)


@shared_task
def prepare(provider_batch_id: str) -> None:
    """Write the ledger of one part; the first divides the file among all of them."""
    _step(
        ProviderBatch,
        provider_batch_id,
        ProviderBatch.Status.PREPARING,
        steps.prepare_provider_batch,
    )


@shared_task
def submit(provider_batch_id: str) -> None:
    """Send one part to its provider. Running it twice submits it once."""
    _step(
        ProviderBatch, provider_batch_id, ProviderBatch.Status.WAITING, steps.submit_provider_batch
    )


@shared_task
def poll(provider_batch_id: str) -> None:
    """Ask how far one part is."""
    _step(
        ProviderBatch,
        provider_batch_id,
        ProviderBatch.Status.RUNNING,
        provider_access.with_provider(steps.poll_provider_batch),
    )


@shared_task
def poll_key(key_id: str) -> None:
    """Ask how far all running parts of one key are."""
    _step(KeyPoll, key_id, KeyPoll.Status.WATCHING, provider_access.poll_running_batches_of_key)


@shared_task
def harvest(provider_batch_id: str) -> None:
    """Fetch what one part has answered."""
    _step(
        ProviderBatch,
        provider_batch_id,
        ProviderBatch.Status.HARVESTING,
        provider_access.with_provider(fetch_results.harvest),
    )


@shared_task
def retry_in_place(provider_batch_id: str) -> None:
    """Have what one part has no answer to run again at its provider."""
    _step(
        ProviderBatch,
        provider_batch_id,
        ProviderBatch.Status.RETRYING_IN_PLACE,
        steps.retry_in_place_at_provider,
    )


@shared_task
def recheck_finished(provider_batch_id: str) -> None:
    """Ask about one part that is over here, and may have ended otherwise since."""
    rows = ProviderBatch.objects.select_related("batch__connection", "batch__key__connection")
    if provider_batch := rows.filter(pk=provider_batch_id, status__in=ProviderBatch.OVER).first():
        provider_access.recheck_finished(provider_batch)


@shared_task
def settle(batch_id: str) -> None:
    """Add up one batch."""
    _step(Batch, batch_id, Batch.Status.SETTLING, steps.settle_batch)


@shared_task
def check_after_end(batch_id: str) -> None:
    """Ask what else became of one batch after its end, and what it was billed."""
    for status in Batch.OVER:
        _step(Batch, batch_id, status, provider_access.check_after_end)


@shared_task
def import_batch(batch_import_id: str) -> None:
    """Bring in one batch that was made elsewhere: its file, then the batch itself."""
    _step(
        BatchImport,
        batch_import_id,
        BatchImport.Status.FETCHING,
        provider_access.with_provider_for_import(steps.fetch_import_file),
    )
    _step(BatchImport, batch_import_id, BatchImport.Status.CHECKING, steps.enter_import_batch)


STEPS: dict[tuple[type[LeasedRow], str], Task[[str], None]] = {
    (SourceTable, SourceTable.Status.READING): read_table,
    (SourceTable, SourceTable.Status.MAKING): make_file,
    (SourceTable, SourceTable.Status.KEPT): forget_table,
    (SourceTable, SourceTable.Status.REFUSED): forget_table,
    (Upload, Upload.Status.CHECKING): check,
    (ProviderBatch, ProviderBatch.Status.PREPARING): prepare,
    (ProviderBatch, ProviderBatch.Status.WAITING): submit,
    (ProviderBatch, ProviderBatch.Status.RUNNING): poll,
    (ProviderBatch, ProviderBatch.Status.HARVESTING): harvest,
    (ProviderBatch, ProviderBatch.Status.RETRYING_IN_PLACE): retry_in_place,
    (Batch, Batch.Status.SETTLING): settle,
    **{(Batch, status): check_after_end for status in Batch.OVER},
    (KeyPoll, KeyPoll.Status.WATCHING): poll_key,
    (BatchImport, BatchImport.Status.FETCHING): import_batch,
    (BatchImport, BatchImport.Status.CHECKING): import_batch,
}


def wake(row: LeasedRow) -> None:
    """Start the step that ``row`` is due for, once this transaction is through."""
    task = STEPS.get((type(row), row.status))
    if task and row.next_check_at and row.next_check_at <= timezone.now():
        transaction.on_commit(lambda: task.delay(str(row.pk)), robust=True)


def run(row: LeasedRow) -> None:
    """Do the step that ``row`` is due for before the person gets an answer.

    Only for what takes no longer than a page. Should a worker have been faster, the row shows
    that it is being worked on.
    """
    if task := STEPS.get((type(row), row.status)):
        task(str(row.pk))
    row.refresh_from_db()


def _step(model: type[Row], pk: str, status: str, step: Callable[[Row], DueRows]) -> None:
    for moved in run_step(model, pk, status, step):
        wake(moved)
        if model is ProviderBatch:
            for admitted in steps.assign_left_slot(moved) or ():
                wake(admitted)
