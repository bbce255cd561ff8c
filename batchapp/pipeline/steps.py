"""Compose services into the steps of a row, where one service is not enough.

Each step returns the other rows that it has made due.
"""

from collections.abc import Callable

from django.db import transaction

from batchapp.models import Batch, BatchImport, LeasedRow, ProviderBatch, SourceTable, Upload
from batchapp.pipeline import provider_access
from batchapp.pipeline.runner import DueRows
from batchapp.providers.client import ProviderClient
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.imports import fetch_file, import_batch, start_import
from batchapp.services.lifecycle import prepare, retry_in_place, settle, slots, submit
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.results import merge, retry_file
from batchapp.services.tables import requests_from_table


def make_requests_from_table(table: SourceTable) -> DueRows:
    """Build the request file of one table; a repeated step gives the same upload."""
    prompt_settings, user = table.prompt_settings, table.requested_by or table.created_by
    if prompt_settings is None:
        requests_from_table.return_with_findings(table, requests_from_table.RowTotals())
        return ()
    with requests_from_table.build_file(table, prompt_settings) as (total, content):
        if total.finding_total or not total.requests:
            requests_from_table.return_with_findings(table, total)
            return ()
        name = content.name or "requests.jsonl"
        upload = upload_intake.receive_file(
            table.project, user, content, name=name, submission=table.pk
        )
    requests_from_table.record_file(table, prompt_settings, total, upload)
    return [upload]


def check_upload(upload: Upload) -> None:
    """Check a file, and write its content first if it is a correction or a retry."""
    is_retry = upload.selection is not None
    write = retry_file.write_retry_file if is_retry else correct_file.write_corrected_file
    if not upload.lacks_content or write(upload):
        upload_intake.check_upload(upload)


def prepare_provider_batch(provider_batch: ProviderBatch) -> DueRows:
    """Split the file of the batch if that is not done yet, and write the pending results."""
    created = prepare.split_file(provider_batch)
    prepare.prepare(provider_batch)
    return created


def submit_provider_batch(provider_batch: ProviderBatch) -> DueRows:
    """Submit the provider batch, or let it wait for a slot."""
    return _with_slot(provider_batch, submit.submit)


def retry_in_place_at_provider(provider_batch: ProviderBatch) -> DueRows:
    """Retry the unanswered requests in place, which needs a slot like a new provider batch."""
    return _with_slot(provider_batch, retry_in_place.retry_in_place)


def _with_slot(
    provider_batch: ProviderBatch, step: Callable[[ProviderBatch, ProviderClient], DueRows]
) -> DueRows:
    others: list[ProviderBatch] = []
    if not slots.has_slot(provider_batch):
        assigned = slots.assign_free_slots(provider_batch.connection)
        others = [other for other in assigned if other.pk != provider_batch.pk]
        if not slots.has_slot(provider_batch):
            slots.wait_for_slot(provider_batch)
            return others
    provider_access.with_provider(step)(provider_batch)
    return others


def settle_batch(batch: Batch) -> None:
    """Merge the answers of a retry into the batches it retries, then settle the batch."""
    merge.merge_answers(batch)
    settle.settle(batch)


def assign_left_slot(moved: LeasedRow) -> DueRows:
    """Assign the slot of a provider batch that has stopped or ended to another one."""
    if not isinstance(moved, (Batch, ProviderBatch)) or moved.connection.max_active is None:
        return ()
    has_stopped = isinstance(moved, Batch) or moved.status in ProviderBatch.STOPPED
    return slots.assign_free_slots(moved.connection) if has_stopped else ()


def fetch_import_file(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """Fetch the file of an imported batch; the same bytes give the same upload."""
    with fetch_file.fetch_file(batch_import, provider) as content:
        upload = upload_intake.receive_file(
            batch_import.project,
            batch_import.requested_by,
            content,
            name=content.name or "requests.jsonl",
            submission=batch_import.pk,
        )
    if upload.status == Upload.Status.FAILED:
        upload_intake.check_again(upload)
    start_import.attach_file(batch_import, upload)
    return [upload]


def enter_import_batch(batch_import: BatchImport) -> DueRows:
    """Enter an imported batch as soon as its file is checked."""
    if start_import.is_being_checked(batch_import):
        batch_import.postpone(start_import.CHECK_POLL_INTERVAL)
        return ()
    return provider_access.with_provider_for_import(_enter_batch)(batch_import)


def _enter_batch(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """Write the batch and the end of its import, or neither."""
    upload = start_import.get_checked_upload(batch_import)
    remote = fetch_file.retrieve_remote_batch(batch_import, provider)
    with transaction.atomic():
        batch = import_batch.enter_batch(
            batch_import,
            upload,
            remote,
            name=place_order.default_name(upload),
            model_costs_at=price_quotes.model_costs_at,
        )
        start_import.record_batch(batch_import, batch)
    return list(batch.provider_batches.all())
