"""``POST /v1/batches``: the checks in the provider's order, then one committed batch."""

import json
import sqlite3
from typing import Any
from uuid import UUID, uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, account
from batchapp.sandbox.answers.behaviour import NO_CREDIT_STATUS, NO_CREDIT_TEXT
from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import busy, json_response, refused
from batchapp.sandbox.api.parameters import json_body
from batchapp.sandbox.batches.objects import batch_object
from batchapp.sandbox.batches.progress import Batch, schedule
from batchapp.sandbox.faults.kinds import REFUSALS
from batchapp.sandbox.files.showing import unknown_file
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import Sandbox, now, sandbox_of

RESERVED_METADATA = {
    "created_by_email",
    "context_name",
    "context_type",
    "request_source",
    "created_by",
    "dw_user_agent",
}
"""Keys a client cannot set: they are dropped without a word."""


class NewBatch(msgspec.Struct):
    """The body of the call; OpenAI's limits on metadata are not enforced."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None


_DECODER = msgspec.json.Decoder(NewBatch)


async def create(request: Request) -> Response:
    """Create a batch; 201. Nothing keeps a client from creating the same one twice."""
    owner = account(request)
    sandbox = sandbox_of(request)
    wanted = await json_body(request, _DECODER, sandbox.settings)
    agent = request.headers.get("User-Agent", "")
    refusals = request.scope.get(REFUSALS, set())
    content = await run_in_threadpool(_create, sandbox, owner, wanted, agent, refusals)
    return json_response(content, 201)


def _create(
    sandbox: Sandbox, owner: Account, wanted: NewBatch, agent: str, refusals: set[str]
) -> dict[str, Any]:
    settings, moment = sandbox.settings, now()
    _check_wishes(wanted, settings)
    file_id = _file_id(wanted)
    if owner.balance_usd < 0:
        raise refused(402, NO_CREDIT_TEXT)
    columns = {
        "id": str(uuid4()),
        "owner": owner.id,
        "output_file_id": str(uuid4()),
        "error_file_id": str(uuid4()),
        "endpoint": wanted.endpoint,
        "completion_window": wanted.completion_window,
        "metadata": _stored_metadata(wanted.metadata or {}, owner, agent),
        "has_credit": owner.balance_usd > 0,
        "created_at": moment,
        "populated_at": moment + settings.lasting(settings.validating_seconds),
        "expires_at": moment + settings.completion_windows[wanted.completion_window],
    }
    with sandbox.store.writing() as connection:
        file = _input_file(connection, file_id, owner)
        _check_models(connection, file["pk"], wanted.completion_window)
        if refusals:
            _refuse(connection, file["pk"], wanted.completion_window, refusals)
        batch = _insert(connection, file["pk"], columns, settings)
        _insert_virtual_files(connection, batch)
        return batch_object(connection, batch, moment, settings)


def _check_wishes(wanted: NewBatch, settings: Settings) -> None:
    if wanted.completion_window not in settings.completion_windows:
        allowed = ", ".join(settings.completion_windows)
        raise refused(400, f"Unsupported completion_window. Allowed values: {allowed}")
    if wanted.endpoint not in settings.endpoints:
        supported = ", ".join(settings.endpoints)
        raise refused(400, f"Unsupported endpoint '{wanted.endpoint}'. Supported: {supported}")


def _file_id(wanted: NewBatch) -> str:
    try:
        return str(UUID(wanted.input_file_id))
    except ValueError as exc:
        raise refused(400, "Invalid input_file_id format") from exc


def _input_file(connection: sqlite3.Connection, file_id: str, owner: Account) -> sqlite3.Row:
    """The uploaded file; unlike everywhere else, somebody else's is 403 and not 404."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM files WHERE id = ? AND state = 'ready'", (file_id,)
    ).fetchone()
    if row is None:
        raise unknown_file(file_id)
    if row["owner"] != owner.id:
        raise refused(403, "Insufficient permissions to Create Batches")
    if row["purpose"] != "batch":
        raise refused(400, f"File with ID {file_id} is not a batch input file")
    return row


def _check_models(connection: sqlite3.Connection, file_pk: int, window: str) -> None:
    rows = connection.execute("SELECT model FROM file_models WHERE file = ?", (file_pk,))
    models = [row["model"] for row in rows]
    for alias in models:
        if alias in MODELS and window not in MODELS[alias].windows:
            allowed = ", ".join(MODELS[alias].windows)
            raise refused(
                400,
                f"Model '{alias}' does not support completion window '{window}'."
                f" Allowed: {allowed}",
            )
    gone = [alias for alias in models if alias not in MODELS]
    if gone:
        names = ", ".join(gone)
        raise refused(400, f"The following model(s) are no longer available: {names}")


def _refuse(connection: sqlite3.Connection, file_pk: int, window: str, refusals: set[str]) -> None:
    """Say what a fault asks for, in the place where the provider would."""
    if "unverified" in refusals:
        raise busy(
            f"Unverified accounts have a limited volume in the {window} completion window."
            " Please verify your account or submit fewer requests."
        )
    rows = connection.execute("SELECT model FROM file_models WHERE file = ?", (file_pk,))
    names = ", ".join(row["model"] for row in rows)
    raise busy(
        f"Insufficient capacity for {window} completion window."
        f" The following models are currently at capacity: {names}."
    )


def _insert(
    connection: sqlite3.Connection,
    file_pk: int,
    columns: dict[str, Any],
    settings: Settings,
) -> Batch:
    """Write the batch, and what each of its requests comes to and when."""
    lines = connection.execute(
        "SELECT number, first_status, is_slow FROM lines WHERE file = ?", (file_pk,)
    ).fetchall()
    times = schedule(
        [(line["number"], bool(line["is_slow"])) for line in lines],
        seed=f"{columns['owner']} {columns['id']}",
        start=columns["populated_at"],
        settings=settings,
    )
    statuses = {
        line["number"]: line["first_status"] if columns["has_credit"] else NO_CREDIT_STATUS
        for line in lines
    }
    columns |= {
        "file": file_pk,
        "settled_at": times.ends_at,
        "total": len(lines),
        "failing": sum(status != 200 for status in statuses.values()),
    }
    pk = connection.execute(
        f"INSERT INTO batches ({', '.join(columns)})"  # noqa: S608  # our own column names
        f" VALUES ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    ).lastrowid
    connection.executemany(
        "INSERT INTO requests (batch, line, status, has_failed, settles_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (pk, line, statuses[line], statuses[line] != 200, settles_at)
            for line, settles_at in sorted(times.settles_at)
        ],
    )
    row = connection.execute("SELECT * FROM batches WHERE pk = ?", (pk,)).fetchone()
    return Batch.from_row(row)


def _insert_virtual_files(connection: sqlite3.Connection, batch: Batch) -> None:
    """Make the output and the error file known, though both are empty yet."""
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


def _stored_metadata(given: dict[str, str], owner: Account, agent: str) -> str:
    """The client's metadata and the server's own, as JSON that can be searched as text."""
    kept = {
        key: value
        for key, value in given.items()
        if key.lower().replace("-", "_") not in RESERVED_METADATA
    }
    kept |= {"request_source": "api", "created_by": owner.id}
    if agent:
        kept["dw_user_agent"] = agent
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)
