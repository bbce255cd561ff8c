"""The only list of states: of each kind of row that workers move, and of a batch as people see it.

Task dispatch, labels, list filters, commands and the diagrams in docs/architecture.md read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from batchapp.models import (
    Batch,
    BatchImport,
    Export,
    KeyPoll,
    LeasedRow,
    Mailbox,
    MonthClosing,
    Notice,
    ProviderBatch,
    Purge,
    ResultColumns,
    RetentionRule,
    SourceTable,
    StatementRecipient,
    Upload,
    WebhookEndpoint,
)
from batchapp.pipeline import (
    month_steps,
    notice_steps,
    poll_steps,
    statement_mail_steps,
    steps,
    webhook_steps,
)
from batchapp.pipeline.provider_access import with_provider
from batchapp.pipeline.retry_policy import (
    BATCH_IMPORT,
    ENDED_BATCH,
    ENDED_PROVIDER_BATCH,
    KEY_POLL,
    PROVIDER_BATCH,
)
from batchapp.pipeline.runner import Step
from batchapp.services.archive import purge
from batchapp.services.lifecycle import billed_cost, retry_in_place, submit
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.results.columns import build
from batchapp.services.results.exports import export_files
from batchapp.services.statements import closing as month_closing
from batchapp.services.tables import table_import


class WaitsFor(StrEnum):
    """The party that moves a row, or a batch, out of its state."""

    WORKER = "the portal"
    PROVIDER = "the provider"
    PERSON = "a person"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class RowState:
    """One status of one kind of row; ``meaning`` says in a clause what happens in it.

    ``step`` is what a worker does with a row that is due. ``holds_slot`` says whether the row uses
    one of the provider's slots: "yes", "once sent" or "no".
    """

    meaning: str
    waits_for: WaitsFor
    step: Step | None = None
    holds_slot: str = "no"


def _provider_batch_step(run: Any, before: Any = None) -> Step:
    return Step(run, steps.give_up_provider_batch, before, after=steps.follow_up)


_follow = _provider_batch_step(with_provider(poll_steps.poll_provider_batch, PROVIDER_BATCH))
_recheck = Step(
    with_provider(poll_steps.recheck_finished, ENDED_PROVIDER_BATCH), ProviderBatch.rest
)
_check_after_end = Step(
    with_provider(poll_steps.check_after_end, ENDED_BATCH), billed_cost.stop_asking
)
_delete_table = Step(table_import.delete_if_unused, table_import.give_up)

ROW_STATES: dict[type[LeasedRow], dict[str, RowState]] = {
    Upload: {
        Upload.Status.CHECKING: RowState(
            "the file is made, if it is a correction or a retry, and checked line by line",
            WaitsFor.WORKER,
            Step(steps.check_upload, steps.give_up_upload),
        ),
        Upload.Status.READY: RowState("it has no errors and can be sent", WaitsFor.PERSON),
        Upload.Status.FAULTY: RowState("it has errors", WaitsFor.PERSON),
        Upload.Status.FAILED: RowState(
            "it could not be checked; a person may try again", WaitsFor.PERSON
        ),
        Upload.Status.PURGED: RowState(
            "its requests were deleted together with the answers to them", WaitsFor.NOBODY
        ),
    },
    ProviderBatch: {
        ProviderBatch.Status.PREPARING: RowState(
            "the file is split, and each request gets its result row",
            WaitsFor.WORKER,
            _provider_batch_step(steps.prepare_provider_batch, steps.stop_unsent),
        ),
        ProviderBatch.Status.WAITING: RowState(
            "it waits for its turn and for a slot, is uploaded and created at the provider",
            WaitsFor.WORKER,
            _provider_batch_step(
                with_provider(submit.submit, PROVIDER_BATCH), steps.stop_unsent_or_wait
            ),
            holds_slot="once sent",
        ),
        ProviderBatch.Status.RUNNING: RowState(
            "the provider works on it, and it is polled",
            WaitsFor.PROVIDER,
            _follow,
            holds_slot="yes",
        ),
        ProviderBatch.Status.HARVESTING: RowState(
            "its results are fetched",
            WaitsFor.WORKER,
            _provider_batch_step(with_provider(fetch_results.harvest, PROVIDER_BATCH)),
            holds_slot="yes",
        ),
        ProviderBatch.Status.RETRYING_IN_PLACE: RowState(
            "the provider is asked to run what has no answer again",
            WaitsFor.WORKER,
            _provider_batch_step(
                with_provider(retry_in_place.retry_in_place, PROVIDER_BATCH),
                steps.stop_unsent_or_wait,
            ),
            holds_slot="once sent",
        ),
        ProviderBatch.Status.DONE: RowState("all results are here", WaitsFor.NOBODY, _recheck),
        ProviderBatch.Status.CANCELLED: RowState(
            "it was cancelled, or closed here because the provider could not be told",
            WaitsFor.NOBODY,
            _recheck,
        ),
    },
    Batch: {
        Batch.Status.AWAITING_APPROVAL: RowState(
            "an owner of the project must approve it; it is cancelled if nobody does in time",
            WaitsFor.PERSON,
            Step(steps.expire_approval, steps.postpone_row),
        ),
        Batch.Status.RUNNING: RowState(
            "at least one of its provider batches is not over: these are moved", WaitsFor.WORKER
        ),
        Batch.Status.SETTLING: RowState(
            "results are counted and the cost is added up",
            WaitsFor.WORKER,
            Step(steps.settle_batch, steps.postpone_settling),
        ),
        Batch.Status.COMPLETED: RowState(
            "over, with at least one answer", WaitsFor.NOBODY, _check_after_end
        ),
        Batch.Status.FAILED: RowState(
            "over, without an answer", WaitsFor.NOBODY, _check_after_end
        ),
        Batch.Status.CANCELLED: RowState(
            "over, and requests were cancelled", WaitsFor.NOBODY, _check_after_end
        ),
    },
    KeyPoll: {
        KeyPoll.Status.POLLING: RowState(
            "the list of the key's batches is read while one runs, and for a day afterwards",
            WaitsFor.WORKER,
            Step(
                with_provider(poll_steps.poll_running_batches_of_key, KEY_POLL),
                steps.postpone_row,
            ),
        ),
    },
    SourceTable: {
        SourceTable.Status.READING: RowState(
            "its rows are read, from a file or from the results of a batch",
            WaitsFor.WORKER,
            Step(steps.read_source_table, table_import.give_up),
        ),
        SourceTable.Status.KEPT: RowState(
            "it can be made into a file; it is deleted after a week without use or batches",
            WaitsFor.PERSON,
            _delete_table,
        ),
        SourceTable.Status.REFUSED: RowState(
            "it could not be read; a person may say how to read it", WaitsFor.PERSON, _delete_table
        ),
        SourceTable.Status.MAKING: RowState(
            "a file of requests is made",
            WaitsFor.WORKER,
            Step(steps.make_requests_from_table, table_import.give_up),
        ),
    },
    BatchImport: {
        BatchImport.Status.FETCHING: RowState(
            "the file of a batch that was made elsewhere is fetched",
            WaitsFor.WORKER,
            Step(with_provider(steps.fetch_import_file, BATCH_IMPORT), steps.give_up_import),
        ),
        BatchImport.Status.CHECKING: RowState(
            "its file is checked, then the batch is entered",
            WaitsFor.WORKER,
            Step(
                with_provider(steps.enter_import_batch, BATCH_IMPORT),
                steps.give_up_import,
                before=steps.wait_for_check,
            ),
        ),
        BatchImport.Status.DONE: RowState("the batch is here and is followed", WaitsFor.NOBODY),
        BatchImport.Status.FAILED: RowState(
            "it cannot be imported, or not now; a person may try again", WaitsFor.PERSON
        ),
    },
    ResultColumns: {
        ResultColumns.Status.BUILDING: RowState(
            "the columns of a batch's results are built for search and distributions",
            WaitsFor.WORKER,
            Step(build.build_columns, steps.give_up_columns),
        ),
        ResultColumns.Status.READY: RowState(
            "the columns can be read; they are deleted after a month without a reader",
            WaitsFor.NOBODY,
            Step(build.delete_if_unused, ResultColumns.rest),
        ),
        ResultColumns.Status.DELETED: RowState(
            "nobody used the columns; they are built again when a person wants them",
            WaitsFor.PERSON,
        ),
        ResultColumns.Status.FAILED: RowState(
            "the columns could not be built; results are shown without them", WaitsFor.PERSON
        ),
    },
    Export: {
        Export.Status.WRITING: RowState(
            "the file of chosen results is written, once their columns are built",
            WaitsFor.WORKER,
            Step(steps.write_export, steps.give_up_export),
        ),
        Export.Status.READY: RowState(
            "the file can be downloaded; it is deleted after a week",
            WaitsFor.PERSON,
            Step(export_files.expire, Export.rest),
        ),
        Export.Status.FAILED: RowState(
            "the file could not be written; a person may try again", WaitsFor.PERSON
        ),
        Export.Status.EXPIRED: RowState(
            "the file was deleted; it can be written again", WaitsFor.PERSON
        ),
    },
    RetentionRule: {
        RetentionRule.Status.WATCHING: RowState(
            "batches and files that its project has kept long enough are looked for every hour",
            WaitsFor.WORKER,
            Step(purge.purge_outdated, steps.postpone_row),
        ),
    },
    Purge: {
        Purge.Status.DELETING: RowState(
            "no page shows the requests and answers of its batch, and they are deleted",
            WaitsFor.WORKER,
            Step(purge.delete_content, steps.postpone_row),
        ),
        Purge.Status.DONE: RowState("they are deleted", WaitsFor.NOBODY),
    },
    Notice: {
        Notice.Status.DELIVERING: RowState(
            "the people whom it concerns get it",
            WaitsFor.WORKER,
            Step(notice_steps.deliver_notice, steps.postpone_row),
        ),
        Notice.Status.DELIVERED: RowState("all of them have it", WaitsFor.NOBODY),
    },
    Mailbox: {
        Mailbox.Status.WAITING: RowState(
            "e-mails of notices to one person are written, at once or as a digest",
            WaitsFor.WORKER,
            Step(notice_steps.write_emails, steps.postpone_row),
        ),
    },
    WebhookEndpoint: {
        WebhookEndpoint.Status.ACTIVE: RowState(
            "messages that are due are sent, one after another",
            WaitsFor.WORKER,
            Step(webhook_steps.deliver_messages, steps.postpone_row, webhook_steps.wait_for_turn),
        ),
        WebhookEndpoint.Status.DISABLED: RowState(
            "nothing is sent; an owner of the project may enable it again", WaitsFor.PERSON
        ),
    },
    MonthClosing: {
        MonthClosing.Status.OPEN: RowState(
            "the month goes on, or late costs are waited for; every hour its time is looked at",
            WaitsFor.WORKER,
            Step(month_closing.close_when_due, steps.postpone_row),
        ),
        MonthClosing.Status.CLOSING: RowState(
            "the statements of all projects are made",
            WaitsFor.WORKER,
            Step(month_steps.close_month, steps.postpone_row),
        ),
        MonthClosing.Status.CLOSED: RowState("its statements stay as they are", WaitsFor.NOBODY),
    },
    StatementRecipient: {
        StatementRecipient.Status.ASKED: RowState(
            "nothing is mailed to the address before its reader confirms it", WaitsFor.PERSON
        ),
        StatementRecipient.Status.CONFIRMED: RowState(
            "the statement of each month that is closed is mailed to the address",
            WaitsFor.WORKER,
            Step(statement_mail_steps.mail_statement, steps.postpone_row),
        ),
        StatementRecipient.Status.STOPPED: RowState(
            "its reader wants no statements; nothing is mailed", WaitsFor.PERSON
        ),
    },
}

PARKED_MEANINGS = {
    ProviderBatch.Parked.PAUSED: "a person paused the batch; it goes on when the batch is resumed",
    ProviderBatch.Parked.NEEDS_ATTENTION: "a person must decide; `problem` says why",
}


def step_of(row: LeasedRow) -> Step | None:
    """Return the step of a worker on ``row``; None if only a person or another row moves it."""
    return ROW_STATES[type(row)][row.status].step


@dataclass(frozen=True, slots=True)
class BatchState:
    """One state of a batch as people see it: it follows from the batch and its provider batches.

    Attributes:
        code: names the state in addresses and in JSON.
        tone, icon: a colour and a picture of the style sheet; ``label`` says the same.
        next_step: says what happens next, or what to do.
        condition: matches the batches in this state in a query.
    """

    code: str
    label: str
    tone: str
    icon: str
    waits_for: WaitsFor
    next_step: str
    condition: Q

    @property
    def tail(self) -> str:
        """Return what follows "Completed" in the label, for phones; "" if nothing does."""
        return self.label.partition("Completed ")[2]

    @property
    def is_calm(self) -> bool:
        """Return True if the batch is over and not without answers: lists show it quietly."""
        return self.waits_for is WaitsFor.NOBODY and self.tone != "bad"


def _provider_batches(*conditions: Q) -> Exists:
    rows = ProviderBatch.objects.filter(batch=OuterRef("pk")).exclude(
        status__in=ProviderBatch.OVER
    )
    return Exists(rows.filter(*conditions))


_Status, _Parked = ProviderBatch.Status, ProviderBatch.Parked
_RUNNING = Q(status=Batch.Status.RUNNING)
_OPEN = Q(_provider_batches())
_STUCK = Q(_provider_batches(Q(parked_reason=_Parked.NEEDS_ATTENTION)))
_NOT_PAUSED = Q(_provider_batches(~Q(parked_reason=_Parked.PAUSED)))
_UNPREPARED_ONLY = ~Q(_provider_batches(~Q(status=_Status.PREPARING)))
_UNSENT = {_Status.PREPARING, _Status.WAITING}
_UNSENT_ONLY = ~Q(_provider_batches(~Q(status__in=_UNSENT)))
_NOT_ENDED = Q(_provider_batches(Q(ended_at=None) | Q(status=_Status.RETRYING_IN_PLACE)))
_UNCANCELLED = _RUNNING & Q(cancel_requested_at=None) & ~_STUCK
_GOING_ON = _UNCANCELLED & Q(pause_requested_at=None) & _OPEN
_PAUSE_REQUESTED = _UNCANCELLED & Q(pause_requested_at__isnull=False) & _OPEN
_HAS_ERRORS = Q(failed__gt=0) | Q(missing__gt=0)
_HAS_DOUBTS = Q(usable__lt=F("succeeded"))

AWAITING_APPROVAL = BatchState(
    *("awaiting_approval", "Awaiting approval", "warn", "hold", WaitsFor.PERSON),
    "An owner of the project approves or denies it; nothing is sent before.",
    Q(status=Batch.Status.AWAITING_APPROVAL),
)
QUEUED = BatchState(
    *("queued", "Queued", "quiet", "clock", WaitsFor.WORKER),
    "The portal prepares its requests.",
    _GOING_ON & _UNPREPARED_ONLY,
)
WAITING = BatchState(
    *("waiting", "Waiting to submit", "quiet", "clock", WaitsFor.WORKER),
    "The portal sends it as soon as the provider takes it.",
    _GOING_ON & _UNSENT_ONLY & ~_UNPREPARED_ONLY,
)
RUNNING = BatchState(
    *("running", "Running", "busy", "play", WaitsFor.PROVIDER),
    "The provider answers its requests.",
    _GOING_ON & ~_UNSENT_ONLY & _NOT_ENDED,
)
FETCHING = BatchState(
    *("fetching", "Fetching results", "busy", "down", WaitsFor.WORKER),
    "The portal fetches its last results.",
    _GOING_ON & ~_UNSENT_ONLY & ~_NOT_ENDED,
)
ADDING_UP = BatchState(
    *("adding_up", "Adding up", "busy", "sum", WaitsFor.WORKER),
    "The portal adds up requests, tokens and cost.",
    Q(status=Batch.Status.SETTLING) | (_UNCANCELLED & ~_OPEN),
)
PAUSING = BatchState(
    *("pausing", "Pausing", "warn", "pause", WaitsFor.PROVIDER),
    "The provider is being told to stop; what is answered so far is kept.",
    _PAUSE_REQUESTED & _NOT_PAUSED,
)
PAUSED = BatchState(
    *("paused", "Paused", "quiet", "pause", WaitsFor.PERSON),
    "Resume or cancel it.",
    _PAUSE_REQUESTED & ~_NOT_PAUSED,
)
CANCELLING = BatchState(
    *("cancelling", "Cancelling", "warn", "stop", WaitsFor.PROVIDER),
    "The provider is being told to cancel; what is answered so far is kept.",
    _RUNNING & Q(cancel_requested_at__isnull=False) & ~_STUCK,
)
ATTENTION = BatchState(
    *("needs_attention", "Needs attention", "alarm", "alert", WaitsFor.PERSON),
    "Its page says what to do; then try again, or cancel it.",
    _RUNNING & _STUCK,
)
COMPLETED = BatchState(
    *("completed", "Completed", "good", "check", WaitsFor.NOBODY),
    "Use its results.",
    Q(status=Batch.Status.COMPLETED) & ~_HAS_ERRORS & ~_HAS_DOUBTS,
)
WITH_DOUBTS = BatchState(
    *("with_doubts", "Completed with doubts", "warn", "alert", WaitsFor.NOBODY),
    "Look at the answers that are cut short, refused, empty or not as the schema asks.",
    Q(status=Batch.Status.COMPLETED) & ~_HAS_ERRORS & _HAS_DOUBTS,
)
WITH_ERRORS = BatchState(
    *("with_errors", "Completed with errors", "warn", "alert", WaitsFor.NOBODY),
    "Use its results, and retry the requests that failed.",
    Q(status=Batch.Status.COMPLETED) & _HAS_ERRORS,
)
FAILED = BatchState(
    *("failed", "Failed", "bad", "cross", WaitsFor.NOBODY),
    "Read why its requests failed, and retry them.",
    Q(status=Batch.Status.FAILED),
)
CANCELLED = BatchState(
    *("cancelled", "Cancelled", "quiet", "stop", WaitsFor.NOBODY),
    "Use the results that were answered before, or retry the others.",
    Q(status=Batch.Status.CANCELLED),
)
BATCH_STATES = (
    *(AWAITING_APPROVAL, QUEUED, WAITING, RUNNING, FETCHING, ADDING_UP),
    *(PAUSING, PAUSED, CANCELLING, ATTENTION),
    *(COMPLETED, WITH_DOUBTS, WITH_ERRORS, FAILED, CANCELLED),
)
_NOT_RUNNING = {
    Batch.Status.AWAITING_APPROVAL: AWAITING_APPROVAL,
    Batch.Status.SETTLING: ADDING_UP,
    Batch.Status.FAILED: FAILED,
    Batch.Status.CANCELLED: CANCELLED,
}


def state_of(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> BatchState:
    """Return the state of ``batch``, of which ``provider_batches`` are all; without a query."""
    if batch.status == Batch.Status.COMPLETED:
        return _completed_state(batch)
    if batch.status != Batch.Status.RUNNING:
        return _NOT_RUNNING[Batch.Status(batch.status)]
    open_batches = [row for row in provider_batches if row.status not in ProviderBatch.OVER]
    parked = {row.parked_reason for row in open_batches}
    if _Parked.NEEDS_ATTENTION in parked:
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    if batch.pause_requested_at and open_batches:
        return PAUSED if parked == {_Parked.PAUSED} else PAUSING
    return _slowest_state(open_batches)


def _completed_state(batch: Batch) -> BatchState:
    if batch.failed or batch.missing:
        return WITH_ERRORS
    return WITH_DOUBTS if batch.doubtful else COMPLETED


def _slowest_state(open_batches: list[ProviderBatch]) -> BatchState:
    """Return the state of the provider batch that is furthest behind.

    A batch whose first results are fetched while the provider still works is running.
    """
    statuses = {row.status for row in open_batches}
    if not statuses:
        return ADDING_UP
    if statuses == {_Status.PREPARING}:
        return QUEUED
    if statuses <= _UNSENT:
        return WAITING
    is_running = any(
        row.status == _Status.RETRYING_IN_PLACE or not row.ended_at for row in open_batches
    )
    return RUNNING if is_running else FETCHING
