"""The columns file of a page of results: whether the page can use it, or waits for it."""

import logging
from dataclasses import dataclass

from batchapp.http import Request
from batchapp.models import Batch, ResultColumns, User
from batchapp.pipeline.steps import BUILT_AT_ONCE
from batchapp.services.results.columns import freshness
from batchapp.tasks import run, wake

logger = logging.getLogger(__name__)
Status = ResultColumns.Status


@dataclass(frozen=True, slots=True)
class ColumnsState:
    """``is_usable`` says that the page shows the file, and not the rows of the database.

    ``percent`` is the progress of a build that the page waits for, else None.
    """

    columns: ResultColumns
    is_usable: bool
    percent: int | None = None
    has_failed: bool = False

    @property
    def is_preparing(self) -> bool:
        return self.percent is not None


def columns_state_of(request: Request, batch: Batch) -> ColumnsState:
    """Return the state of the columns of ``batch``, which are built now if that is quick."""
    if not batch.results.exists():
        return ColumnsState(ResultColumns(batch=batch), is_usable=False)
    columns = current_columns(batch, request.user)
    # While the batch runs, a file of some answers is of more use than rows without search.
    is_usable = bool(columns.blob) and (columns.status == Status.READY or not batch.is_over)
    if is_usable:
        return ColumnsState(columns, is_usable=True)
    if columns.status == Status.BUILDING:
        return ColumnsState(columns, is_usable=False, percent=_percent(columns, batch))
    return ColumnsState(columns, is_usable=False, has_failed=columns.status == Status.FAILED)


def current_columns(batch: Batch, user: User) -> ResultColumns:
    """Return the row of the columns file, which is built now or by a worker if it has to be."""
    columns = freshness.request_columns(batch, user)
    if columns.status == Status.BUILDING:
        if batch.requests < BUILT_AT_ONCE:
            _build_now(columns)
        else:
            wake(columns)
    columns.batch = batch
    return columns


def _build_now(columns: ResultColumns) -> None:
    try:
        run(columns)
    except OSError:  # a file of the batch is gone, or the disk is full; a worker tries again
        logger.exception("batch %s: the columns cannot be built for a page", columns.pk)
        columns.refresh_from_db()


def _percent(columns: ResultColumns, batch: Batch) -> int:
    """Return how much of the build is done; it is 100 only when the file is there."""
    return min(99, 100 * columns.lines_done // max(1, batch.requests))
