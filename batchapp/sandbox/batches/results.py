"""``GET /v1/batches/{id}/results``: all requests of a batch in the order of its input file."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import inference_account
from batchapp.sandbox.api.errors import text_error
from batchapp.sandbox.api.parameters import path_id
from batchapp.sandbox.batches.objects import find_batch
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.files.content import (
    CACHE_JOINS,
    LINES_PER_BLOCK,
    RESULT_COLUMNS,
    LineRange,
    ndjson_response,
    response_body,
    search_condition,
)
from batchapp.sandbox.files.lines import read_lines
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.outcomes import failure_reason
from batchapp.sandbox.store import Store

# The provider shows cancelled requests as pending.
_STATUS_CONDITIONS = {
    "pending": " AND (settles_at IS NULL OR settles_at > :now)",
    "in_progress": " AND 0",
    "completed": " AND has_failed = 0 AND settles_at <= :now",
    "failed": " AND has_failed = 1 AND settles_at <= :now",
}


def list_results(request: Request) -> Response:
    """Return all requests with their current results; a validating batch has no lines.

    Unlike the other downloads, the empty response of a validating batch is called complete.
    """
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox, line_range = sandbox_of(request), LineRange.of(request)
    store, moment = sandbox.store, sandbox.now()
    with store.read_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        is_page = line_range.limit is not None
        if moment < batch.populated_at:
            return ndjson_response(
                iter(()), is_incomplete=False, last_line=batch.total, is_page=is_page
            )
        is_readable = connection.execute(
            "SELECT 1 FROM files WHERE pk = ? AND state = 'ready'", (batch.file,)
        ).fetchone()
        if is_page and not is_readable:
            raise text_error(500, "Internal server error")
        rows = _rows(connection, request, batch, line_range, moment)
    page = rows[: line_range.limit]
    blocks = _blocks(store, batch, page, moment) if is_readable else _aborted_stream()
    return ndjson_response(
        blocks,
        is_incomplete=len(rows) > len(page) or batch.is_unfinished(moment),
        last_line=line_range.skip + len(page),
        is_page=is_page,
    )


def _rows(
    connection: sqlite3.Connection,
    request: Request,
    batch: Batch,
    line_range: LineRange,
    moment: float,
) -> list[sqlite3.Row]:
    status = request.query_params.get("status")
    values = {
        "file": batch.file,
        "batch": batch.pk,
        "now": moment,
        "search": line_range.search,
        "limit": line_range.sql_limit,
        "skip": line_range.skip,
    }
    # No request has an unknown status; the provider does not call that an error.
    condition = "" if status is None else _STATUS_CONDITIONS.get(status, " AND 0")
    if line_range.search is not None:
        condition += search_condition(line_range)[0].replace("?", ":search")
    return connection.execute(
        f"SELECT {RESULT_COLUMNS} FROM requests"  # noqa: S608
        " JOIN lines ON lines.file = :file AND lines.number = requests.line"
        f"{CACHE_JOINS} WHERE requests.batch = :batch{condition}"
        " ORDER BY requests.line LIMIT :limit OFFSET :skip",
        values,
    ).fetchall()


def _aborted_stream() -> Iterator[bytes]:
    """Interrupt the response, as the provider does if the input file was deleted."""
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
    content = {
        "id": request_id,
        "custom_id": line.custom_id,
        "model": line.body["model"],
        "input_body": line.body,
        "response_body": None,
        "error": None,
        "status": "pending",
    }
    if is_settled and row["has_failed"]:
        content |= {
            "status": "failed",
            "error": failure_reason(line, row["status"], row["marker_error"]),
        }
    elif is_settled:
        body = response_body(line, request_id, row)
        content |= {"status": "completed", "response_body": msgspec.Raw(body)}
    return msgspec.json.encode(content) + b"\n"
