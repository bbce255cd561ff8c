"""Export each request with its answer, and with its row of the table, as one line of JSON."""

import errno
import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO

import msgspec

from batchapp.domain.results.outcome import Outcome
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.exports.content import ExportContent
from batchapp.services.results.merge import Position
from batchapp.services.results.reused_answers import RequestFiles

_encode = msgspec.json.Encoder().encode

NO_ROW: tuple[float, dict[str, str]] = (math.inf, {})  # behind the last row of the table


def write(content: ExportContent, file: BinaryIO, on_rows: Callable[[int], None]) -> None:
    """Write a line for each chosen request: its request and result lines stand in it as stored.

    ``result`` is null for a request that has not ended. A result line that is no strict JSON, with
    NaN for example, becomes a text, ``result_text``.
    """
    written = 0
    table_rows = content.table_rows()
    row_line, row = next(table_rows, NO_ROW)
    with ExitStack() as stack, ChunkFiles() as files:
        requests = RequestFiles(content.batch, stack)
        for positions in content.positions():
            files.load(position.chunk for position in positions if position.chunk)
            for position in positions:
                fields: dict[str, Any] = {
                    "line": position.line,
                    "custom_id": position.custom_id,
                    "outcome": position.outcome,
                }
                while row_line < position.line:
                    row_line, row = next(table_rows, NO_ROW)
                if row_line == position.line:
                    fields["row"] = row
                fields["request"] = _request(requests, position)
                _add_result(fields, files, position)
                file.write(_encode(fields) + b"\n")
            written += len(positions)
            on_rows(written)


def _request(requests: RequestFiles, position: Position) -> msgspec.Raw:
    where = position.asked_in, position.request_at, position.request_bytes
    request = requests.read(*where)
    if len(request) < position.request_bytes:
        raise OSError(errno.EIO, f"The stored request {position.custom_id} is cut off")
    return msgspec.Raw(request.strip() or b"null")


def _add_result(fields: dict[str, Any], files: ChunkFiles, position: Position) -> None:
    fields["result"] = None
    if position.outcome == Outcome.PENDING:
        return
    line = position.read(files)
    if _is_strict_json(line):
        fields["result"] = msgspec.Raw(line)
    else:
        fields["result_text"] = line.decode(errors="replace")


def _is_strict_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            # Half of a surrogate pair is JSON, which the fast reader refuses.
            json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)
