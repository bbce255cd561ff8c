"""The steps as Celery tasks: the row is the truth, a message only wakes it.

Every task claims its row, works, and writes down what came of it. A message that is lost,
doubled or late costs a tick; a worker that dies costs a lease.
"""

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from celery import Task, shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from batchapp.models import (
    Batch,
    Connection,
    Event,
    Leased,
    Part,
    ProviderKey,
    StaleRow,
    Table,
    UnreadableKey,
    Upload,
    Watch,
)
from batchapp.services import (
    advising,
    billing,
    building,
    contacting,
    harvesting,
    intake,
    keying,
    polling,
    preparing,
    reading,
    repairing,
    settling,
    submission,
    watching,
)
from batchapp.upstream.client import UpstreamClient, connect
from batchapp.upstream.errors import (
    ABOUT_KEYS,
    Reason,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnavailable,
)
from batchapp.upstream.types import RemoteBatch

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Leased)

MAX_CLAIMS = 10
"""Claims in a row that wrote nothing down: by then the row itself kills its workers."""

ROWS_PER_TICK = 500

WAKE_AGAIN = timedelta(seconds=10)
"""After which a message that nobody acted on is taken for lost."""

LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts at a provider that does not answer, unless it asks for longer."""

LONGEST_SILENCE = min(timedelta(seconds=60), settings.LEASE * 3 / 4)
"""Of a provider in one call: shorter than a lease, or the row would go to another worker first."""


@shared_task
def tick() -> None:
    """Wake every due row, and hand over batches whose last part ended unnoticed.

    A row that was woken is left alone for a while, so that messages do not pile up in front of
    workers that are busy.
    """
    Batch.objects.begin_settling()
    now = timezone.now()
    for model in (Upload, Part, Batch, Watch, Table):
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
    _run(Table, table_id, Table.Status.READING, reading.read)


@shared_task
def make_file(table_id: str) -> None:
    """Make the file that a person asked for of one table."""
    _run(Table, table_id, Table.Status.MAKING, _make_file)


@shared_task
def forget_table(table_id: str) -> None:
    """Delete one table that nobody used for days."""
    for status in (Table.Status.KEPT, Table.Status.REFUSED):
        _run(Table, table_id, status, reading.forget)


@shared_task
def check(upload_id: str) -> None:
    """Check one file line by line; a corrected version is made first."""
    _run(Upload, upload_id, Upload.Status.CHECKING, _check)


@shared_task
def prepare(part_id: str) -> None:
    """Write the ledger of one part."""
    _run(Part, part_id, Part.Status.PREPARING, preparing.prepare)


@shared_task
def submit(part_id: str) -> None:
    """Send one part to its provider. Running it twice submits it once."""
    _run(Part, part_id, Part.Status.WAITING, _with_upstream(submission.submit))


@shared_task
def poll(part_id: str) -> None:
    """Ask how far one part is."""
    _run(Part, part_id, Part.Status.RUNNING, _with_upstream(_poll))


@shared_task
def look(key_id: str) -> None:
    """Ask how far all running parts of one key are."""
    _run(Watch, key_id, Watch.Status.WATCHING, _look)


@shared_task
def harvest(part_id: str) -> None:
    """Fetch what one part has answered."""
    _run(Part, part_id, Part.Status.HARVESTING, _with_upstream(harvesting.harvest))


@shared_task
def settle(batch_id: str) -> None:
    """Add up one batch."""
    _run(Batch, batch_id, Batch.Status.SETTLING, settling.settle)


@shared_task
def ask_bill(batch_id: str) -> None:
    """Ask what one batch was billed."""
    for status in Batch.OVER:
        _run(Batch, batch_id, status, _ask_bill)


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
    (Batch, Batch.Status.SETTLING): settle,
    **{(Batch, status): ask_bill for status in Batch.OVER},
    (Watch, Watch.Status.WATCHING): look,
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


def upstream_client(key: ProviderKey, *, silence: timedelta | None = None) -> UpstreamClient:
    """The only way to a provider, who may be silent for ``silence`` in one call.

    Raises:
        UnreadableKey: the stored key cannot be opened.
    """
    seconds = (silence or LONGEST_SILENCE).total_seconds()
    return connect(key.connection.base_url, key.secret(), timeout_seconds=seconds)


def _run(model: type[Row], pk: str, status: str, step: Callable[[Row], None]) -> None:
    """Run ``step`` on a row this worker has claimed, unless another worker has it."""
    row = model.objects.claim(pk, status)
    if row is None:
        return
    try:
        if isinstance(row, Part) and row.is_called_off:
            row.move_to(Part.Status.CANCELLED, trouble="")
        elif row.claims > MAX_CLAIMS:
            _give_up(row)
            return
        else:
            step(row)
        logger.info("%s %s: %s, now %s", model.__name__, pk, step.__name__, row.status)
    except StaleRow:
        logger.info("%s %s: lost the lease during %s", model.__name__, pk, step.__name__)
        return
    if isinstance(row, Part) and row.status in Part.OVER:
        Batch.objects.begin_settling(pk=row.batch_id)
        row = Batch.objects.get(pk=row.batch_id)
    wake(row)


def _give_up(row: Leased) -> None:
    """Stop a row whose every attempt ended in a crash, where a person sees it."""
    logger.error("%s %s: %d attempts died", type(row).__name__, row.pk, row.claims - 1)
    if isinstance(row, Upload):
        row.move_to(
            Upload.Status.FAILED,
            error="The check broke off several times. Try again; if it happens again, the "
            "portal's log says why.",
        )
    elif isinstance(row, Table):
        reading.give_up(row)
    elif isinstance(row, Part):
        _stop(
            row,
            "This step broke off several times. Try again; if it happens again, the portal's log "
            "says why.",
        )
    elif isinstance(row, Watch):
        row.postpone(LONGEST_PAUSE)
    elif isinstance(row, Batch) and row.is_over:
        billing.close(row)
    elif isinstance(row, Batch):
        row.postpone(LONGEST_PAUSE)
        text = "Adding up broke off several times. The portal keeps trying; its log says why."
        if not row.events.filter(text=text).exists():
            Event.objects.create(batch=row, text=text)


def _stop(part: Part, trouble: str) -> None:
    part.move_to(Part.Status.NEEDS_ATTENTION, stopped_in=part.status, trouble=trouble)
    Event.objects.create(batch_id=part.batch_id, text=trouble)


def _with_upstream(step: Callable[[Part, UpstreamClient], None]) -> Callable[[Part], None]:
    """Give ``step`` a client, and write down what a failure means; the only place to decide it."""

    def attempt(part: Part) -> None:
        connection = part.batch.connection
        if rest := contacting.rest_of(connection):
            part.postpone(_spread(rest))
            return
        try:
            with upstream_client(part.batch.key) as upstream:
                step(part, upstream)
                _note_contact(part.batch.key, upstream)
            contacting.note_answer(connection)
        except UnreadableKey:
            _stop(
                part,
                "The provider key cannot be read any more: it was removed, or the portal's "
                "encryption key changed. Enter the key again, then try again.",
            )
        except UpstreamRejected as exc:
            contacting.note_answer(connection)
            _take_refusal(part, exc)
        except UpstreamUnavailable as exc:
            contacting.note_silence(connection, exc)
            _try_later(part, exc, exc.retry_after or _pause(part))

    attempt.__name__ = step.__name__
    return attempt


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
    if not upload.is_to_be_made or repairing.make(upload):
        intake.check(upload)


def _poll(part: Part, upstream: UpstreamClient) -> None:
    if part.may_have_twin:
        submission.cancel_twins(part, upstream)
    polling.poll(part, upstream)


def _ask_bill(batch: Batch) -> None:
    """A provider that refuses does not tell such sums; it is not asked again."""
    connection = batch.connection
    if rest := contacting.rest_of(connection):
        batch.postpone(_spread(rest))
        return
    try:
        with upstream_client(batch.key) as upstream:
            billing.ask(batch, upstream)
        contacting.note_answer(connection)
    except UnreadableKey:
        billing.close(batch)
    except UpstreamRejected:
        contacting.note_answer(connection)
        billing.close(batch)
    except UpstreamUnavailable as exc:
        contacting.note_silence(connection, exc)
        billing.ask_later(batch, timezone.now())


def _look(watch: Watch) -> None:
    """A round that fails leaves its parts to be asked for one by one, where failures are told."""
    connection = watch.key.connection
    if rest := contacting.rest_of(connection):
        watch.postpone(_spread(rest))
        return
    try:
        with upstream_client(watch.key) as upstream:
            for pk, remote in watching.look(watch, upstream).items():
                _take(pk, remote, upstream)
            _note_contact(watch.key, upstream)
        contacting.note_answer(connection)
    except UnreadableKey:
        watch.postpone(LONGEST_PAUSE)
    except UpstreamRejected:
        contacting.note_answer(connection)
        watch.postpone(LONGEST_PAUSE)
    except UpstreamUnavailable as exc:
        contacting.note_silence(connection, exc)
        watch.postpone(exc.retry_after or _spread(connection.patience))


def _take(pk: str, remote: RemoteBatch, upstream: UpstreamClient) -> None:
    """Enter what a list said of one part, unless somebody is at it this moment."""
    part = Part.objects.claim(pk, Part.Status.RUNNING)
    if part is None:
        return
    try:
        polling.take(part, remote, upstream)
    except StaleRow:
        return
    except UpstreamRejected as exc:
        _take_refusal(part, exc)
    except UpstreamUnavailable as exc:
        _try_later(part, exc, exc.retry_after or _pause(part))
    wake(part)


def _spread(wait: timedelta) -> timedelta:
    """So that those who wait for the same do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def _take_refusal(part: Part, exc: UpstreamRejected) -> None:
    """A person decides, unless the provider may only be late, or has lost what nobody wants."""
    connection, created_at = part.batch.connection, part.create_attempted_at
    grace = timedelta(seconds=connection.create_grace_seconds)
    is_new = part.upstream_id and created_at and timezone.now() - created_at < grace
    advice = advising.sentence(exc, connection)
    if exc.reason is Reason.NOT_FOUND and is_new:
        # Reads may come from a replica that does not have the batch yet.
        _try_later(part, exc, _pause(part))
    elif (
        exc.reason in {Reason.NOT_FOUND, Reason.GONE}
        and part.batch.cancel_requested_at
        and part.upstream_id
    ):
        part.move_to(Part.Status.CANCELLED, trouble="")
        Event.objects.create(batch_id=part.batch_id, text=advice)
    else:
        if exc.reason in ABOUT_KEYS:
            keying.note_trouble(part.batch.key, advice, is_refused=True)
        _stop(part, advice)


def _try_later(part: Part, exc: UpstreamError, pause: timedelta) -> None:
    part.postpone(
        pause,
        failures=part.failures + 1,
        trouble=f"{part.batch.connection}: {exc}. Nothing is lost; the portal keeps trying.",
    )


def _pause(part: Part) -> timedelta:
    """Twice as long each time, with some chance in it, so that parts do not come back in step."""
    seconds = min(2.0 ** min(part.failures, 10), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def _note_contact(key: ProviderKey, upstream: UpstreamClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tried_at:
        keying.note_works(key)
    is_sandbox = bool(upstream.is_sandbox)
    if is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
