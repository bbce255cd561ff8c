"""Retry files: count the requests that can be retried, and write a file of some of them."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.db.models import Count, Q
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.results.retry_selection import (
    ADVICE,
    Ending,
    RequestChanger,
    Selection,
    ending_of,
)
from batchapp.models import Batch, ProviderBatch, Result, Upload, User
from batchapp.models.batches.result import ResultQuerySet
from batchapp.models.files.upload import ENDING, numbered_name

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
MARK = re.compile(r"-retry(-\d+)?$")

# Outcomes that can be retried. Two endings are no outcomes: their requests failed like others.
OUTCOMES = [ending.value for ending in ADVICE if ending not in {Ending.LASTING, Ending.UNPAID}]


@dataclass(frozen=True, slots=True)
class RetryableCounts:
    """Counts of the requests of a batch that have ended without an answer."""

    numbers: "Counter[tuple[Ending, str]]"

    def count(self, ending: Ending, error_code: str = "") -> int:
        return sum(
            number
            for key, number in self.numbers.items()
            if key[0] is ending and error_code in {"", key[1]}
        )

    def total(self, selection: Selection) -> int:
        """Return how many requests ``selection`` covers."""
        return sum(self.count(ending, selection.error_code) for ending in selection.endings)

    @property
    def endings(self) -> list[Ending]:
        """Return the endings that occur, in the order of ``ADVICE``."""
        return [ending for ending in ADVICE if self.count(ending)]

    @property
    def error_codes(self) -> list[str]:
        """Return the error codes that occur, the most frequent first."""
        codes: Counter[str] = Counter()
        for (_, code), number in self.numbers.items():
            codes[code] += number
        return [code for code, _ in codes.most_common() if code]


def retryable_counts(batch: Batch) -> RetryableCounts:
    """Count the requests of ``batch`` that can be retried and that no retry has answered."""
    rows = retryable_results(batch).order_by().values_list("outcome", "status_code", "error_code")
    numbers: Counter[tuple[Ending, str]] = Counter()
    for outcome, status_code, error_code, number in rows.annotate(Count("pk")):
        if ending := ending_of(outcome, status_code):
            numbers[ending, error_code] += number
    return RetryableCounts(numbers)


def has_retryable(batch: Batch) -> bool:
    return retryable_results(batch).exists()


def retryable_results(batch: Batch) -> ResultQuerySet:
    """Return the results that a retry can run again, and that no retry has answered."""
    # Paused requests, and those being retried in place, run again without a retry file.
    rows = Result.objects.filter(batch=batch, outcome__in=OUTCOMES, retried=None)
    return rows.exclude(
        Q(provider_batch__parked_reason=ProviderBatch.Parked.PAUSED)
        | Q(provider_batch__status=ProviderBatch.Status.RETRYING_IN_PLACE)
    )


def request_retry_file(
    batch: Batch, user: User, selection: Selection, *, submission: UUID
) -> Upload:
    """Create the row of a file that retries requests of ``batch``; a worker writes the bytes.

    ``submission`` is the id of the form: the same id with the same selection is the same file.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_write(user, batch.project)
    seed = sorted(selection.endings), selection.error_code, selection.changes
    return Upload.objects.insert_once(
        Upload(
            pk=uuid5(submission, f"{batch.pk} {user.pk} {seed!r}"),
            project=batch.project,
            uploaded_by=user,
            name=_name(batch),
            size=0,
            made_from=batch.upload,
            table_id=batch.upload.table_id,
            retry_of=batch,
            selection=msgspec.to_builtins(msgspec.structs.replace(selection, parent=batch.name)),
            next_check_at=timezone.now(),
        )
    )


def write_retry_file(upload: Upload) -> bool:
    """Write the bytes of a requested retry file; return False if the row failed instead.

    While the batch still runs, the file has the requests that have ended so far.

    Raises:
        StaleRow: another worker has the row now; the bytes of this worker are dropped.
    """
    batch, selection = upload.retry_of, upload.retry_selection
    if batch is None or selection is None:
        return _fail(upload, Problem(ProblemCode.RETRIED_BATCH_DELETED))
    if not retryable_counts(batch).total(selection):
        problem = Problem(ProblemCode.NOTHING_LEFT_TO_RETRY, {"batch": batch.name})
        return _fail(upload, problem)
    counts: Counter[Ending] = Counter()
    changer = RequestChanger(selection)

    def final_fields() -> dict[str, Any]:
        written = msgspec.structs.replace(
            selection, counts=dict(counts), unlimited=changer.unlimited
        )
        return {"selection": msgspec.to_builtins(written)}

    try:
        upload.write_content(_lines(batch, selection, changer, counts), final_fields)
    except OSError as exc:
        logger.exception("upload %s: cannot be written from batch %s", upload.pk, batch.pk)
        data = {"batch": batch.name, "file": batch.upload.name}
        data["reason"] = exc.strerror or str(exc)
        return _fail(upload, Problem(ProblemCode.RETRY_NOT_WRITTEN, data))
    return True


def _fail(upload: Upload, problem: Problem) -> bool:
    upload.move_to(Upload.Status.FAILED, problem=problem)
    return False


def _lines(
    batch: Batch, selection: Selection, changer: RequestChanger, counts: "Counter[Ending]"
) -> Iterator[bytes]:
    """Yield the selected requests in the order of their file, changed, and count them."""
    rows = retryable_results(batch)
    if selection.error_code:
        rows = rows.filter(error_code=selection.error_code)
    columns = ("line", "request_at", "request_bytes", "outcome", "status_code")
    with batch.upload.blob.open("rb") as blob:
        for block in rows.blocks(ROWS_AT_ONCE):
            for line, start, length, outcome, status_code in list(block.values_list(*columns)):
                ending = ending_of(outcome, status_code)
                if ending is None or ending not in selection.endings:
                    continue
                blob.seek(start)
                request = blob.read(length)
                if len(request) < length:
                    raise OSError(f"the file ends before line {line}")
                counts[ending] += 1
                yield changer.change(request, ending) + b"\n"


def _name(batch: Batch) -> str:
    stem = MARK.sub("", batch.upload.name.removesuffix(ENDING))
    retry_files = Upload.objects.filter(project=batch.project_id, selection__isnull=False)
    number = retry_files.filter(name__startswith=f"{stem}-retry").count() + 1
    return numbered_name(stem, "-retry", number)
