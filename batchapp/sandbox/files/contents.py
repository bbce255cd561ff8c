"""``GET /v1/files/{id}/content``: input lines, answers so far, or failures so far."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batchapp.sandbox.accounts import account
from batchapp.sandbox.answers.answering import answer_body
from batchapp.sandbox.answers.behaviour import directive, failure_reason
from batchapp.sandbox.api.parameters import identifier, integer, page_size
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.files.lines import read_lines
from batchapp.sandbox.files.showing import find_file
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import Sandbox, now, sandbox_of
from batchapp.sandbox.store import Store

LINES_PER_BLOCK = 50
"""How many lines are made at a time; one embedding weighs about 50 kB."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a file is asked for. ``offset`` is unknown to the provider."""

    skip: int
    limit: int | None
    search: str | None

    @classmethod
    def of(cls, request: Request) -> "Window":
        return cls(
            skip=max(integer(request, "skip") or 0, 0),
            limit=page_size(request, None),
            search=request.query_params.get("search"),
        )

    @property
    def sql_limit(self) -> int:
        """One more than asked for, to know whether there is more; -1 for no limit."""
        return -1 if self.limit is None else self.limit + 1


def content(request: Request) -> Response:
    """A file's lines from ``skip`` on.

    ``X-Last-Line`` counts the lines read so far, so it is the next ``skip``;
    ``X-Incomplete`` says whether to come back. While nothing is done the body is empty.
    Source: the provider's server, control-layer 10.13.
    """
    owner, file_id = account(request), identifier(request, "file_id")
    sandbox, window = sandbox_of(request), Window.of(request)
    with sandbox.store.reading() as connection:
        file = find_file(connection, file_id, owner.id)
        if file["purpose"] == "batch":
            return _input(sandbox.store, connection, file, window)
        row = connection.execute("SELECT * FROM batches WHERE pk = ?", (file["batch"],)).fetchone()
        has_failed = file["purpose"] == "batch_error"
        return _outcomes(sandbox, connection, Batch.from_row(row), window, has_failed=has_failed)


def ndjson(
    blocks: Iterator[bytes], *, is_incomplete: bool, last_line: int | None, is_page: bool
) -> Response:
    """Lines as they are made, or at once with a length if they are one page."""
    headers = {"X-Incomplete": str(is_incomplete).lower()}
    if last_line is not None:
        headers["X-Last-Line"] = str(last_line)
    media_type = "application/x-ndjson"
    if is_page:
        return Response(b"".join(blocks), headers=headers, media_type=media_type)
    return StreamingResponse(blocks, headers=headers, media_type=media_type)


def search_condition(window: Window) -> tuple[str, list[str]]:
    if window.search is None:
        return "", []
    return " AND instr(lower(custom_id), lower(?)) > 0", [window.search]


def _input(
    store: Store, connection: sqlite3.Connection, file: sqlite3.Row, window: Window
) -> Response:
    condition, values = search_condition(window)
    rows = connection.execute(
        f"SELECT offset, length FROM lines WHERE file = ?{condition}"  # noqa: S608
        " ORDER BY number LIMIT ? OFFSET ?",
        (file["pk"], *values, window.sql_limit, window.skip),
    ).fetchall()
    wanted = rows[: window.limit]
    is_page = window.limit is not None
    return ndjson(
        _input_blocks(store, file["id"], wanted),
        is_incomplete=len(rows) > len(wanted),
        last_line=window.skip + len(wanted) if is_page else None,
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


def _outcomes(
    sandbox: Sandbox,
    connection: sqlite3.Connection,
    batch: Batch,
    window: Window,
    *,
    has_failed: bool,
) -> Response:
    moment = now()
    condition, values = search_condition(window)
    rows = connection.execute(
        "SELECT line, status, settles_at FROM requests"  # noqa: S608
        " JOIN lines ON lines.file = ? AND lines.number = requests.line"
        f" WHERE batch = ? AND has_failed = ? AND settles_at <= ?{condition}"
        " ORDER BY settles_at, line LIMIT ? OFFSET ?",
        (batch.file, batch.pk, has_failed, moment, *values, window.sql_limit, window.skip),
    ).fetchall()
    if _is_purged(batch, moment, sandbox.settings):
        rows = []
    wanted = rows[: window.limit]
    last_line: int | None = window.skip + len(wanted)
    if window.limit is None and (window.search is not None or batch.deleted_at is not None):
        last_line = None
    return ndjson(
        _outcome_blocks(sandbox.store, batch, wanted),
        is_incomplete=len(rows) > len(wanted) or batch.is_unfinished(moment),
        last_line=last_line,
        is_page=window.limit is not None,
    )


def _is_purged(batch: Batch, moment: float, settings: Settings) -> bool:
    return batch.deleted_at is not None and moment > batch.deleted_at + settings.purge_seconds


def _outcome_blocks(store: Store, batch: Batch, rows: Sequence[sqlite3.Row]) -> Iterator[bytes]:
    remaining = iter(rows)
    while block := list(islice(remaining, LINES_PER_BLOCK)):
        requests = read_lines(store, batch.file, [row["line"] for row in block])
        yield b"".join(
            outcome_line(batch, row, request) for row, request in zip(block, requests, strict=True)
        )


def outcome_line(batch: Batch, row: sqlite3.Row, request: RequestLine) -> bytes:
    """One line of an output or error file, keys in the provider's order."""
    request_id = batch.request_id(row["line"])
    head = b'{"id":"batch_req_%s","custom_id":%s,' % (
        request_id.encode(),
        msgspec.json.encode(request.custom_id),
    )
    if row["status"] == 200:
        return b'%s"response":{"status_code":200,"request_id":null,"body":%s},"error":null}\n' % (
            head,
            response_body(request, request_id, row["settles_at"]),
        )
    reason = failure_reason(request, row["status"])
    return b'%s"response":null,"error":{"code":null,"message":%s}}\n' % (
        head,
        msgspec.json.encode(reason),
    )


def response_body(request: RequestLine, request_id: str, settles_at: float) -> bytes:
    answer_id = request_id.replace("-", "")
    wish = directive(request.body)
    return answer_body(request, wish, answer_id=answer_id, created=int(settles_at))
