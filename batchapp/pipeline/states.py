"""The only list of states: of each kind of row that workers move, and of a batch as people see it.

Task dispatch, labels, list filters, commands and the diagrams in docs/architecture.md read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, Q

from batchapp.models import (
    Batch,
    BatchImport,
    KeyPoll,
    LeasedRow,
    ProviderBatch,
    SourceTable,
    Upload,
)
from batchapp.pipeline import poll_steps, steps
from batchapp.pipeline.provider_access import with_provider
from batchapp.pipeline.retry_policy import (
    BATCH_IMPORT,
    ENDED_BATCH,
    ENDED_PROVIDER_BATCH,
    KEY_POLL,
    PROVIDER_BATCH,
)
from batchapp.pipeline.runner import Step
from batchapp.services.lifecycle import billed_cost, retry_in_place, submit
from batchapp.services.lifecycle.harvest import fetch_results
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
    return Step(run, steps.give_up_provider_batch, before, after=steps.settle_or_assign_slot)


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
    },
    ProviderBatch: {
        ProviderBatch.Status.PREPARING: RowState(
            "the file is split, and each request gets its result row",
            WaitsFor.WORKER,
            _provider_batch_step(steps.prepare_provider_batch, steps.stop_unsent),
        ),
        ProviderBatch.Status.WAITING: RowState(
            "it waits for a slot, is uploaded and created at the provider",
            WaitsFor.WORKER,
            _provider_batch_step(
                with_provider(submit.submit, PROVIDER_BATCH), steps.stop_unsent_or_wait_for_slot
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
                steps.stop_unsent_or_wait_for_slot,
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
            "its rows are read",
            WaitsFor.WORKER,
            Step(table_import.read_table, table_import.give_up),
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
    Q(status=Batch.Status.COMPLETED) & ~_HAS_ERRORS,
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
    *(QUEUED, WAITING, RUNNING, FETCHING, ADDING_UP, PAUSING, PAUSED, CANCELLING, ATTENTION),
    *(COMPLETED, WITH_ERRORS, FAILED, CANCELLED),
)
_AFTER_RUNNING = {
    Batch.Status.SETTLING: ADDING_UP,
    Batch.Status.FAILED: FAILED,
    Batch.Status.CANCELLED: CANCELLED,
}


def state_of(batch: Batch, provider_batches: Sequence[ProviderBatch]) -> BatchState:
    """Return the state of ``batch``, of which ``provider_batches`` are all; without a query."""
    if batch.status == Batch.Status.COMPLETED:
        return WITH_ERRORS if batch.failed or batch.missing else COMPLETED
    if batch.status != Batch.Status.RUNNING:
        return _AFTER_RUNNING[Batch.Status(batch.status)]
    open_batches = [row for row in provider_batches if row.status not in ProviderBatch.OVER]
    parked = {row.parked_reason for row in open_batches}
    if _Parked.NEEDS_ATTENTION in parked:
        return ATTENTION
    if batch.cancel_requested_at:
        return CANCELLING
    if batch.pause_requested_at and open_batches:
        return PAUSED if parked == {_Parked.PAUSED} else PAUSING
    return _slowest_state(open_batches)


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
