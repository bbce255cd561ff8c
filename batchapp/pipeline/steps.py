"""Compose services into the steps of a row, where one service is not enough.

Each step returns the other rows that it has made due.
"""

from datetime import timedelta

from django.db import transaction

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refused
from batchapp.models import (
    Batch,
    BatchImport,
    Event,
    EventKind,
    LeasedRow,
    ProviderBatch,
    SourceTable,
    Upload,
)
from batchapp.pipeline.attention import stop_for_person
from batchapp.pipeline.runner import MAX_RETRY_PAUSE, DueRows
from batchapp.providers.client import ProviderClient
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.imports import fetch_file, import_batch, start_import
from batchapp.services.lifecycle import prepare, settle, slots
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.results import merge, retry_file
from batchapp.services.tables import requests_from_table


def make_requests_from_table(table: SourceTable) -> DueRows:
    """Build the request file of one table; a repeated step gives the same upload."""
    prompt_settings, user = table.prompt_settings, table.requested_by or table.created_by
    if prompt_settings is None:
        requests_from_table.return_with_findings(table, requests_from_table.RowTotals())
        return ()
    if not access.can_write(user, table.project):
        requests_from_table.return_without_right(table, user)
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


def stop_unsent(provider_batch: ProviderBatch) -> DueRows:
    """Cancel or pause a provider batch here if that was requested and nothing runs elsewhere."""
    if provider_batch.can_cancel_locally:
        # A provider batch that was to be retried in place has ended before, and stays done.
        status = ProviderBatch.Status
        is_done = provider_batch.ended_at is not None
        provider_batch.move_to(
            status.DONE if is_done else status.CANCELLED, **ProviderBatch.NO_PROBLEM
        )
        return ()
    if provider_batch.can_pause_locally:
        if not provider_batch.pause():  # the batch was resumed: start again with its new state
            provider_batch.postpone(timedelta())
        return ()
    return None


def stop_unsent_or_wait_for_slot(provider_batch: ProviderBatch) -> DueRows:
    """Do as ``stop_unsent``; otherwise let the provider batch wait if it has no slot."""
    if (due_rows := stop_unsent(provider_batch)) is not None or slots.has_slot(provider_batch):
        return due_rows
    assigned = slots.assign_free_slots(provider_batch.connection)
    if slots.has_slot(provider_batch):
        return None
    slots.wait_for_slot(provider_batch)
    return assigned


def settle_or_assign_slot(provider_batch: ProviderBatch) -> list[LeasedRow]:
    """Settle the batch after its last provider batch; give a slot that was left to another one."""
    due_rows: list[LeasedRow] = []
    is_over = provider_batch.status in ProviderBatch.OVER
    if is_over:
        ProviderBatch.objects.start_settling(pk=provider_batch.batch_id)
        due_rows.append(Batch.objects.get(pk=provider_batch.batch_id))
    has_slots = provider_batch.connection.max_active is not None
    if has_slots and (is_over or provider_batch.parked_reason):
        due_rows += slots.assign_free_slots(provider_batch.connection)
    return due_rows


def settle_batch(batch: Batch) -> None:
    """Merge the answers of a retry into the batches it retries, then settle the batch."""
    merge.merge_answers(batch)
    settle.settle(batch)


def fetch_import_file(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """Fetch the file of an imported batch; the same bytes give the same upload."""
    try:
        with fetch_file.fetch_file(batch_import, provider) as content:
            upload = upload_intake.receive_file(
                batch_import.project,
                batch_import.requested_by,
                content,
                name=content.name or "requests.jsonl",
                submission=batch_import.pk,
            )
        if upload.status == Upload.Status.FAILED:
            upload_intake.check_again(upload, batch_import.requested_by)
    except Refused as exc:
        start_import.fail_import(batch_import, exc.problem)
        return ()
    except access.NotAllowed:  # the person left while the file was fetched
        start_import.fail_import(batch_import, fetch_file.requester_left(batch_import).problem)
        return ()
    start_import.attach_file(batch_import, upload)
    return [upload]


def wait_for_check(batch_import: BatchImport) -> DueRows:
    """Postpone an import whose file is still being checked."""
    if not start_import.is_being_checked(batch_import):
        return None
    batch_import.postpone(start_import.CHECK_POLL_INTERVAL)
    return ()


def enter_import_batch(batch_import: BatchImport, provider: ProviderClient) -> DueRows:
    """Write the imported batch and the end of its import, or neither."""
    try:
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
    except Refused as exc:
        start_import.fail_import(batch_import, exc.problem)
        return ()
    return list(batch.provider_batches.all())


def give_up_upload(upload: Upload) -> None:
    upload.move_to(Upload.Status.FAILED, problem=Problem(ProblemCode.CHECK_BROKE_OFF))


def give_up_provider_batch(provider_batch: ProviderBatch) -> None:
    stop_for_person(provider_batch, Problem(ProblemCode.STEP_BROKE_OFF))


def give_up_import(batch_import: BatchImport) -> None:
    start_import.fail_import(batch_import, Problem(ProblemCode.IMPORT_BROKE_OFF))


def postpone_row(row: LeasedRow) -> None:
    row.postpone(MAX_RETRY_PAUSE)


def postpone_settling(batch: Batch) -> None:
    """Keep trying, since nobody else can add up the batch, and say so once."""
    batch.postpone(MAX_RETRY_PAUSE)
    Event.objects.create_once(batch.pk, EventKind.SETTLING_BROKE_OFF)
