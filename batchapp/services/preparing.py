"""The third room: every request gets its row in the ledger before anything is sent."""

from itertools import islice

from batchapp.domain.preflight import jsonl
from batchapp.models import Part, Result

ROWS_AT_ONCE = 2_000


def prepare(part: Part) -> None:
    """Write one pending result per request of ``part``; rows that are there already stay.

    Raises:
        StaleRow: another worker has it now; the rows written so far are the same ones.
    """
    requests = jsonl.requests(part.batch.upload.chunks())
    while rows := [_pending(part, request) for request in islice(requests, ROWS_AT_ONCE)]:
        Result.objects.bulk_create(rows, ignore_conflicts=True)
        part.renew()
    part.move_to(Part.Status.WAITING)


def _pending(part: Part, request: jsonl.Request) -> Result:
    return Result(
        batch_id=part.batch_id,
        part=part,
        line=request.line,
        custom_id=request.custom_id,
        model=request.model,
        request_at=request.offset,
        request_bytes=request.length,
    )
