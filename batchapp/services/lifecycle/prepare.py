"""The third room: a file is divided, and every request gets its row before anything is sent."""

from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from django.utils import timezone

from batchapp.domain.request_files import check_file, splitting
from batchapp.domain.request_files.splitting import Span
from batchapp.models import Event, ProviderBatch, Result

ROWS_AT_ONCE = 2_000


def split_file(provider_batch: ProviderBatch) -> list[ProviderBatch]:
    """Give the first part of a batch its stretch of the file, and make the others.

    All of them or none are written, once: a file that was divided stays so. Returns the new
    parts, to be prepared like the first.

    Raises:
        StaleRow: another worker has it now; nothing was written.
    """
    if provider_batch.size is not None:
        return []
    first, *others = _spans(provider_batch)
    now = timezone.now()
    fresh = [
        ProviderBatch(
            batch_id=provider_batch.batch_id,
            number=number,
            starts_at=span.start,
            size=span.size,
            total=span.requests,
            next_check_at=now,
        )
        for number, span in enumerate(others, start=provider_batch.number + 1)
    ]
    with transaction.atomic():
        provider_batch.renew_lease(starts_at=first.start, size=first.size, total=first.requests)
        ProviderBatch.objects.bulk_create(fresh)
        if fresh:
            text = f"Divided into {len(fresh) + 1:,} parts."
            Event.objects.create(batch_id=provider_batch.batch_id, text=text)
    return fresh


def prepare(provider_batch: ProviderBatch) -> None:
    """Write one pending result per request of ``part``; rows that are there already stay.

    A file that was not divided yet is divided first.

    Raises:
        StaleRow: another worker has it now; the rows written so far are the same ones.
    """
    split_file(provider_batch)
    lines_before = _lines_before(provider_batch)
    requests = check_file.read_requests(
        provider_batch.batch.upload.chunks(provider_batch.starts_at, provider_batch.size)
    )
    while rows := [
        _pending(provider_batch, request, lines_before)
        for request in islice(requests, ROWS_AT_ONCE)
    ]:
        Result.objects.bulk_create(rows, ignore_conflicts=True)
        provider_batch.renew_lease()
    # One that was made elsewhere runs at the provider already.
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING if provider_batch.remote_id else ProviderBatch.Status.WAITING
    )


def _spans(provider_batch: ProviderBatch) -> list[Span]:
    """How the file is divided; of one that fits in one file no byte is read."""
    upload, batch = provider_batch.batch.upload, provider_batch.batch
    limits = batch.connection.limits
    if limits.fits_one_batch(upload.size, batch.requests):
        return [Span(0, upload.size, batch.requests)]
    return list(splitting.split_file(_renewing_lease(provider_batch, upload.chunks()), limits))


def _lines_before(provider_batch: ProviderBatch) -> int:
    """The physical lines of the upload that come before ``part``."""
    before = provider_batch.batch.upload.chunks(0, provider_batch.starts_at)
    return sum(chunk.count(b"\n") for chunk in _renewing_lease(provider_batch, before))


def _renewing_lease(provider_batch: ProviderBatch, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same ``chunks``, with a sign of life now and then."""
    sign = provider_batch.lease_renewer()
    for chunk in chunks:
        sign(len(chunk))
        yield chunk


def _pending(
    provider_batch: ProviderBatch, request: check_file.Request, lines_before: int
) -> Result:
    return Result(
        batch_id=provider_batch.batch_id,
        provider_batch=provider_batch,
        line=lines_before + request.line,
        custom_id=request.custom_id,
        model=request.model,
        request_at=provider_batch.starts_at + request.offset,
        request_bytes=request.length,
    )
