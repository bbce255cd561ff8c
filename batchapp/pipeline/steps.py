"""What each step is made of, where one service is not enough.

A step returns the other rows that it has made due, to be woken.
"""

from collections.abc import Callable, Iterable

from django.db import transaction

from batchapp.models import Adoption, Batch, Leased, Part, Table, Upload
from batchapp.pipeline import provider_access
from batchapp.pipeline.runner import Rows
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import Reason, UpstreamRejected
from batchapp.services.files import corrections, upload_intake
from batchapp.services.imports import batch_imports, fetch_file
from batchapp.services.lifecycle import poll, prepare, retry_in_place, settle, slots, submit
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.orders import enter_import
from batchapp.services.results import merge, retry_file
from batchapp.services.tables import requests_from_table


def make_requests_from_table(table: Table) -> Rows:
    """Make the file of one table: asking again for the same one gives the same."""
    recipe, user = table.recipe, table.asked_by or table.created_by
    if recipe is None:
        requests_from_table.refuse(table, requests_from_table.Sum())
        return ()
    with requests_from_table.made(table, recipe) as (total, content):
        if total.fault_total or not total.requests:
            requests_from_table.refuse(table, total)
            return ()
        name = content.name or "requests.jsonl"
        upload = upload_intake.receive(
            table.project, user, content, name=name, submission=table.pk
        )
    requests_from_table.finish(table, recipe, total, upload)
    return [upload]


def check_upload(upload: Upload) -> None:
    """Check a file; one that is made of another is made first."""
    make = corrections.make if upload.selection is None else retry_file.make
    if not upload.is_to_be_made or make(upload):
        upload_intake.check(upload)


def prepare_provider_batch(part: Part) -> Rows:
    """Write the ledger of a part; the first divides the file among all of them."""
    others = prepare.divide(part)
    prepare.prepare(part)
    return others


def submit_provider_batch(part: Part) -> Rows:
    """Send a part; what has no place at its provider yet waits for one."""
    return _in_turn(part, submit.submit)


def retry_in_place_at_provider(part: Part) -> Rows:
    """Have what a part has no answer to run again, which takes a place like one that is new."""
    return _in_turn(part, retry_in_place.reopen)


def _in_turn(part: Part, step: Callable[[Part, UpstreamClient], Rows]) -> Rows:
    admitted: Iterable[Part] = ()
    if not slots.has_place(part):
        admitted = [other for other in slots.admit(part.batch.connection) if other.pk != part.pk]
        if not slots.has_place(part):
            slots.wait(part)
            return admitted
    provider_access.with_upstream(step)(part)
    return admitted


def poll_provider_batch(part: Part, upstream: UpstreamClient) -> None:
    """Ask how far a part is, and stop what else may have come of it.

    A provider that no longer knows it may hand out its results for some minutes yet.
    """
    if part.may_have_twin:
        submit.cancel_twins(part, upstream)
    try:
        poll.poll(part, upstream)
    except UpstreamRejected as exc:
        if exc.reason in {Reason.NOT_FOUND, Reason.GONE}:
            fetch_results.salvage(part, upstream)
        raise


def settle_batch(batch: Batch) -> None:
    """Add up a batch; what it answered in the place of others is theirs before it is over."""
    merge.merge(batch)
    settle.settle(batch)


def pass_slot_on(moved: Leased) -> Rows:
    """Give the place that a part has left, which stopped or is over, to another."""
    if isinstance(moved, Part) and moved.status in Part.STOPPED:
        connection = moved.batch.connection
    elif isinstance(moved, Batch):
        connection = moved.connection
    else:
        return ()
    return slots.admit(connection) if connection.max_active is not None else ()


def fetch_import_file(adoption: Adoption, upstream: UpstreamClient) -> Rows:
    """Fetch its file: the same bytes are the same file, however often they are fetched."""
    with fetch_file.fetched(adoption, upstream) as content:
        upload = upload_intake.receive(
            adoption.project,
            adoption.asked_by,
            content,
            name=content.name or "requests.jsonl",
            submission=adoption.pk,
        )
    if upload.status == Upload.Status.FAILED:
        upload_intake.check_again(upload)
    batch_imports.keep(adoption, upload)
    return [upload]


def enter_import_batch(adoption: Adoption) -> Rows:
    """Enter a batch that was made elsewhere, once its file is checked."""
    if batch_imports.is_being_checked(adoption):
        adoption.postpone(batch_imports.LOOK_AGAIN)
        return ()
    return provider_access.bringing_in(_take_over)(adoption)


def _take_over(adoption: Adoption, upstream: UpstreamClient) -> Rows:
    """The batch comes to be with the note that it did, or neither does."""
    upload = batch_imports.checked(adoption)
    remote = fetch_file.look(adoption, upstream)
    with transaction.atomic():
        batch = enter_import.adopt(
            adoption.project,
            adoption.asked_by,
            upload,
            adoption.key,
            remote,
            submission=adoption.pk,
        )
        batch_imports.finish(adoption, batch)
    return list(batch.parts.all())
