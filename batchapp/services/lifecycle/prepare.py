"""Split the file of a batch, and write one pending result per request before anything is sent."""

from collections.abc import Callable, Iterator
from itertools import islice

from django.db import transaction
from django.utils import timezone

from batchapp.domain.request_files import check_file, splitting
from batchapp.domain.request_files.splitting import Span
from batchapp.models import Event, EventKind, ProviderBatch, Result, bulk_rows

RESULTS_PER_INSERT = 2_000
# What a request tells of its result, in the order of ``pending_rows``.
REQUEST_FIELDS = ("line", "custom_id", "model", "request_at", "request_bytes")


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
            only_model=span.model,
            next_check_at=now,
        )
        for number, span in enumerate(others, start=provider_batch.number + 1)
    ]
    with transaction.atomic():
        provider_batch.renew_lease(
            starts_at=first.start,
            size=first.size,
            total=first.requests,
            only_model=first.model,
        )
        ProviderBatch.objects.bulk_create(created)
        if created:
            Event.objects.create(
                batch_id=provider_batch.batch_id,
                kind=EventKind.SPLIT,
                data={"provider_batches": len(created) + 1, "by_model": bool(first.model)},
            )
    return created


def prepare(provider_batch: ProviderBatch) -> None:
    """Write one pending result per request, and split the file first if that is not done yet.

    Raises:
        StaleRow: another worker has the row; the blocks written before stay.
    """
    split_file(provider_batch)
    rows = pending_rows(provider_batch, provider_batch.lease_renewer())
    same = {"batch": provider_batch.batch_id, "provider_batch": provider_batch.pk}
    same |= {name: value for name, value in Result.NO_ANSWER.items() if value is not None}
    while block := list(islice(rows, RESULTS_PER_INSERT)):
        with transaction.atomic():
            bulk_rows.insert_new(Result, REQUEST_FIELDS, block, same)
            provider_batch.renew_lease()
    # An imported batch runs at the provider already.
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING if provider_batch.remote_id else ProviderBatch.Status.WAITING
    )


def pending_rows(
    provider_batch: ProviderBatch, renew_lease: Callable[[int], None]
) -> Iterator[bulk_rows.Row]:
    """Yield the ``REQUEST_FIELDS`` of each request, in the order of the file.

    ``renew_lease`` is called while the lines before the span of the provider batch are counted.
    """
    upload, starts_at = provider_batch.batch.upload, provider_batch.starts_at
    before = _renewing_lease(renew_lease, upload.chunks(0, starts_at))
    lines_before = sum(chunk.count(b"\n") for chunk in before)
    for request in check_file.read_requests(upload.chunks(starts_at, provider_batch.size)):
        if provider_batch.only_model not in {"", request.model}:
            continue
        yield (
            lines_before + request.line,
            request.custom_id,
            request.model,
            starts_at + request.offset,
            request.length,
        )


def _spans(provider_batch: ProviderBatch) -> list[Span]:
    """Return the spans of the file. A file that goes out in one piece is not read for that.

    For a provider that takes one model in a file, each span has the requests of one model.
    """
    batch, upload = provider_batch.batch, provider_batch.batch.upload
    limits = batch.connection.limits
    is_divided = batch.connection.capabilities.one_model_per_file and not provider_batch.remote_id
    if is_divided and batch.model_costs.count() > 1:
        chunks = _renewing_lease(provider_batch.lease_renewer(), upload.chunks())
        requests = check_file.read_requests(chunks)
        lines = ((request.model, request.offset, request.length) for request in requests)
        return list(splitting.split_by_model(lines, limits))
    if not batch.sent_first and limits.fits_one_batch(upload.size, batch.requests):
        return [Span(0, upload.size, batch.requests)]
    chunks = _renewing_lease(provider_batch.lease_renewer(), upload.chunks())
    return list(splitting.split_file(chunks, limits, batch.sent_first))


def _renewing_lease(
    renew_lease: Callable[[int], None], chunks: Iterator[bytes]
) -> Iterator[bytes]:
    """Return ``chunks`` unchanged, and renew the lease while they are read."""
    for chunk in chunks:
        renew_lease(len(chunk))
        yield chunk
