"""The steps as Celery tasks: the row is the truth, a message only wakes it.

Every task claims its row, works, and writes down what came of it. A message that is lost,
doubled or late costs a tick; a worker that dies costs a lease.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone

from batchapp import errands
from batchapp.attempts import attempt
from batchapp.models import Adoption, Batch, Leased, Part, Table, Upload, Watch
from batchapp.services import (
    adopting,
    building,
    fetching,
    harvesting,
    intake,
    merging,
    ordering,
    polling,
    preparing,
    queueing,
    reading,
    reopening,
    repairing,
    retrying,
    settling,
    submission,
)
from batchapp.upstream.client import UpstreamClient

Row = TypeVar("Row", bound=Leased)

ROWS_PER_TICK = 500

WAKE_AGAIN = timedelta(seconds=10)
"""After which a message that nobody acted on is taken for lost."""


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
    _step(Table, table_id, Table.Status.READING, reading.read)


@shared_task
def make_file(table_id: str) -> None:
    """Make the file that a person asked for of one table."""
    _step(Table, table_id, Table.Status.MAKING, _make_file)


@shared_task
def forget_table(table_id: str) -> None:
    """Delete one table that nobody used for days."""
    for status in (Table.Status.KEPT, Table.Status.REFUSED):
        _step(Table, table_id, status, reading.forget)


@shared_task
def check(upload_id: str) -> None:
    """Check one file line by line; one that is made of another is made first."""
    _step(Upload, upload_id, Upload.Status.CHECKING, _check)


@shared_task
def prepare(part_id: str) -> None:
    """Write the ledger of one part; the first divides the file among all of them."""
    _step(Part, part_id, Part.Status.PREPARING, _prepare)


@shared_task
def submit(part_id: str) -> None:
    """Send one part to its provider. Running it twice submits it once."""
    _step(Part, part_id, Part.Status.WAITING, _submit)


@shared_task
def poll(part_id: str) -> None:
    """Ask how far one part is."""
    _step(Part, part_id, Part.Status.RUNNING, errands.with_upstream(_poll))


@shared_task
def look(key_id: str) -> None:
    """Ask how far all running parts of one key are."""
    _step(Watch, key_id, Watch.Status.WATCHING, _look)


@shared_task
def harvest(part_id: str) -> None:
    """Fetch what one part has answered."""
    _step(Part, part_id, Part.Status.HARVESTING, errands.with_upstream(harvesting.harvest))


@shared_task
def reopen(part_id: str) -> None:
    """Have what one part has no answer to run again at its provider."""
    _step(Part, part_id, Part.Status.REOPENING, errands.with_upstream(reopening.reopen))


@shared_task
def ask_again(part_id: str) -> None:
    """Ask about one part that is over here, and may have ended otherwise since."""
    rows = Part.objects.select_related("batch__connection", "batch__key__connection")
    if part := rows.filter(pk=part_id, status__in=Part.OVER).first():
        errands.ask_again(part)


@shared_task
def settle(batch_id: str) -> None:
    """Add up one batch."""
    _step(Batch, batch_id, Batch.Status.SETTLING, _settle)


@shared_task
def ask_bill(batch_id: str) -> None:
    """Ask what one batch was billed."""
    for status in Batch.OVER:
        _step(Batch, batch_id, status, errands.ask_bill)


@shared_task
def adopt(adoption_id: str) -> None:
    """Bring in one batch that was made elsewhere: its file, then the batch itself."""
    _step(Adoption, adoption_id, Adoption.Status.FETCHING, errands.bringing_in(_fetch))
    _step(Adoption, adoption_id, Adoption.Status.CHECKING, _enter)


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
    **{(Batch, status): ask_bill for status in Batch.OVER},
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


def _step(model: type[Row], pk: str, status: str, step: Callable[[Row], None]) -> None:
    moved = attempt(model, pk, status, step)
    if moved:
        wake(moved)
        if model is Part:
            _hand_on(moved)


def _hand_on(moved: Leased) -> None:
    """Give the place that a part has left, which stopped or is over, to another."""
    if isinstance(moved, Part) and moved.status in Part.STOPPED:
        connection = moved.batch.connection
    elif isinstance(moved, Batch):
        connection = moved.connection
    else:
        return
    for part in queueing.admit(connection) if connection.max_active is not None else ():
        wake(part)


def _make_file(table: Table) -> None:
    """Whoever asked gets the file; asking again for the same one gives the same."""
    recipe, user = table.recipe, table.asked_by or table.created_by
    if recipe is None:
        building.refuse(table, building.Sum())
        return
    with building.made(table, recipe) as (total, content):
        if total.fault_total or not total.requests:
            building.refuse(table, total)
            return
        name = content.name or "requests.jsonl"
        upload = intake.receive(table.project, user, content, name=name, submission=table.pk)
    building.finish(table, recipe, total, upload)
    wake(upload)


def _check(upload: Upload) -> None:
    make = repairing.make if upload.selection is None else retrying.make
    if not upload.is_to_be_made or make(upload):
        intake.check(upload)


def _prepare(part: Part) -> None:
    for other in preparing.divide(part):
        wake(other)
    preparing.prepare(part)


def _submit(part: Part) -> None:
    """What has no place at its provider yet waits for one."""
    if not queueing.has_place(part):
        for other in queueing.admit(part.batch.connection):
            if other.pk != part.pk:
                wake(other)
        if not queueing.has_place(part):
            queueing.wait(part)
            return
    errands.with_upstream(submission.submit)(part)


def _settle(batch: Batch) -> None:
    """What it answered in the place of others is theirs before it is over."""
    merging.merge(batch)
    settling.settle(batch)


def _poll(part: Part, upstream: UpstreamClient) -> None:
    if part.may_have_twin:
        submission.cancel_twins(part, upstream)
    polling.poll(part, upstream)


def _fetch(adoption: Adoption, upstream: UpstreamClient) -> None:
    """The same bytes for the same person are the same file, however often they are fetched."""
    with fetching.fetched(adoption, upstream) as content:
        upload = intake.receive(
            adoption.project,
            adoption.asked_by,
            content,
            name=content.name or "requests.jsonl",
            submission=adoption.pk,
        )
    if upload.status == Upload.Status.FAILED:
        intake.check_again(upload)
    adopting.keep(adoption, upload)
    wake(upload)


def _enter(adoption: Adoption) -> None:
    if adopting.is_being_checked(adoption):
        adoption.postpone(adopting.LOOK_AGAIN)
    else:
        errands.bringing_in(_take_over)(adoption)


def _take_over(adoption: Adoption, upstream: UpstreamClient) -> None:
    """The batch comes to be with the note that it did, or neither does."""
    upload = adopting.checked(adoption)
    remote = fetching.look(adoption, upstream)
    with transaction.atomic():
        batch = ordering.adopt(
            adoption.project,
            adoption.asked_by,
            upload,
            adoption.key,
            remote,
            submission=adoption.pk,
        )
        adopting.finish(adoption, batch)
    for part in batch.parts.all():
        wake(part)


def _look(watch: Watch) -> None:
    errands.look(watch, wake)
