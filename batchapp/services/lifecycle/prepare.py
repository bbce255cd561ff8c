"""Split the file of a batch, and write one pending result per request before anything is sent."""

from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from django.utils import timezone

from batchapp.domain.request_files import check_file, splitting
from batchapp.domain.request_files.splitting import Span
from batchapp.models import Event, EventKind, ProviderBatch, Result

RESULTS_PER_INSERT = 2_000


def split_file(provider_batch: ProviderBatch) -> list[ProviderBatch]:
    """Give the first provider batch its span of the file, and create the others.

    All are written or none, and only once: a file that was split stays so. Returns the new
    provider batches, which are due to be prepared.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    if provider_batch.size is not None:
        return []
    first, *others = _spans(provider_batch)
    now = timezone.now()
    created = [
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
        ProviderBatch.objects.bulk_create(created)
        if created:
            Event.objects.create(
                batch_id=provider_batch.batch_id,
                kind=EventKind.SPLIT,
                data={"provider_batches": len(created) + 1},
            )
    return created


def prepare(provider_batch: ProviderBatch) -> None:
    """Write one pending result per request, and split the file first if that is not done yet.

    Raises:
        StaleRow: another worker has the row; the results written so far stay, and are the same.
    """
    split_file(provider_batch)
    lines_before = _lines_before(provider_batch)
    requests = check_file.read_requests(
        provider_batch.batch.upload.chunks(provider_batch.starts_at, provider_batch.size)
    )
    while block := list(islice(requests, RESULTS_PER_INSERT)):
        results = [_pending_result(provider_batch, request, lines_before) for request in block]
        Result.objects.bulk_create(results, ignore_conflicts=True)
        provider_batch.renew_lease()
    # An imported batch runs at the provider already.
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING if provider_batch.remote_id else ProviderBatch.Status.WAITING
    )


def _spans(provider_batch: ProviderBatch) -> list[Span]:
    """Return the spans of the file. A file within the provider's limits is not read for that."""
    batch, upload = provider_batch.batch, provider_batch.batch.upload
    limits = batch.connection.limits
    if limits.fits_one_batch(upload.size, batch.requests):
        return [Span(0, upload.size, batch.requests)]
    return list(splitting.split_file(_renewing_lease(provider_batch, upload.chunks()), limits))


def _lines_before(provider_batch: ProviderBatch) -> int:
    """Count the physical lines of the upload before the span of this provider batch."""
    chunks = provider_batch.batch.upload.chunks(0, provider_batch.starts_at)
    return sum(chunk.count(b"\n") for chunk in _renewing_lease(provider_batch, chunks))


def _renewing_lease(provider_batch: ProviderBatch, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Return ``chunks`` unchanged, and renew the lease while they are read."""
    renew_lease = provider_batch.lease_renewer()
    for chunk in chunks:
        renew_lease(len(chunk))
        yield chunk


def _pending_result(
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
