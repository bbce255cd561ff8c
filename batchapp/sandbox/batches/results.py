"""``GET /v1/batches/{id}/results``: every request of a batch, in the order of its input."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import account
from batchapp.sandbox.answers.behaviour import failure_reason
from batchapp.sandbox.api.errors import refused
from batchapp.sandbox.api.parameters import identifier
from batchapp.sandbox.batches.objects import find_batch
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.files.contents import (
    LINES_PER_BLOCK,
    Window,
    ndjson,
    response_body,
    search_condition,
)
from batchapp.sandbox.files.lines import read_lines
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.state import now, sandbox_of
from batchapp.sandbox.store import Store

_STATUS_CONDITIONS = {
    "pending": " AND (settles_at IS NULL OR settles_at > :now)",
    "in_progress": " AND 0",
    "completed": " AND has_failed = 0 AND settles_at <= :now",
    "failed": " AND has_failed = 1 AND settles_at <= :now",
}
"""Cancelled requests show as pending, as they do at the provider."""


def results(request: Request) -> Response:
    """All requests with their answers so far. While validating: nothing, called complete."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    store, window, moment = sandbox_of(request).store, Window.of(request), now()
    with store.reading() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        is_page = window.limit is not None
        if moment < batch.populated_at:
            return ndjson(iter(()), is_incomplete=False, last_line=batch.total, is_page=is_page)
        is_readable = connection.execute(
            "SELECT 1 FROM files WHERE pk = ? AND state = 'ready'", (batch.file,)
        ).fetchone()
        if is_page and not is_readable:
            raise refused(500, "Internal server error")
        rows = _rows(connection, request, batch, window, moment)
    wanted = rows[: window.limit]
    blocks = _blocks(store, batch, wanted, moment) if is_readable else _broken_off()
    return ndjson(
        blocks,
        is_incomplete=len(rows) > len(wanted) or batch.is_unfinished(moment),
        last_line=window.skip + len(wanted),
        is_page=is_page,
    )


def _rows(
    connection: sqlite3.Connection,
    request: Request,
    batch: Batch,
    window: Window,
    moment: float,
) -> list[sqlite3.Row]:
    wanted = request.query_params.get("status")
    if wanted is not None and wanted not in _STATUS_CONDITIONS:
        raise refused(400, f"Invalid status '{wanted}'")
    values = {
        "file": batch.file,
        "batch": batch.pk,
        "now": moment,
        "search": window.search,
        "limit": window.sql_limit,
        "skip": window.skip,
    }
    condition = _STATUS_CONDITIONS[wanted] if wanted else ""
    if window.search is not None:
        condition += search_condition(window)[0].replace("?", ":search")
    return connection.execute(
        "SELECT line, status, has_failed, settles_at FROM requests"  # noqa: S608
        " JOIN lines ON lines.file = :file AND lines.number = requests.line"
        f" WHERE batch = :batch{condition} ORDER BY line LIMIT :limit OFFSET :skip",
        values,
    ).fetchall()


def _broken_off() -> Iterator[bytes]:
    """A stream that ends in the middle: what the provider sends if the input file is gone."""
    yield b""
    raise ConnectionAbortedError("the input file of this batch was deleted")


def _blocks(
    store: Store, batch: Batch, rows: Sequence[sqlite3.Row], moment: float
) -> Iterator[bytes]:
    remaining = iter(rows)
    while block := list(islice(remaining, LINES_PER_BLOCK)):
        requests = read_lines(store, batch.file, [row["line"] for row in block])
        yield b"".join(
            _result_line(batch, row, line, moment)
            for row, line in zip(block, requests, strict=True)
        )


def _result_line(batch: Batch, row: sqlite3.Row, line: RequestLine, moment: float) -> bytes:
    request_id = batch.request_id(row["line"])
    is_settled = row["settles_at"] is not None and row["settles_at"] <= moment
    shown = {
        "id": request_id,
        "custom_id": line.custom_id,
        "model": line.body["model"],
        "input_body": line.body,
        "response_body": None,
        "error": None,
        "status": "pending",
    }
    if is_settled and row["has_failed"]:
        shown |= {"status": "failed", "error": failure_reason(line, row["status"])}
    elif is_settled:
        body = response_body(line, request_id, row["settles_at"])
        shown |= {"status": "completed", "response_body": msgspec.Raw(body)}
    return msgspec.json.encode(shown) + b"\n"
