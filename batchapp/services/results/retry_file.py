"""Requests that are run again: which there are, and the file that a retry is made of."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils import timezone

from batchapp.domain.results.retry_selection import ADVICE, Changing, Ending, Selection, ending
from batchapp.models import Batch, ProviderBatch, Result, Upload, User
from batchapp.models.batches.result import ResultQuerySet

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
NAME_LENGTH = 255
ENDING = ".jsonl"
MARK = re.compile(r"-retry(-\d+)?$")

OUTCOMES = [each.value for each in ADVICE if each not in {Ending.LASTING, Ending.UNPAID}]
"""That may be run again; these two have the outcome of any other failure."""

GONE = (
    "The batch whose requests were to be run again is gone, so this file cannot be made. Delete "
    "this entry."
)


@dataclass(frozen=True, slots=True)
class RetryableCounts:
    """How many requests of a batch ended how, by error code; those still open are not in it."""

    tally: "Counter[tuple[Ending, str]]"

    def count(self, found: Ending, error_code: str = "") -> int:
        return sum(
            number
            for (each, code), number in self.tally.items()
            if each is found and (not error_code or code == error_code)
        )

    def total(self, selection: Selection) -> int:
        """How many requests ``selection`` takes."""
        return sum(self.count(each, selection.error_code) for each in selection.endings)

    @property
    def endings(self) -> list[Ending]:
        """Those that occur, in the order in which people are asked."""
        return [each for each in ADVICE if self.count(each)]

    @property
    def error_codes(self) -> list[str]:
        """Those that occur, the most frequent first."""
        codes: Counter[str] = Counter()
        for (_, code), number in self.tally.items():
            codes[code] += number
        return [code for code, _ in codes.most_common() if code]


def retryable_counts(batch: Batch) -> RetryableCounts:
    """What of ``batch`` can be run again; what a retry has answered is not counted."""
    rows = _rows(batch).order_by().values_list("outcome", "status_code", "error_code")
    tally: Counter[tuple[Ending, str]] = Counter()
    for outcome, status_code, error_code, number in rows.annotate(Count("pk")):
        if found := ending(outcome, status_code):
            tally[found, error_code] += number
    return RetryableCounts(tally)


def is_possible(batch: Batch) -> bool:
    """Whether there is anything to run again."""
    return _rows(batch).exists()


def request_retry_file(
    batch: Batch, user: User, selection: Selection, *, submission: UUID
) -> Upload:
    """Decide to run requests of ``batch`` again; a worker makes the file of them.

    ``submission`` is made with the form: the same one with the same choice is the same file.
    """
    asked = sorted(selection.endings), selection.error_code, selection.changes
    pk = uuid5(submission, f"{batch.pk} {user.pk} {asked!r}")
    if before := Upload.objects.filter(pk=pk).first():
        return before
    fresh = Upload(
        pk=pk,
        project=batch.project,
        uploaded_by=user,
        name=_name(batch),
        size=0,
        made_from=batch.upload,
        retry_of=batch,
        selection=msgspec.to_builtins(msgspec.structs.replace(selection, parent=batch.name)),
        next_check_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:  # sent twice at one instant
        if before := Upload.objects.filter(pk=pk).first():
            return before
        raise
    return fresh


def write_retry_file(upload: Upload) -> bool:
    """Write the bytes of a file that was begun; False if they cannot be, and why is recorded.

    Of a batch that still runs only what has ended by now is taken.

    Raises:
        StaleRow: another worker has it now; what this one wrote is dropped.
    """
    batch, selection = upload.retry_of, upload.choice
    if batch is None or selection is None:
        return _fail(upload, GONE)
    if not retryable_counts(batch).total(selection):
        return _fail(
            upload,
            f"Nothing of {batch} is left to run again: no request that ended so is without an "
            "answer. Look at its results, and delete this entry.",
        )
    counts: Counter[Ending] = Counter()
    changing = Changing(selection)

    def told() -> dict[str, Any]:
        done = msgspec.structs.replace(
            selection, counts=dict(counts), unlimited=changing.unlimited
        )
        return {"selection": msgspec.to_builtins(done)}

    try:
        upload.attach(_lines(batch, selection, changing, counts), told)
    except OSError as exc:
        logger.exception("upload %s: it cannot be made of batch %s", upload.pk, batch.pk)
        return _fail(
            upload,
            f"The requests of {batch} could not be written: {batch.upload} could not be read, or "
            f"there is no room to write ({exc.strerror or exc}). Try again; if it happens again, "
            "tell whoever runs this portal.",
        )
    return True


def _fail(upload: Upload, error: str) -> bool:
    upload.move_to(Upload.Status.FAILED, error=error)
    return False


def _rows(batch: Batch) -> ResultQuerySet:
    """What is paused or being reopened runs again in place by itself."""
    rows = Result.objects.filter(batch=batch, outcome__in=OUTCOMES, retried=None)
    return rows.exclude(
        provider_batch__status__in=[
            ProviderBatch.Status.PAUSED,
            ProviderBatch.Status.RETRYING_IN_PLACE,
        ]
    )


def _lines(
    batch: Batch, selection: Selection, changing: Changing, counts: "Counter[Ending]"
) -> Iterator[bytes]:
    """The requests in the order of their file, as they are to be sent; counts them on the way."""
    rows = _rows(batch)
    if selection.error_code:
        rows = rows.filter(error_code=selection.error_code)
    columns = ("line", "request_at", "request_bytes", "outcome", "status_code")
    with batch.upload.blob.open("rb") as blob:
        for stretch in rows.stretches(ROWS_AT_ONCE):
            for line, start, length, outcome, status_code in list(stretch.values_list(*columns)):
                each = ending(outcome, status_code)
                if each is None or each not in selection.endings:
                    continue
                blob.seek(start)
                request = blob.read(length)
                if len(request) < length:
                    raise OSError(f"it ends before line {line}")
                counts[each] += 1
                yield changing.changed(request, each) + b"\n"


def _name(batch: Batch) -> str:
    """The file's with a word behind it, and a number from the second retry of the file on."""
    stem = MARK.sub("", batch.upload.name.removesuffix(ENDING))
    before = Upload.objects.filter(project=batch.project_id, selection__isnull=False)
    number = before.filter(name__startswith=f"{stem}-retry").count() + 1
    mark = "-retry" if number == 1 else f"-retry-{number}"
    return f"{stem[: NAME_LENGTH - len(mark) - len(ENDING)]}{mark}{ENDING}"
