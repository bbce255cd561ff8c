"""``POST /v1/files``: receive a file to disk, check every line, keep all of it or nothing."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, State, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, account
from batchapp.sandbox.answers.behaviour import plan
from batchapp.sandbox.api.errors import busy, json_response, refused
from batchapp.sandbox.files.showing import file_object
from batchapp.sandbox.files.validation import CheckedLine, body_size_fault, check
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import Sandbox, now, sandbox_of

FORM_OVERHEAD_BYTES = 10 * 1024
"""What a form may need besides the file before it is refused unread."""
LINES_PER_WRITE = 2000


async def upload(request: Request) -> Response:
    """Store the uploaded file; 201.

    Raises:
        ApiError: 400, 403, 413 or 429; nothing of the file is kept.
    """
    owner = account(request)
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
    """One of the places for simultaneous uploads, if they are limited."""
    most = settings.concurrent_uploads
    if most is not None and state.uploads >= most:
        raise busy("Too many file uploads in progress. Please retry later.")
    state.uploads += 1
    try:
        yield
    finally:
        state.uploads -= 1


async def _form(request: Request, settings: Settings) -> FormData:
    """Read the form; its file goes to disk as it comes."""
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise refused(400, "Invalid `boundary` for `multipart/form-data` request")
    limit = settings.file_bytes + FORM_OVERHEAD_BYTES
    too_large = refused(
        413, f"File exceeds the maximum allowed size of {settings.file_bytes} bytes"
    )
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large

    async def counted() -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                raise too_large
            yield chunk

    try:
        form = await MultiPartParser(request.headers, counted()).parse()
    except MultiPartException as exc:
        raise refused(400, f"Failed to read multipart upload: {exc.message}") from exc
    for part in form.getlist("file"):
        if isinstance(part, UploadFile) and (part.size or 0) > settings.file_bytes:
            await form.close()
            raise too_large
    return form


def _store(sandbox: Sandbox, owner: Account, form: FormData) -> dict[str, object]:
    purpose = str(form.get("purpose", "batch"))
    if purpose.lower() != "batch":
        raise refused(400, f"Invalid purpose '{purpose}'. Only 'batch' is supported.")
    part = form.get("file")
    if not isinstance(part, UploadFile):
        raise refused(400, "No file field found in multipart upload")
    file_id, received_at = str(uuid4()), now()
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
    with sandbox.store.writing() as connection:
        pk = connection.execute(
            f"INSERT INTO files ({', '.join(columns)})"  # noqa: S608  # our own column names
            f" VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        ).lastrowid
    try:
        with sandbox.store.content_path(file_id).open("wb") as target:
            models = _store_lines(sandbox, pk, part.file, target)
    except BaseException:
        _forget(sandbox, pk, file_id)
        raise
    with sandbox.store.writing() as connection:
        connection.executemany(
            "INSERT INTO file_models (file, model, requests, body_bytes) VALUES (?, ?, ?, ?)",
            [(pk, model, *totals) for model, totals in models.items()],
        )
        connection.execute("UPDATE files SET state = 'ready' WHERE pk = ?", (pk,))
        row = connection.execute("SELECT * FROM files WHERE pk = ?", (pk,)).fetchone()
    return file_object(row, row["bytes"])


def _lifetime_seconds(form: FormData, settings: Settings) -> float:
    """The wished lifetime, whatever it is; the provider knows no least and no most."""
    wished = form.get("expires_after[seconds]")
    if wished is None:
        return settings.file_lifetime_seconds
    if not str(wished).isdecimal():
        raise refused(400, f"Invalid expires_after[seconds]: {wished}")
    return float(min(int(str(wished)), 10**11))


def _store_lines(
    sandbox: Sandbox, pk: int | None, source: BinaryIO, target: BinaryIO
) -> dict[str, tuple[int, int]]:
    """Check and write all lines; return requests and body bytes of each model.

    Lines go to the database in small transactions, so that others may write meanwhile.
    """
    models: dict[str, tuple[int, int]] = {}
    rows: list[tuple[object, ...]] = []
    number = offset = 0
    for number, raw in enumerate(_lines(source, sandbox.settings), start=1):
        line = check(raw, number, sandbox.settings)
        target.write(line.stored)
        rows.append((pk, number, *_indexed(line, offset)))
        offset += len(line.stored)
        requests, body_bytes = models.get(line.model, (0, 0))
        models[line.model] = requests + 1, body_bytes + line.body_bytes
        if len(rows) == LINES_PER_WRITE:
            _insert(sandbox, rows)
    _insert(sandbox, rows)
    most = sandbox.settings.requests_per_file
    if number == 0:
        raise refused(400, "File contains no valid request templates")
    if most is not None and number > most:
        excess = f"File contains {number} requests, which exceeds the maximum of {most}"
        raise refused(400, excess)
    return models


def _indexed(line: CheckedLine, offset: int) -> tuple[object, ...]:
    """What the database keeps of a line: where it lies, and what it will come to."""
    foreseen = plan(line.request)
    return (
        offset,
        len(line.stored),
        line.request.custom_id,
        line.model,
        foreseen.first_status,
        foreseen.later_status,
        foreseen.is_slow,
        foreseen.prompt_tokens,
        foreseen.completion_tokens,
    )


def _lines(source: BinaryIO, settings: Settings) -> Iterator[bytes]:
    """The lines that are not blank, without the white space around them."""
    longest = settings.line_body_bytes + 64 * 1024
    number = 1
    while raw := source.readline(longest + 1):
        if len(raw) > longest:
            # Such a line is not even read to its end, lest one line fill the memory.
            raise refused(400, f"Line {number}: {body_size_fault(len(raw), settings)}")
        line = raw.strip()
        if line:
            yield line
            number += 1


def _insert(sandbox: Sandbox, rows: list[tuple[object, ...]]) -> None:
    with sandbox.store.writing() as connection:
        connection.executemany(
            "INSERT INTO lines (file, number, offset, length, custom_id, model, first_status,"
            " later_status, is_slow, prompt_tokens, completion_tokens)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    rows.clear()


def _forget(sandbox: Sandbox, pk: int | None, file_id: str) -> None:
    with sandbox.store.writing() as connection:
        connection.execute("DELETE FROM lines WHERE file = ?", (pk,))
        connection.execute("DELETE FROM files WHERE pk = ?", (pk,))
    sandbox.store.content_path(file_id).unlink(missing_ok=True)
