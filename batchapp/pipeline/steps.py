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
    Export,
    LeasedRow,
    ProviderBatch,
    Reservation,
    ResultColumns,
    SourceTable,
    Upload,
)
from batchapp.pipeline.attention import stop_for_person
from batchapp.pipeline.runner import MAX_RETRY_PAUSE, DueRows
from batchapp.providers.base import Provider
from batchapp.services.approvals import decisions
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.imports import fetch_file, import_batch, start_import
from batchapp.services.lifecycle import first_requests, prepare, settle, slots
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.results import merge, newest_answers, outcome_counts, problems, retry_file
from batchapp.services.results.columns import answer_rows, freshness, open_columns
from batchapp.services.results.exports import export_files
from batchapp.services.reuse import offers, reduced_file, reused_results
from batchapp.services.statements import closing as month_closing
from batchapp.services.tables import answer_tables, requests_from_table, table_import
from batchapp.storage.blob_storage import StorageUnavailable

COLUMNS_PAUSE = timedelta(seconds=2)  # before a table looks again for the columns of its results
BUILT_AT_ONCE = 5_000  # requests; the columns of fewer are built faster than a page is read


def read_source_table(table: SourceTable) -> DueRows:
    """Read the rows of one table: of the file that was sent, or of the results of a batch."""
    if not table.is_from_answers:
        table_import.read_table(table)
        return ()
    batch, user = table.answers_of, table.created_by
    if batch is None or batch.purged_at:
        table_import.refuse(table, Problem(ProblemCode.ANSWERS_DELETED))
        return ()
    if not access.can_write(user, table.project):
        problem = Problem(ProblemCode.TABLE_REQUESTER_LEFT, {"person": str(user)})
        table_import.refuse(table, problem)
        return ()
    newest_chunk = newest_answers.newest_chunk(batch)  # later results count as newer
    columns = freshness.require_columns(batch)
    if columns.status == ResultColumns.Status.BUILDING:
        table.postpone(COLUMNS_PAUSE)
        return [columns]
    chosen = answer_tables.filter_of(table)
    try:
        with open_columns.open_columns(columns, user, own=chosen.own) as reader:
            if reader is None and columns.status != ResultColumns.Status.FAILED:
                table.postpone(COLUMNS_PAUSE)  # the file was replaced just now, or is built anew
                return ()
            if reader is None:
                raise FileNotFoundError(f"batch {batch.pk}: no columns file")
            rows = answer_rows.read_rows(reader, chosen)
            answer_tables.store_rows(table, *rows, newest_chunk=newest_chunk)
    except StorageUnavailable:  # the step is run again
        raise
    except (OSError, KeyError):  # the file, or a column that the filter names, is not there
        table_import.refuse(table, Problem(ProblemCode.ANSWERS_NOT_READABLE))
    return ()


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
    """Check a file, and write its content first if it is made from another.

    With the check goes the comparison with what the project has answered already.
    """
    if not upload.lacks_content or _write_content(upload):
        upload_intake.check_upload(upload, offers.offer_fields)


def _write_content(upload: Upload) -> bool:
    """Write a retry file, a file of what is new, or a correction; False if that failed."""
    if upload.selection is not None:
        return retry_file.write_retry_file(upload)
    if upload.reuse_fields is not None:
        return reduced_file.write_reduced_file(upload)
    return correct_file.write_corrected_file(upload)


def prepare_provider_batch(provider_batch: ProviderBatch) -> DueRows:
    """Split the file of the batch if that is not done yet, and write the pending results.

    The last provider batch adds the results of the requests that are not sent. If this worker dies
    before, the settling adds them.
    """
    created = prepare.split_file(provider_batch)
    prepare.prepare(provider_batch)
    reused_results.write_reused_results(provider_batch.batch)
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


def stop_unsent_or_wait(provider_batch: ProviderBatch) -> DueRows:
    """Do as ``stop_unsent``; otherwise let the provider batch wait for its turn.

    It may have to wait for the first requests of its batch, and for a slot.
    """
    if (due_rows := stop_unsent(provider_batch)) is not None:
        return due_rows
    if first_requests.wait_for_first(provider_batch):
        return ()
    if slots.has_slot(provider_batch):
        return None
    assigned = slots.assign_free_slots(provider_batch.connection)
    if slots.has_slot(provider_batch):
        return None
    slots.wait_for_slot(provider_batch)
    return assigned


def follow_up(provider_batch: ProviderBatch) -> list[LeasedRow]:
    """Let others go on that have waited for this provider batch.

    1. The provider batches that wait for the first requests of their batch.
    2. The batch, which is settled after its last provider batch.
    3. The provider batch that gets the slot of this one.
    """
    due_rows: list[LeasedRow] = [*first_requests.wake_others(provider_batch)]
    is_over = provider_batch.status in ProviderBatch.OVER
    if is_over:
        ProviderBatch.objects.start_settling(pk=provider_batch.batch_id)
        due_rows.append(Batch.objects.get(pk=provider_batch.batch_id))
    has_slots = provider_batch.connection.max_active is not None
    if has_slots and (is_over or provider_batch.parked_reason):
        due_rows += slots.assign_free_slots(provider_batch.connection)
    return due_rows


def settle_batch(batch: Batch) -> DueRows:
    """Merge the answers of a retry into the batches it retries, then settle the batch.

    Many results are counted, their columns are built and many failures are grouped at once; few,
    when a person wants them.
    """
    reused_results.write_reused_results(batch)
    merge.merge_answers(batch)
    settle.settle(batch)
    Reservation.objects.tell(batch.project)
    outcome_counts.store_at_end(batch)
    problems.group_at_end(batch)
    month_closing.begin(batch)
    if batch.requests + batch.reused < BUILT_AT_ONCE:
        return None
    return [freshness.require_columns(batch)]


def expire_approval(batch: Batch) -> DueRows:
    return decisions.expire(batch)


def give_up_columns(columns: ResultColumns) -> None:
    """Stop building; the file is built again when the batch has other results."""
    columns.move_to(ResultColumns.Status.FAILED, built_from=freshness.state_of(columns.batch))


def write_export(export: Export) -> DueRows:
    """Write the file of an export as soon as the columns of its batch are there."""
    columns = freshness.require_columns(export.batch)
    if columns.status == ResultColumns.Status.BUILDING:
        export.postpone(export_files.WAIT_FOR_COLUMNS)
        return [columns]
    if columns.status == ResultColumns.Status.FAILED:
        export_files.fail(export, Problem(ProblemCode.EXPORT_WITHOUT_COLUMNS))
        return ()
    export_files.write_file(export, columns)
    return ()


def give_up_export(export: Export) -> None:
    export_files.fail(export, Problem(ProblemCode.EXPORT_BROKE_OFF))


def fetch_import_file(batch_import: BatchImport, provider: Provider) -> DueRows:
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


def enter_import_batch(batch_import: BatchImport, provider: Provider) -> DueRows:
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
