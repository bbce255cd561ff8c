"""Files as the provider shows them: uploads, and two virtual files for every batch."""

import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import account
from batchapp.sandbox.api.errors import ApiError, json_response, refused
from batchapp.sandbox.api.parameters import cursor, identifier, page_size
from batchapp.sandbox.batches.cancelling import cancel_batch
from batchapp.sandbox.batches.progress import TERMINAL, Batch, counts
from batchapp.sandbox.state import now, sandbox_of

PURPOSES = ("batch", "batch_output", "batch_error")
RESULT_BYTES = 600
"""What a result line is taken to weigh where only an estimate is asked for."""


def list_files(request: Request) -> Response:
    owner = account(request)
    sandbox, moment = sandbox_of(request), now()
    conditions, values = _listing_conditions(request, owner.id)
    limit = page_size(request) or 1
    order = _order(request)
    with sandbox.store.reading() as connection:
        after = _cursor_row(connection, request, owner.id)
        if after is not None:
            conditions.append("pk < ?" if order == "DESC" else "pk > ?")
            values.append(after["pk"])
        where = " AND ".join(conditions)
        rows = connection.execute(
            f"SELECT * FROM files WHERE {where} ORDER BY pk {order} LIMIT ?",  # noqa: S608
            (*values, limit + 1),
        ).fetchall()
        data = [_shown(connection, row, moment) for row in rows[:limit]]
    return json_response(page(data, has_more=len(rows) > limit))


def get_file(request: Request) -> Response:
    owner = account(request)
    file_id = identifier(request, "file_id")
    with sandbox_of(request).store.reading() as connection:
        row = find_file(connection, file_id, owner.id)
        return json_response(_shown(connection, row, now()))


def delete_file(request: Request) -> Response:
    """Hide a file. Batches made from it stay, but those still running are cancelled."""
    owner = account(request)
    sandbox, moment = sandbox_of(request), now()
    file_id = identifier(request, "file_id")
    with sandbox.store.writing() as connection:
        row = find_file(connection, file_id, owner.id)
        connection.execute("UPDATE files SET state = 'deleted' WHERE pk = ?", (row["pk"],))
        for column in ("output_file_id", "error_file_id"):
            connection.execute(
                f"UPDATE batches SET {column} = NULL WHERE {column} = ?",  # noqa: S608
                (file_id,),
            )
        made_from_it = "SELECT * FROM batches WHERE file = ? AND deleted_at IS NULL"
        for batch in map(Batch.from_row, connection.execute(made_from_it, (row["pk"],))):
            if batch.status(moment, sandbox.settings) not in TERMINAL | {"finalizing"}:
                cancel_batch(connection, batch, moment)
    return json_response({"id": file_id, "object": "file", "deleted": True})


def find_file(connection: sqlite3.Connection, file_id: str, owner: str) -> sqlite3.Row:
    """The owner's file.

    Raises:
        ApiError: 404 if there is none, it was deleted, or it is somebody else's.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM files WHERE id = ? AND owner = ? AND state = 'ready'", (file_id, owner)
    ).fetchone()
    if row is None:
        raise unknown_file(file_id)
    return row


def unknown_file(file_id: str) -> ApiError:
    return refused(404, f"File with ID {file_id} not found")


def file_object(row: sqlite3.Row, size: int) -> dict[str, Any]:
    """A file as JSON; what it does not have is left out."""
    shown = {
        "id": row["id"],
        "object": "file",
        "bytes": size,
        "created_at": int(row["created_at"]),
        "filename": row["filename"],
        "purpose": row["purpose"],
    }
    if row["expires_at"] is not None:
        shown["expires_at"] = int(row["expires_at"])
    return shown


def page(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, **ends, "has_more": has_more}


def _shown(connection: sqlite3.Connection, row: sqlite3.Row, moment: float) -> dict[str, Any]:
    size = row["bytes"]
    if row["batch"] is not None:
        found = connection.execute("SELECT * FROM batches WHERE pk = ?", (row["batch"],))
        done = counts(connection, Batch.from_row(found.fetchone()), moment)
        lines = done.completed if row["purpose"] == "batch_output" else done.failed
        size = lines * RESULT_BYTES
    email = f"{row['owner'][:8]}@sandbox.invalid"
    extras = {"created_by_email": email, "context_name": "Personal", "context_type": "personal"}
    return file_object(row, size) | extras


def _listing_conditions(request: Request, owner: str) -> tuple[list[str], list[Any]]:
    conditions, values = ["owner = ?", "state = 'ready'"], [owner]
    query = request.query_params
    if "member_id" in query:
        raise refused(400, "member_id is only available in an organization")
    if "purpose" in query:
        if query["purpose"] not in PURPOSES:
            raise refused(400, f"Invalid purpose '{query['purpose']}'")
        conditions.append("purpose = ?")
        values.append(query["purpose"])
    if "search" in query:
        conditions.append("filename LIKE ? ESCAPE '\\'")
        values.append(f"%{query['search']}%")
    return conditions, values


def _order(request: Request) -> str:
    order = request.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise refused(400, f"Invalid order '{order}'. Must be 'asc' or 'desc'")
    return order.upper()


def _cursor_row(
    connection: sqlite3.Connection, request: Request, owner: str
) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT pk FROM files WHERE id = ? AND owner = ?", (cursor(request), owner)
    ).fetchone()
    return row
