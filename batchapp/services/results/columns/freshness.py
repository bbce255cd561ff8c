"""Decide whether the columns file of a batch shows its present state, and have one built."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.utils import timezone

from batchapp import access
from batchapp.models import Batch, ResultChunk, ResultColumns, StaleRow, User
from batchapp.models.batches import lineage
from batchapp.models.batches.result_columns import UNUSED_PERIOD
from batchapp.services.results.columns.schema import VERSION

Status = ResultColumns.Status
# While a batch runs, its file is built again after this many times the time that a build takes.
PAUSE_FACTOR, SHORTEST_PAUSE = 10, timedelta(seconds=10)
TOUCH_INTERVAL = timedelta(hours=6)  # between two notes that the file is used


def state_of(batch: Batch) -> str:
    """Return a text that changes whenever a result of the batch, or of a retry, changes."""
    batches = [batch, *lineage.descendants(batch, lineage.batch_and_retries(batch))]
    chunks = ResultChunk.objects.filter(provider_batch__batch__in=batches)
    figures = chunks.aggregate(Count("pk"), Max("pk"))
    ends = [row.finished_at.timestamp() for row in batches if row.finished_at]
    listed = batch.results.count() if not batch.is_over else batch.requests
    parts = (VERSION, len(batches), *figures.values(), len(ends), max(ends, default=0), listed)
    return ":".join(map(str, parts))


def unused_period() -> timedelta:
    return UNUSED_PERIOD


def request_columns(batch: Batch, user: User) -> ResultColumns:
    """Return the row of the columns file, due to be built if the file is missing or out of date.

    While a batch runs, its file is built again at most every ten build times.

    Raises:
        NotAllowed: nothing was written.
        Refused: the results were deleted; nothing was written.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    columns = require_columns(batch)
    if timezone.now() - columns.used_at > TOUCH_INTERVAL:
        ResultColumns.objects.of(batch).update(used_at=timezone.now())
    return columns


def require_columns(batch: Batch) -> ResultColumns:
    """Do as ``request_columns`` without a person, when the batch itself has ended."""
    columns = ResultColumns.objects.of(batch).first()
    if columns is None:
        try:
            with transaction.atomic():
                return ResultColumns.objects.create(batch=batch, next_check_at=timezone.now())
        except IntegrityError:  # another page was faster
            return ResultColumns.objects.get(batch=batch)
    columns.batch = batch
    if columns.status == Status.BUILDING or _may_not_build_yet(columns):
        return columns
    if columns.built_from != state_of(batch):
        try:
            columns.move_to(Status.BUILDING)
        except StaleRow:
            columns.refresh_from_db()
    return columns


def discard_columns(columns: ResultColumns) -> None:
    """Have a file that cannot be read built again, as soon as somebody asks for it."""
    readable = ResultColumns.objects.of(columns.batch).filter(blob=columns.blob.name)
    readable.filter(status=Status.READY).update(built_from="", built_at=None)


def is_current(columns: ResultColumns, batch: Batch) -> bool:
    """Return True if the file shows the present state of the batch."""
    return bool(columns.blob) and columns.built_from == state_of(batch)


def _may_not_build_yet(columns: ResultColumns) -> bool:
    if columns.batch.is_over or columns.built_at is None:
        return False
    pause = max(SHORTEST_PAUSE, timedelta(seconds=PAUSE_FACTOR * columns.build_seconds))
    return timezone.now() - columns.built_at < pause
