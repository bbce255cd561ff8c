"""What each step is made of, where one service is not enough.

A step returns the other rows that it has made due, to be woken.
"""

from collections.abc import Callable, Iterable

from django.db import transaction

from batchapp.models import Batch, BatchImport, LeasedRow, ProviderBatch, SourceTable, Upload
from batchapp.pipeline import provider_access
from batchapp.pipeline.runner import DueRows
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.imports import fetch_file, import_requests
from batchapp.services.lifecycle import poll, prepare, retry_in_place, settle, slots, submit
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.orders import enter_import
from batchapp.services.results import merge, retry_file
from batchapp.services.tables import requests_from_table


def make_requests_from_table(table: SourceTable) -> DueRows:
    """Make the file of one table: asking again for the same one gives the same."""
    prompt_settings, user = table.prompt_settings, table.asked_by or table.created_by
    if prompt_settings is None:
        requests_from_table.refuse(table, requests_from_table.RowTotals())
        return ()
    with requests_from_table.built_file(table, prompt_settings) as (total, content):
        if total.finding_total or not total.requests:
            requests_from_table.refuse(table, total)
            return ()
        name = content.name or "requests.jsonl"
        upload = upload_intake.receive_file(
            table.project, user, content, name=name, submission=table.pk
        )
    requests_from_table.finish(table, prompt_settings, total, upload)
    return [upload]


def check_upload(upload: Upload) -> None:
    """Check a file; one that is made of another is made first."""
    make = (
        correct_file.write_corrected_file
        if upload.selection is None
        else retry_file.write_retry_file
    )
    if not upload.is_to_be_made or make(upload):
        upload_intake.check_upload(upload)


def prepare_provider_batch(provider_batch: ProviderBatch) -> DueRows:
    """Write the ledger of a part; the first divides the file among all of them."""
    others = prepare.split_file(provider_batch)
    prepare.prepare(provider_batch)
    return others


def submit_provider_batch(provider_batch: ProviderBatch) -> DueRows:
    """Send a part; what has no place at its provider yet waits for one."""
    return _with_slot(provider_batch, submit.submit)


def retry_in_place_at_provider(provider_batch: ProviderBatch) -> DueRows:
    """Have what a part has no answer to run again, which takes a place like one that is new."""
    return _with_slot(provider_batch, retry_in_place.retry_in_place)


def _with_slot(
    provider_batch: ProviderBatch, step: Callable[[ProviderBatch, ProviderClient], DueRows]
) -> DueRows:
    admitted: Iterable[ProviderBatch] = ()
    if not slots.has_slot(provider_batch):
        admitted = [
            other
            for other in slots.assign_free_slots(provider_batch.batch.connection)
            if other.pk != provider_batch.pk
        ]
        if not slots.has_slot(provider_batch):
            slots.wait_for_slot(provider_batch)
            return admitted
    provider_access.with_provider(step)(provider_batch)
    return admitted


def poll_provider_batch(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Ask how far a part is, and stop what else may have come of it.

    A provider that no longer knows it may hand out its results for some minutes yet.
    """
    if provider_batch.may_have_duplicate:
        submit.cancel_duplicates(provider_batch, provider)
    try:
        poll.poll(provider_batch, provider)
    except ProviderRejected as exc:
        if exc.reason in {Reason.NOT_FOUND, Reason.GONE}:
            fetch_results.harvest_vanished(provider_batch, provider)
        raise


def settle_batch(batch: Batch) -> None:
    """Add up a batch; what it answered in the place of others is theirs before it is over."""
    merge.merge(batch)
    settle.settle(batch)


def assign_left_slot(moved: LeasedRow) -> DueRows:
    """Give the place that a part has left, which stopped or is over, to another."""
    if isinstance(moved, ProviderBatch) and moved.status in ProviderBatch.STOPPED:
        connection = moved.batch.connection
    elif isinstance(moved, Batch):
        connection = moved.connection
    else:
        return ()
    return slots.assign_free_slots(connection) if connection.max_active is not None else ()


def fetch_import_file(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """Fetch its file: the same bytes are the same file, however often they are fetched."""
    with fetch_file.fetched_file(batch_import, provider) as content:
        upload = upload_intake.receive_file(
            batch_import.project,
            batch_import.asked_by,
            content,
            name=content.name or "requests.jsonl",
            submission=batch_import.pk,
        )
    if upload.status == Upload.Status.FAILED:
        upload_intake.check_again(upload)
    import_requests.attach_file(batch_import, upload)
    return [upload]


def enter_import_batch(batch_import: BatchImport) -> DueRows:
    """Enter a batch that was made elsewhere, once its file is checked."""
    if import_requests.is_being_checked(batch_import):
        batch_import.postpone(import_requests.LOOK_AGAIN)
        return ()
    return provider_access.with_provider_for_import(_enter_batch)(batch_import)


def _enter_batch(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """The batch comes to be with the note that it did, or neither does."""
    upload = import_requests.checked_upload(batch_import)
    remote = fetch_file.retrieve_remote_batch(batch_import, provider)
    with transaction.atomic():
        batch = enter_import.enter_imported_batch(
            batch_import.project,
            batch_import.asked_by,
            upload,
            batch_import.key,
            remote,
            submission=batch_import.pk,
        )
        import_requests.finish(batch_import, batch)
    return list(batch.provider_batches.all())
