"""Retry files: count the requests that can be retried, and write a file of some of them."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.db.models import Q
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.results.outcome import FAILED, Outcome
from batchapp.domain.results.problem_groups import ProblemKind, kind_of
from batchapp.domain.results.retry_selection import (
    ADVICE,
    RequestChanger,
    Selection,
)
from batchapp.models import Batch, ProviderBatch, Result, Upload, User
from batchapp.models.batches.result import ResultQuerySet
from batchapp.models.files.upload import ENDING, numbered_name
from batchapp.storage.blob_storage import StorageUnavailable

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
KIND_COLUMNS = ("outcome", "status_code", "error_code", "error_message")
MARK = re.compile(r"-retry(-\d+)?$")

OUTCOMES = [outcome.value for outcome in ADVICE]  # that can be retried


@dataclass(frozen=True, slots=True)
class RetryableCounts:
    """Counts of the requests of a batch that have ended without an answer."""

    numbers: "Counter[tuple[Outcome, str]]"

    @property
    def all(self) -> int:
        return sum(self.numbers.values())

    def count(self, outcome: Outcome, error_code: str = "") -> int:
        return sum(
            number
            for key, number in self.numbers.items()
            if key[0] is outcome and error_code in {"", key[1]}
        )

    def total(self, selection: Selection) -> int:
        """Return how many requests ``selection`` covers."""
        return sum(self.count(outcome, selection.error_code) for outcome in selection.outcomes)

    @property
    def outcomes(self) -> list[Outcome]:
        """Return the outcomes that occur, in the order of ``ADVICE``."""
        return [outcome for outcome in ADVICE if self.count(outcome)]

    @property
    def error_codes(self) -> list[str]:
        """Return the error codes that occur, the most frequent first."""
        codes: Counter[str] = Counter()
        for (_, code), number in self.numbers.items():
            codes[code] += number
        return [code for code, _ in codes.most_common() if code]


def has_retryable(batch: Batch) -> bool:
    return retryable_results(batch).exists()


def is_retryable(result: Result) -> bool:
    if result.outcome not in OUTCOMES:
        return False
    return retryable_results(result.batch).filter(pk=result.pk).exists()


def retryable_results(batch: Batch) -> ResultQuerySet:
    """Return the results that a retry can run again, and that no retry has answered."""
    # Paused requests, and those being retried in place, run again without a retry file.
    rows = Result.objects.filter(batch=batch, outcome__in=OUTCOMES, retried=None)
    if batch.purged_at:
        return rows.none()
    return rows.exclude(
        Q(provider_batch__parked_reason=ProviderBatch.Parked.PAUSED)
        | Q(provider_batch__status=ProviderBatch.Status.RETRYING_IN_PLACE)
    )


def results_of_kind(batch: Batch, kind: ProblemKind) -> ResultQuerySet:
    """Return the retryable results with the outcome and status of ``kind``.

    Only their messages can tell whether they are of this kind.
    """
    rows = retryable_results(batch).filter(outcome=kind.outcome)
    return rows.filter(status_code=kind.status_code) if kind.outcome in FAILED else rows


def request_retry_file(
    batch: Batch, user: User, selection: Selection, *, submission: UUID
) -> Upload:
    """Create the row of a file that retries requests of ``batch``; a worker writes the bytes.

    ``submission`` is the id of the form: the same id with the same selection is the same file.

    Raises:
        NotAllowed: nothing was written.
        Refused: the requests of ``batch`` were deleted; nothing was written.
    """
    access.require_write(user, batch.project)
    batch.require_content()
    return Upload.objects.insert_once(
        Upload(
            pk=retry_file_id(batch, user, selection, submission=submission),
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


def retry_file_id(batch: Batch, user: User, selection: Selection, *, submission: UUID) -> UUID:
    """Return the id of the file that ``request_retry_file`` makes of the same arguments."""
    seed: tuple[object, ...] = sorted(selection.outcomes), selection.error_code, selection.changes
    if selection.problem:
        seed += (selection.problem.key,)
    if selection.line:
        seed += (selection.line,)
    return uuid5(submission, f"{batch.pk} {user.pk} {seed!r}")


def write_retry_file(upload: Upload) -> bool:
    """Write the bytes of a requested retry file; return False if the row failed instead.

    While the batch still runs, the file has the requests that have ended so far.

    Raises:
        StaleRow: another worker has the row now; the bytes of this worker are dropped.
        StorageUnavailable: nothing was stored; write the file again later.
    """
    batch, selection = upload.retry_of, upload.retry_selection
    if batch is None or selection is None:
        return _fail(upload, Problem(ProblemCode.RETRIED_BATCH_DELETED))
    if not _has_any(batch, selection):
        problem = Problem(ProblemCode.NOTHING_LEFT_TO_RETRY, {"batch": batch.name})
        return _fail(upload, problem)
    counts: Counter[Outcome] = Counter()
    changer = RequestChanger(selection)

    def final_fields() -> dict[str, Any]:
        written = msgspec.structs.replace(
            selection, counts=dict(counts), unlimited=changer.unlimited
        )
        return {"selection": msgspec.to_builtins(written)}

    try:
        upload.write_content(_lines(batch, selection, changer, counts), final_fields)
    except StorageUnavailable:  # the step is run again
        raise
    except OSError as exc:
        logger.exception("upload %s: cannot be written from batch %s", upload.pk, batch.pk)
        data = {"batch": batch.name, "file": batch.upload.name}
        data["reason"] = exc.strerror or str(exc)
        return _fail(upload, Problem(ProblemCode.RETRY_NOT_WRITTEN, data))
    return True


def _has_any(batch: Batch, selection: Selection) -> bool:
    rows, kind = _selected_results(batch, selection), selection.problem
    if kind is None:
        return rows.exists()
    endings = rows.values_list(*KIND_COLUMNS).iterator()
    return any(kind_of(*ending) == kind for ending in endings)


def _selected_results(batch: Batch, selection: Selection) -> ResultQuerySet:
    """Return the results that ``selection`` covers; of a problem, only messages can tell."""
    rows = retryable_results(batch).filter(outcome__in=selection.outcomes)
    if selection.problem:
        rows = results_of_kind(batch, selection.problem)
    if selection.error_code:
        rows = rows.filter(error_code=selection.error_code)
    return rows.filter(line=selection.line) if selection.line else rows


def _fail(upload: Upload, problem: Problem) -> bool:
    upload.move_to(Upload.Status.FAILED, problem=problem)
    return False


def _lines(
    batch: Batch, selection: Selection, changer: RequestChanger, counts: "Counter[Outcome]"
) -> Iterator[bytes]:
    """Yield the selected requests in the order of their file, changed, and count them."""
    kind = selection.problem
    rows = _selected_results(batch, selection)
    columns = ("line", "request_at", "request_bytes", *KIND_COLUMNS)
    with batch.upload.blob.open("rb") as blob:
        for block in rows.blocks(ROWS_AT_ONCE):
            for line, start, length, *ending in list(block.values_list(*columns)):
                outcome = Outcome(ending[0])
                if kind and kind_of(*ending) != kind:
                    continue
                blob.seek(start)
                request = blob.read(length)
                if len(request) < length:
                    raise OSError(f"the file ends before line {line}")
                counts[outcome] += 1
                yield changer.change(request, outcome) + b"\n"


def _name(batch: Batch) -> str:
    stem = MARK.sub("", batch.upload.name.removesuffix(ENDING))
    retry_files = Upload.objects.filter(project=batch.project_id, selection__isnull=False)
    number = retry_files.filter(name__startswith=f"{stem}-retry").count() + 1
    return numbered_name(stem, "-retry", number)
