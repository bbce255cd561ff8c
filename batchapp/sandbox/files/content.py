"""``GET /v1/files/{id}/content``: the lines of an input, output or error file."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batchapp.sandbox.accounts import inference_account
from batchapp.sandbox.api.parameters import integer, page_size, path_id
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.context import Sandbox, sandbox_of
from batchapp.sandbox.files.endpoints import find_file
from batchapp.sandbox.files.lines import read_lines
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.outcomes import (
    INVALID_MARKER,
    failure_reason,
    parse_directive,
)
from batchapp.sandbox.language_model.responses import make_response
from batchapp.sandbox.prompt_cache.runs import cached_tokens
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import Store

# What a result line says of a request, and where that is.
RESULT_COLUMNS = (
    "requests.line AS line, status, has_failed, settles_at, cache_read, cache_5m, cache_1h,"
    " cache_24h, error AS marker_error"
)
CACHE_JOINS = (
    " LEFT JOIN cached_tokens"
    " ON cached_tokens.batch = requests.batch AND cached_tokens.line = requests.line"
    " LEFT JOIN marked_prompts"
    " ON marked_prompts.file = lines.file AND marked_prompts.line = requests.line"
    f" AND status = {INVALID_MARKER}"
)
LINES_PER_BLOCK = 50  # generated at a time; one embedding has about 50 kB


@dataclass(frozen=True, slots=True)
class LineRange:
    skip: int
    limit: int | None
    search: str | None

    @classmethod
    def of(cls, request: Request) -> "LineRange":
        return cls(
            skip=max(integer(request, "skip") or 0, 0),
            limit=page_size(request, None),
            search=request.query_params.get("search"),
        )

    @property
    def sql_limit(self) -> int:
        """Return the limit and one more line, which shows whether the file goes on."""
        return -1 if self.limit is None else self.limit + 1


def get_content(request: Request) -> Response:
    """Return the lines of a file after the first ``skip`` lines.

    ``X-Last-Line`` is the ``skip`` of the next call; ``X-Incomplete`` says whether more lines
    will follow.
    Source: the provider's server, control-layer 10.13.
    """
    owner, file_id = inference_account(request), path_id(request, "file_id")
    sandbox, line_range = sandbox_of(request), LineRange.of(request)
    with sandbox.store.read_transaction() as connection:
        file = find_file(connection, file_id, owner.id)
        if file["purpose"] == "batch":
            return _input_lines(sandbox.store, connection, file, line_range)
        row = connection.execute("SELECT * FROM batches WHERE pk = ?", (file["batch"],)).fetchone()
        has_failed = file["purpose"] == "batch_error"
        batch = Batch.from_row(row)
        return _result_lines(sandbox, connection, batch, line_range, has_failed=has_failed)


def ndjson_response(
    blocks: Iterator[bytes], *, is_incomplete: bool, last_line: int | None, is_page: bool
) -> Response:
    """Stream all lines, or send a page at once with a Content-Length."""
    headers = {"X-Incomplete": str(is_incomplete).lower()}
    if last_line is not None:
        headers["X-Last-Line"] = str(last_line)
    media_type = "application/x-ndjson"
    if is_page:
        return Response(b"".join(blocks), headers=headers, media_type=media_type)
    return StreamingResponse(blocks, headers=headers, media_type=media_type)


def search_condition(line_range: LineRange) -> tuple[str, list[str]]:
    if line_range.search is None:
        return "", []
    return " AND instr(lower(custom_id), lower(?)) > 0", [line_range.search]


def _input_lines(
    store: Store, connection: sqlite3.Connection, file: sqlite3.Row, line_range: LineRange
) -> Response:
    condition, values = search_condition(line_range)
    rows = connection.execute(
        f"SELECT offset, length FROM lines WHERE file = ?{condition}"  # noqa: S608
        " ORDER BY number LIMIT ? OFFSET ?",
        (file["pk"], *values, line_range.sql_limit, line_range.skip),
    ).fetchall()
    page = rows[: line_range.limit]
    is_page = line_range.limit is not None
    return ndjson_response(
        _input_blocks(store, file["id"], page),
        is_incomplete=len(rows) > len(page),
        last_line=line_range.skip + len(page) if is_page else None,
        is_page=is_page,
    )


def _input_blocks(store: Store, file_id: str, rows: Sequence[sqlite3.Row]) -> Iterator[bytes]:
    with store.content_path(file_id).open("rb") as source:
        remaining = iter(rows)
        while block := list(islice(remaining, LINES_PER_BLOCK)):
            lines = []
            for row in block:
                source.seek(row["offset"])
                lines.append(source.read(row["length"]))
            yield b"".join(lines)


def _result_lines(
    sandbox: Sandbox,
    connection: sqlite3.Connection,
    batch: Batch,
    line_range: LineRange,
    *,
    has_failed: bool,
) -> Response:
    moment = sandbox.now()
    condition, values = search_condition(line_range)
    rows = connection.execute(
        f"SELECT {RESULT_COLUMNS} FROM requests"  # noqa: S608
        " JOIN lines ON lines.file = ? AND lines.number = requests.line"
        f"{CACHE_JOINS} WHERE requests.batch = ? AND has_failed = ? AND settles_at <= ?{condition}"
        " ORDER BY settles_at, requests.line LIMIT ? OFFSET ?",
        (
            batch.file,
            batch.pk,
            has_failed,
            moment,
            *values,
            line_range.sql_limit,
            line_range.skip,
        ),
    ).fetchall()
    if _is_purged(batch, moment, sandbox.settings):
        rows = []
    page = rows[: line_range.limit]
    is_page = line_range.limit is not None
    has_last_line = is_page or (line_range.search is None and batch.deleted_at is None)
    return ndjson_response(
        _result_blocks(sandbox.store, batch, page),
        is_incomplete=len(rows) > len(page) or batch.is_unfinished(moment),
        last_line=line_range.skip + len(page) if has_last_line else None,
        is_page=is_page,
    )


def _is_purged(batch: Batch, moment: float, settings: Settings) -> bool:
    return batch.deleted_at is not None and moment > batch.deleted_at + settings.purge_seconds


def _result_blocks(store: Store, batch: Batch, rows: Sequence[sqlite3.Row]) -> Iterator[bytes]:
    remaining = iter(rows)
    while block := list(islice(remaining, LINES_PER_BLOCK)):
        requests = read_lines(store, batch.file, [row["line"] for row in block])
        yield b"".join(
            result_line(batch, row, request) for row, request in zip(block, requests, strict=True)
        )


def result_line(batch: Batch, row: sqlite3.Row, request: RequestLine) -> bytes:
    """Return one line of an output or error file, with its keys in the provider's order."""
    request_id = batch.request_id(row["line"])
    head = b'{"id":"batch_req_%s","custom_id":%s,' % (
        request_id.encode(),
        msgspec.json.encode(request.custom_id),
    )
    if row["status"] == 200:
        return b'%s"response":{"status_code":200,"request_id":null,"body":%s},"error":null}\n' % (
            head,
            response_body(request, request_id, row),
        )
    reason = failure_reason(request, row["status"], row["marker_error"])
    return b'%s"response":null,"error":{"code":null,"message":%s}}\n' % (
        head,
        msgspec.json.encode(reason),
    )


def response_body(request: RequestLine, request_id: str, row: sqlite3.Row) -> bytes:
    directive = parse_directive(request.body)
    response_id = request_id.replace("-", "")
    return make_response(
        request,
        directive,
        response_id=response_id,
        created=int(row["settles_at"]),
        cached=cached_tokens(row),
    )
