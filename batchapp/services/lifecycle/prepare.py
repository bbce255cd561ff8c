"""The third room: a file is divided, and every request gets its row before anything is sent."""

from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from django.utils import timezone

from batchapp.domain.request_files import check_file, splitting
from batchapp.domain.request_files.splitting import Span
from batchapp.models import Event, Part, Result

ROWS_AT_ONCE = 2_000


def divide(part: Part) -> list[Part]:
    """Give the first part of a batch its stretch of the file, and make the others.

    All of them or none are written, once: a file that was divided stays so. Returns the new
    parts, to be prepared like the first.

    Raises:
        StaleRow: another worker has it now; nothing was written.
    """
    if part.size is not None:
        return []
    first, *others = _spans(part)
    now = timezone.now()
    fresh = [
        Part(
            batch_id=part.batch_id,
            number=number,
            starts_at=span.start,
            size=span.size,
            total=span.requests,
            next_check_at=now,
        )
        for number, span in enumerate(others, start=part.number + 1)
    ]
    with transaction.atomic():
        part.renew(starts_at=first.start, size=first.size, total=first.requests)
        Part.objects.bulk_create(fresh)
        if fresh:
            text = f"Divided into {len(fresh) + 1:,} parts."
            Event.objects.create(batch_id=part.batch_id, text=text)
    return fresh


def prepare(part: Part) -> None:
    """Write one pending result per request of ``part``; rows that are there already stay.

    A file that was not divided yet is divided first.

    Raises:
        StaleRow: another worker has it now; the rows written so far are the same ones.
    """
    divide(part)
    lines_before = _lines_before(part)
    requests = check_file.requests(part.batch.upload.chunks(part.starts_at, part.size))
    while rows := [
        _pending(part, request, lines_before) for request in islice(requests, ROWS_AT_ONCE)
    ]:
        Result.objects.bulk_create(rows, ignore_conflicts=True)
        part.renew()
    # One that was made elsewhere runs at the provider already.
    part.move_to(Part.Status.RUNNING if part.upstream_id else Part.Status.WAITING)


def _spans(part: Part) -> list[Span]:
    """How the file is divided; of one that fits in one file no byte is read."""
    upload, batch = part.batch.upload, part.batch
    limits = batch.connection.limits
    if limits.fit(upload.size, batch.requests):
        return [Span(0, upload.size, batch.requests)]
    return list(splitting.divide(_watched(part, upload.chunks()), limits))


def _lines_before(part: Part) -> int:
    """The physical lines of the upload that come before ``part``."""
    before = part.batch.upload.chunks(0, part.starts_at)
    return sum(chunk.count(b"\n") for chunk in _watched(part, before))


def _watched(part: Part, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same ``chunks``, with a sign of life now and then."""
    sign = part.keep_alive()
    for chunk in chunks:
        sign(len(chunk))
        yield chunk


def _pending(part: Part, request: check_file.Request, lines_before: int) -> Result:
    return Result(
        batch_id=part.batch_id,
        part=part,
        line=lines_before + request.line,
        custom_id=request.custom_id,
        model=request.model,
        request_at=part.starts_at + request.offset,
        request_bytes=request.length,
    )
