"""What each step is made of, where one service is not enough.

A step returns the other rows that it has made due, to be woken.
"""

from collections.abc import Callable, Iterable

from django.db import transaction

from batchapp import errands
from batchapp.attempts import Rows
from batchapp.models import Adoption, Batch, Leased, Part, Table, Upload
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
    reopening,
    repairing,
    retrying,
    settling,
    submission,
)
from batchapp.upstream.client import UpstreamClient
from batchapp.upstream.errors import Reason, UpstreamRejected


def make_file(table: Table) -> Rows:
    """Make the file of one table: asking again for the same one gives the same."""
    recipe, user = table.recipe, table.asked_by or table.created_by
    if recipe is None:
        building.refuse(table, building.Sum())
        return ()
    with building.made(table, recipe) as (total, content):
        if total.fault_total or not total.requests:
            building.refuse(table, total)
            return ()
        name = content.name or "requests.jsonl"
        upload = intake.receive(table.project, user, content, name=name, submission=table.pk)
    building.finish(table, recipe, total, upload)
    return [upload]


def check(upload: Upload) -> None:
    """Check a file; one that is made of another is made first."""
    make = repairing.make if upload.selection is None else retrying.make
    if not upload.is_to_be_made or make(upload):
        intake.check(upload)


def prepare(part: Part) -> Rows:
    """Write the ledger of a part; the first divides the file among all of them."""
    others = preparing.divide(part)
    preparing.prepare(part)
    return others


def submit(part: Part) -> Rows:
    """Send a part; what has no place at its provider yet waits for one."""
    return _in_turn(part, submission.submit)


def reopen(part: Part) -> Rows:
    """Have what a part has no answer to run again, which takes a place like one that is new."""
    return _in_turn(part, reopening.reopen)


def _in_turn(part: Part, step: Callable[[Part, UpstreamClient], Rows]) -> Rows:
    admitted: Iterable[Part] = ()
    if not queueing.has_place(part):
        admitted = [
            other for other in queueing.admit(part.batch.connection) if other.pk != part.pk
        ]
        if not queueing.has_place(part):
            queueing.wait(part)
            return admitted
    errands.with_upstream(step)(part)
    return admitted


def poll(part: Part, upstream: UpstreamClient) -> None:
    """Ask how far a part is, and stop what else may have come of it.

    A provider that no longer knows it may hand out its results for some minutes yet.
    """
    if part.may_have_twin:
        submission.cancel_twins(part, upstream)
    try:
        polling.poll(part, upstream)
    except UpstreamRejected as exc:
        if exc.reason in {Reason.NOT_FOUND, Reason.GONE}:
            harvesting.salvage(part, upstream)
        raise


def settle(batch: Batch) -> None:
    """Add up a batch; what it answered in the place of others is theirs before it is over."""
    merging.merge(batch)
    settling.settle(batch)


def hand_on(moved: Leased) -> Rows:
    """Give the place that a part has left, which stopped or is over, to another."""
    if isinstance(moved, Part) and moved.status in Part.STOPPED:
        connection = moved.batch.connection
    elif isinstance(moved, Batch):
        connection = moved.connection
    else:
        return ()
    return queueing.admit(connection) if connection.max_active is not None else ()


def fetch(adoption: Adoption, upstream: UpstreamClient) -> Rows:
    """Fetch its file: the same bytes are the same file, however often they are fetched."""
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
    return [upload]


def enter(adoption: Adoption) -> Rows:
    """Enter a batch that was made elsewhere, once its file is checked."""
    if adopting.is_being_checked(adoption):
        adoption.postpone(adopting.LOOK_AGAIN)
        return ()
    return errands.bringing_in(_take_over)(adoption)


def _take_over(adoption: Adoption, upstream: UpstreamClient) -> Rows:
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
    return list(batch.parts.all())
