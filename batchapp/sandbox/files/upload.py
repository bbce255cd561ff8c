"""``POST /v1/files``: check every line of a file, and store the file only if all are valid."""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, State, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, inference_account
from batchapp.sandbox.api.errors import json_response, text_error, too_many_requests
from batchapp.sandbox.context import Sandbox, sandbox_of
from batchapp.sandbox.files.endpoints import file_object
from batchapp.sandbox.files.validation import CheckedLine, body_size_error, check_line
from batchapp.sandbox.language_model.outcomes import plan_outcome
from batchapp.sandbox.prompt_cache.markers import marked_prompt
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import insert_row

FORM_OVERHEAD_BYTES = 10 * 1024  # allowed for the parts of the form other than the file
# White space by Rust's definition; Python would add four control characters.
WHITE_SPACE = "".join(
    chr(code) for code in range(0x3001) if chr(code).isspace() and code not in range(0x1C, 0x20)
)
LINES_PER_WRITE = 2000  # per transaction, so that other writes do not wait long


async def upload_file(request: Request) -> Response:
    """Store the uploaded file; 201.

    Raises:
        ApiError: 400, 403, 413 or 429; nothing is stored.
    """
    owner = inference_account(request)
    sandbox = sandbox_of(request)
    with _slot(request.app.state, sandbox.settings):
        form = await _form(request, sandbox.settings)
        try:
            content = await run_in_threadpool(_store, sandbox, owner, form)
        finally:
            await form.close()
    return json_response(content, 201)


@contextmanager
def _slot(state: State, settings: Settings) -> Iterator[None]:
    """Count a running upload, and raise a 429 error beyond the limit."""
    limit = settings.concurrent_uploads
    if limit is not None and state.uploads >= limit:
        raise too_many_requests("Too many file uploads in progress. Please retry later.")
    state.uploads += 1
    try:
        yield
    finally:
        state.uploads -= 1


async def _form(request: Request, settings: Settings) -> FormData:
    """Read the form; the file goes to disk while it is received."""
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise text_error(400, "Invalid `boundary` for `multipart/form-data` request")
    limit = settings.file_bytes + FORM_OVERHEAD_BYTES
    too_large = text_error(
        413, f"File exceeds the maximum allowed size of {settings.file_bytes} bytes"
    )
    content_length = request.headers.get("Content-Length", "")
    if content_length.isdecimal() and int(content_length) > limit:
        raise too_large

    async def limited_stream() -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                raise too_large
            yield chunk

    try:
        form = await MultiPartParser(request.headers, limited_stream()).parse()
    except MultiPartException as exc:
        raise text_error(400, f"Failed to read multipart upload: {exc.message}") from exc
    for part in form.getlist("file"):
        if isinstance(part, UploadFile) and (part.size or 0) > settings.file_bytes:
            await form.close()
            raise too_large
    return form


def _store(sandbox: Sandbox, owner: Account, form: FormData) -> dict[str, object]:
    purpose = str(form.get("purpose", "batch"))
    if purpose.lower() != "batch":
        raise text_error(400, f"Invalid purpose '{purpose}'. Only 'batch' is supported.")
    part = form.get("file")
    if not isinstance(part, UploadFile):
        raise text_error(400, "No file field found in multipart upload")
    file_id, received_at = str(uuid4()), sandbox.now()
    columns = {
        "id": file_id,
        "owner": owner.id,
        "purpose": "batch",
        "filename": part.filename,
        "bytes": part.size,
        "created_at": received_at,
        "expires_at": received_at + _lifetime_seconds(form, sandbox.settings),
        "state": "receiving",
    }
    with sandbox.store.write_transaction() as connection:
        pk = insert_row(connection, "files", columns)
    try:
        with sandbox.store.content_path(file_id).open("wb") as target:
            models = _store_lines(sandbox, pk, part.file, target)
    except BaseException:
        _delete(sandbox, pk, file_id)
        raise
    with sandbox.store.write_transaction() as connection:
        connection.executemany(
            "INSERT INTO file_models (file, model, requests, body_bytes) VALUES (?, ?, ?, ?)",
            [(pk, model, *totals) for model, totals in models.items()],
        )
        connection.execute("UPDATE files SET state = 'ready' WHERE pk = ?", (pk,))
        row = connection.execute("SELECT * FROM files WHERE pk = ?", (pk,)).fetchone()
    return file_object(row, row["bytes"])


def _lifetime_seconds(form: FormData, settings: Settings) -> float:
    """Return the lifetime in the form, without limits, or the default if it is no number."""
    seconds = form.get("expires_after[seconds]")
    if seconds is None:
        return settings.file_lifetime_seconds
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", str(seconds)):
        return settings.file_lifetime_seconds
    return float(min(int(str(seconds)), 10**11))


def _store_lines(
    sandbox: Sandbox, pk: int, source: BinaryIO, target: BinaryIO
) -> dict[str, tuple[int, int]]:
    """Check and store all lines; return the requests and the body bytes of each model."""
    models: dict[str, tuple[int, int]] = {}
    rows: list[tuple[object, ...]] = []
    prompts: list[tuple[object, ...]] = []
    number = offset = 0
    for number, raw in enumerate(_lines(source, sandbox.settings), start=1):
        line = check_line(raw, number, sandbox.settings)
        target.write(line.stored)
        rows.append((pk, number, *_index_columns(line, offset)))
        offset += len(line.stored)
        if b'"cache_control"' in line.stored:
            prompts += _marker_columns(line, pk, number, sandbox.settings)
        requests, body_bytes = models.get(line.model, (0, 0))
        models[line.model] = requests + 1, body_bytes + line.body_bytes
        if len(rows) == LINES_PER_WRITE:
            _insert_lines(sandbox, rows, prompts)
    _insert_lines(sandbox, rows, prompts)
    limit = sandbox.settings.requests_per_file
    if number == 0:
        raise text_error(400, "File contains no valid request templates")
    if limit is not None and number > limit:
        message = f"File contains {number} requests, which exceeds the maximum of {limit}"
        raise text_error(400, message)
    return models


def _index_columns(line: CheckedLine, offset: int) -> tuple[object, ...]:
    """Return the columns of ``lines`` after ``file`` and ``number``."""
    outcome = plan_outcome(line.request)
    return (
        offset,
        len(line.stored),
        line.request.custom_id,
        line.model,
        outcome.first_status,
        outcome.later_status,
        outcome.is_slow,
        outcome.prompt_tokens,
        outcome.completion_tokens,
    )


def _lines(source: BinaryIO, settings: Settings) -> Iterator[bytes]:
    """Yield the lines that are not blank, without surrounding white space."""
    max_bytes = settings.line_body_bytes + 64 * 1024
    number = 1
    while raw := source.readline(max_bytes + 1):
        if len(raw) > max_bytes:
            # The rest of the line is not read, because one line could fill the memory.
            raise text_error(400, f"Line {number}: {body_size_error(len(raw), settings)}")
        line = _strip(raw)
        if line:
            yield line
            number += 1


def _strip(raw: bytes) -> bytes:
    """Return ``raw`` without the white space of Unicode at its ends."""
    line = raw.strip()
    if not line or (line[0] < 0x80 and line[-1] < 0x80):
        return line
    try:
        return line.decode().strip(WHITE_SPACE).encode()
    except UnicodeDecodeError:
        return line


def _marker_columns(
    line: CheckedLine, pk: int, number: int, settings: Settings
) -> list[tuple[object, ...]]:
    """Return the row of ``marked_prompts``, or none; invalid markers fail only at the run."""
    prompt = marked_prompt(line.request.url, line.request.body, settings.cache)
    if prompt is None:
        return []
    return [(pk, number, prompt.error, msgspec.json.encode(prompt).decode())]


def _insert_lines(
    sandbox: Sandbox, rows: list[tuple[object, ...]], prompts: list[tuple[object, ...]]
) -> None:
    with sandbox.store.write_transaction() as connection:
        connection.executemany(
            "INSERT INTO lines (file, number, offset, length, custom_id, model, first_status,"
            " later_status, is_slow, prompt_tokens, completion_tokens)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.executemany(
            "INSERT INTO marked_prompts (file, line, error, prompt) VALUES (?, ?, ?, ?)", prompts
        )
    rows.clear()
    prompts.clear()


def _delete(sandbox: Sandbox, pk: int, file_id: str) -> None:
    with sandbox.store.write_transaction() as connection:
        for table in ("lines", "marked_prompts"):
            connection.execute(f"DELETE FROM {table} WHERE file = ?", (pk,))  # noqa: S608
        connection.execute("DELETE FROM files WHERE pk = ?", (pk,))
    sandbox.store.content_path(file_id).unlink(missing_ok=True)
