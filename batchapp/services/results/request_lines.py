"""Tell each request of a batch with its answer in one line of JSON, in the order of the file."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db.models import QuerySet

from batchapp import access
from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.models import Batch, Result, User
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.merge import ROWS_AT_ONCE, Position, positions
from batchapp.services.results.reused_answers import RequestFiles

STATUSES: Mapping[str, frozenset[Outcome]] = {
    "pending": frozenset({Outcome.PENDING}),
    "completed": SUCCEEDED | {Outcome.REUSED},
    "failed": FAILED | {Outcome.MISSING},
    "cancelled": frozenset({Outcome.CANCELLED}),
}
_STATUS_OF = {outcome: status for status, group in STATUSES.items() for outcome in group}

_Fields = dict[str, msgspec.Raw]
_decode_fields = msgspec.json.Decoder(_Fields).decode
_NULL = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class RequestLines:
    """Some requests of a batch in order; ``end`` is the number of requests up to the last one."""

    lines: Iterator[bytes]
    end: int
    has_more: bool


def read_request_lines(
    batch: Batch,
    user: User,
    *,
    skip: int = 0,
    limit: int | None = None,
    search: str = "",
    status: str = "",
) -> RequestLines:
    """Return the requests of ``batch`` after the first ``skip``, at most ``limit`` of them.

    ``search`` is a part of the custom_id, and ``status`` one of ``STATUSES``.

    Raises:
        NotAllowed: nothing was read.
        Refused: the requests and answers were deleted.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    rows = batch.results.order_by("line")
    rows = rows.filter(custom_id__icontains=search) if search else rows
    rows = rows.filter(outcome__in=STATUSES[status]) if status else rows
    total = rows.count()
    end = total if limit is None else min(total, skip + limit)
    return RequestLines(_lines(batch, rows, skip, end), max(end, skip), has_more=end < total)


def _lines(batch: Batch, rows: QuerySet[Result], skip: int, end: int) -> Iterator[bytes]:
    with ExitStack() as stack, ChunkFiles() as files:
        requests = RequestFiles(batch, stack)
        for block in positions(batch, _blocks(rows, skip, end), own=True):
            files.load(position.chunk for position in block if position.chunk)
            for position in block:
                yield _line(batch, position, requests, files)


def _blocks(rows: QuerySet[Result], skip: int, end: int) -> Iterator[QuerySet[Result]]:
    """Yield the rows from ``skip`` to ``end``, each block by the lines that it begins after."""
    ahead = rows[skip - 1 : skip] if skip else ()
    after = next((row.line for row in ahead), 0)
    while skip < end:
        number = min(ROWS_AT_ONCE, end - skip)
        block = rows.filter(line__gt=after)[:number]
        yield block
        skip += number
        after = max((row.line for row in block.only("line")), default=after)


def _line(batch: Batch, position: Position, requests: RequestFiles, files: ChunkFiles) -> bytes:
    request = _fields_of(
        requests.read(position.asked_in, position.request_at, position.request_bytes)
    )
    body = request.get("body", _NULL)
    has_line = position.outcome != Outcome.PENDING and position.chunk is not None
    answer, error = _answer_of(position.read(files)) if has_line else (_NULL, None)
    fields = {
        "id": f"{batch.pk.hex}-{position.line}",
        "custom_id": position.custom_id,
        "model": _fields_of(bytes(body)).get("model", _NULL),
        "input_body": body,
        "response_body": answer,
        "error": error,
        "status": _STATUS_OF[Outcome(position.outcome)],
    }
    return msgspec.json.encode(fields) + b"\n"


def _answer_of(line: bytes) -> tuple[msgspec.Raw, Any]:
    """Return the body of the answer in a result line, and its error as a text or None."""
    fields = _fields_of(line)
    if not fields:  # no strict JSON, as with a NaN
        return _NULL, line.decode(errors="replace")
    response = _fields_of(bytes(fields.get("response", _NULL)))
    error = bytes(fields.get("error", _NULL))
    return response.get("body", _NULL), None if error == b"null" else error.decode()


def _fields_of(text: bytes) -> _Fields:
    try:
        return _decode_fields(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
