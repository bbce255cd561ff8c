"""``POST /v1/batches``: checks in the order of the provider, then one transaction."""

import json
import sqlite3
from typing import Any
from uuid import UUID, uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, inference_account
from batchapp.sandbox.api.errors import json_response, text_error
from batchapp.sandbox.api.parameters import json_body
from batchapp.sandbox.batches.create_checks import (
    Refusals,
    check_models,
    check_volume,
    no_capacity,
)
from batchapp.sandbox.batches.objects import batch_object
from batchapp.sandbox.batches.progress import Batch, schedule
from batchapp.sandbox.context import Sandbox, sandbox_of
from batchapp.sandbox.faults.kinds import CREATE_REFUSALS_KEY
from batchapp.sandbox.files.endpoints import file_not_found
from batchapp.sandbox.language_model.outcomes import (
    INVALID_MARKER,
    NO_CREDIT_STATUS,
    NO_CREDIT_TEXT,
)
from batchapp.sandbox.prompt_cache.runs import freeze_tariffs, marker_errors, use_cache
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import insert_row

# Keys that only the server sets; values of a client are ignored without an error.
RESERVED_METADATA = {
    "created_by_email",
    "context_name",
    "context_type",
    "request_source",
    "created_by",
    "dw_user_agent",
}


class NewBatch(msgspec.Struct):
    """The body of the call, without the limits that OpenAI has for metadata."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None


_DECODER = msgspec.json.Decoder(NewBatch)


async def create_batch(request: Request) -> Response:
    """Create a batch; 201. A repeated call creates a second batch."""
    owner = inference_account(request)
    sandbox = sandbox_of(request)
    new_batch = await json_body(request, _DECODER, sandbox.settings)
    agent = request.headers.get("User-Agent", "")
    refusals = request.scope.get(CREATE_REFUSALS_KEY, {})
    content = await run_in_threadpool(_create, sandbox, owner, new_batch, agent, refusals)
    return json_response(content, 201)


def _create(
    sandbox: Sandbox, owner: Account, new_batch: NewBatch, agent: str, refusals: Refusals
) -> dict[str, Any]:
    settings, moment = sandbox.settings, sandbox.now()
    _check_fields(new_batch, settings)
    file_id = _parse_file_id(new_batch)
    if owner.balance_usd < 0:
        raise text_error(402, NO_CREDIT_TEXT)
    columns = {
        "id": str(uuid4()),
        "owner": owner.id,
        "output_file_id": str(uuid4()),
        "error_file_id": str(uuid4()),
        "endpoint": new_batch.endpoint,
        "completion_window": new_batch.completion_window,
        "metadata": _stored_metadata(new_batch.metadata or {}, owner, agent),
        "has_credit": owner.balance_usd > 0,
        "created_at": moment,
        "populated_at": moment + settings.scaled_seconds(settings.validating_seconds),
        "expires_at": moment + settings.completion_windows[new_batch.completion_window],
    }
    with sandbox.store.write_transaction() as connection:
        file = _input_file(connection, file_id, owner)
        window = new_batch.completion_window
        check_models(connection, file["pk"], window, settings, refusals)
        if "unverified" in refusals:
            rate = float(refusals["unverified"] or 0)
            check_volume(connection, file, window, settings, rate, moment=moment)
        if "capacity" in refusals:
            raise no_capacity(connection, file["pk"], window)
        batch = _insert_batch(connection, file["pk"], columns, settings)
        _insert_virtual_files(connection, batch)
        return batch_object(connection, batch, moment, settings)


def _check_fields(new_batch: NewBatch, settings: Settings) -> None:
    if new_batch.completion_window not in settings.completion_windows:
        allowed = ", ".join(settings.completion_windows)
        raise text_error(400, f"Unsupported completion_window. Allowed values: {allowed}")
    if new_batch.endpoint not in settings.endpoints:
        supported = ", ".join(settings.endpoints)
        raise text_error(
            400, f"Unsupported endpoint '{new_batch.endpoint}'. Supported: {supported}"
        )


def _parse_file_id(new_batch: NewBatch) -> str:
    try:
        return str(UUID(new_batch.input_file_id))
    except ValueError as exc:
        raise text_error(400, "Invalid input_file_id format") from exc


def _input_file(connection: sqlite3.Connection, file_id: str, owner: Account) -> sqlite3.Row:
    """Return the uploaded file. Only this call answers 403 for a file of another account."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM files WHERE id = ? AND state = 'ready'", (file_id,)
    ).fetchone()
    if row is None:
        raise file_not_found(file_id)
    if row["owner"] != owner.id:
        text = f"Insufficient permissions to Create batch using file {file_id}"
        raise text_error(403, text)
    if row["purpose"] != "batch":
        raise text_error(400, f"File with ID {file_id} is not a batch input file")
    return row


def _insert_batch(
    connection: sqlite3.Connection,
    file_pk: int,
    columns: dict[str, Any],
    settings: Settings,
) -> Batch:
    """Insert the batch, with the outcome and the time of each of its requests."""
    lines = connection.execute(
        "SELECT number, first_status, is_slow FROM lines WHERE file = ?", (file_pk,)
    ).fetchall()
    settles_at = schedule(
        [(line["number"], bool(line["is_slow"])) for line in lines],
        seed=f"{columns['owner']} {columns['id']}",
        start=columns["populated_at"],
        settings=settings,
    )
    invalid_lines = marker_errors(connection, file_pk, settings)
    statuses = {
        line["number"]: line["first_status"] if columns["has_credit"] else NO_CREDIT_STATUS
        for line in lines
    } | dict.fromkeys(invalid_lines, INVALID_MARKER)
    columns |= {
        "file": file_pk,
        "settled_at": max(settles_at.values()),
        "total": len(lines),
        "failing": sum(status != 200 for status in statuses.values()),
    }
    pk = insert_row(connection, "batches", columns)
    connection.executemany(
        "INSERT INTO requests (batch, line, status, has_failed, settles_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (pk, line, statuses[line], statuses[line] != 200, moment)
            for line, moment in sorted(settles_at.items())
        ],
    )
    row = connection.execute("SELECT * FROM batches WHERE pk = ?", (pk,)).fetchone()
    batch = Batch.from_row(row)
    freeze_tariffs(connection, batch, settings)
    use_cache(connection, batch, list(statuses), batch.populated_at, settings)
    return batch


def _insert_virtual_files(connection: sqlite3.Connection, batch: Batch) -> None:
    """Insert the output file and the error file, which are still empty."""
    connection.executemany(
        "INSERT INTO files (id, owner, purpose, batch, filename, bytes, created_at, state)"
        " VALUES (?, ?, ?, ?, ?, 0, ?, 'ready')",
        [
            (
                file_id,
                batch.owner,
                f"batch_{kind}",
                batch.pk,
                f"batch-{batch.id}-{kind}.jsonl",
                batch.created_at,
            )
            for kind, file_id in (("output", batch.output_file_id), ("error", batch.error_file_id))
        ],
    )


def _stored_metadata(client_metadata: dict[str, str], owner: Account, agent: str) -> str:
    """Return the metadata of client and server as JSON that can be searched as text."""
    metadata = {
        key: value
        for key, value in client_metadata.items()
        if key.lower().replace("-", "_") not in RESERVED_METADATA
    }
    metadata |= {"request_source": "api", "created_by": owner.id}
    if agent:
        metadata["dw_user_agent"] = agent
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True)
