"""The steps as Celery tasks: the row is the truth, a message only wakes it.

Every task claims its row, works, and writes down what came of it. A message that is lost,
doubled or late costs a tick; a worker that dies costs a lease.
"""

from collections.abc import Callable
from typing import TypeVar

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone

from batchapp.models import Adoption, Batch, Leased, Part, Table, Upload, Watch
from batchapp.models.fields.leased_row import WAKE_AGAIN
from batchapp.pipeline import provider_access, steps
from batchapp.pipeline.runner import Rows, attempt
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.tables import table_import

Row = TypeVar("Row", bound=Leased)

ROWS_PER_TICK = 500


@shared_task
def tick() -> None:
    """Wake every due row, and hand over batches whose last part ended unnoticed.

    A row that was woken is left alone for a while, so that messages do not pile up in front of
    workers that are busy.
    """
    Part.objects.end_batches()
    now = timezone.now()
    for model in (Upload, Part, Batch, Watch, Table, Adoption):
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
    _step(Table, table_id, Table.Status.READING, table_import.read)


@shared_task
def make_file(table_id: str) -> None:
    """Make the file that a person asked for of one table."""
    _step(Table, table_id, Table.Status.MAKING, steps.make_requests_from_table)


@shared_task
def forget_table(table_id: str) -> None:
    """Delete one table that nobody used for days."""
    for status in (Table.Status.KEPT, Table.Status.REFUSED):
        _step(Table, table_id, status, table_import.forget)


@shared_task
def check(upload_id: str) -> None:
    """Check one file line by line; one that is made of another is made first."""
    _step(Upload, upload_id, Upload.Status.CHECKING, steps.check_upload)


@shared_task
def prepare(part_id: str) -> None:
    """Write the ledger of one part; the first divides the file among all of them."""
    _step(Part, part_id, Part.Status.PREPARING, steps.prepare_provider_batch)


@shared_task
def submit(part_id: str) -> None:
    """Send one part to its provider. Running it twice submits it once."""
    _step(Part, part_id, Part.Status.WAITING, steps.submit_provider_batch)


@shared_task
def poll(part_id: str) -> None:
    """Ask how far one part is."""
    _step(
        Part,
        part_id,
        Part.Status.RUNNING,
        provider_access.with_upstream(steps.poll_provider_batch),
    )


@shared_task
def look(key_id: str) -> None:
    """Ask how far all running parts of one key are."""
    _step(Watch, key_id, Watch.Status.WATCHING, provider_access.look)


@shared_task
def harvest(part_id: str) -> None:
    """Fetch what one part has answered."""
    _step(
        Part, part_id, Part.Status.HARVESTING, provider_access.with_upstream(fetch_results.harvest)
    )


@shared_task
def reopen(part_id: str) -> None:
    """Have what one part has no answer to run again at its provider."""
    _step(Part, part_id, Part.Status.REOPENING, steps.retry_in_place_at_provider)


@shared_task
def ask_again(part_id: str) -> None:
    """Ask about one part that is over here, and may have ended otherwise since."""
    rows = Part.objects.select_related("batch__connection", "batch__key__connection")
    if part := rows.filter(pk=part_id, status__in=Part.OVER).first():
        provider_access.ask_again(part)


@shared_task
def settle(batch_id: str) -> None:
    """Add up one batch."""
    _step(Batch, batch_id, Batch.Status.SETTLING, steps.settle_batch)


@shared_task
def look_back(batch_id: str) -> None:
    """Ask what else became of one batch after its end, and what it was billed."""
    for status in Batch.OVER:
        _step(Batch, batch_id, status, provider_access.look_back)


@shared_task
def adopt(adoption_id: str) -> None:
    """Bring in one batch that was made elsewhere: its file, then the batch itself."""
    _step(
        Adoption,
        adoption_id,
        Adoption.Status.FETCHING,
        provider_access.bringing_in(steps.fetch_import_file),
    )
    _step(Adoption, adoption_id, Adoption.Status.CHECKING, steps.enter_import_batch)


STEPS: dict[tuple[type[Leased], str], Task[[str], None]] = {
    (Table, Table.Status.READING): read_table,
    (Table, Table.Status.MAKING): make_file,
    (Table, Table.Status.KEPT): forget_table,
    (Table, Table.Status.REFUSED): forget_table,
    (Upload, Upload.Status.CHECKING): check,
    (Part, Part.Status.PREPARING): prepare,
    (Part, Part.Status.WAITING): submit,
    (Part, Part.Status.RUNNING): poll,
    (Part, Part.Status.HARVESTING): harvest,
    (Part, Part.Status.REOPENING): reopen,
    (Batch, Batch.Status.SETTLING): settle,
    **{(Batch, status): look_back for status in Batch.OVER},
    (Watch, Watch.Status.WATCHING): look,
    (Adoption, Adoption.Status.FETCHING): adopt,
    (Adoption, Adoption.Status.CHECKING): adopt,
}


def wake(row: Leased) -> None:
    """Start the step that ``row`` is due for, once this transaction is through."""
    task = STEPS.get((type(row), row.status))
    if task and row.next_check_at and row.next_check_at <= timezone.now():
        transaction.on_commit(lambda: task.delay(str(row.pk)), robust=True)


def run(row: Leased) -> None:
    """Do the step that ``row`` is due for before the person gets an answer.

    Only for what takes no longer than a page. Should a worker have been faster, the row shows
    that it is being worked on.
    """
    if task := STEPS.get((type(row), row.status)):
        task(str(row.pk))
    row.refresh_from_db()


def _step(model: type[Row], pk: str, status: str, step: Callable[[Row], Rows]) -> None:
    for moved in attempt(model, pk, status, step):
        wake(moved)
        if model is Part:
            for admitted in steps.pass_slot_on(moved) or ():
                wake(admitted)
