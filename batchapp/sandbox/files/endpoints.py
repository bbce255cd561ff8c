"""Endpoints that list, read and delete files: uploads, and two virtual files per batch."""

import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import inference_account
from batchapp.sandbox.api.errors import ApiError, json_response, text_error
from batchapp.sandbox.api.parameters import cursor_id, page_size, path_id
from batchapp.sandbox.batches.progress import TERMINAL, Batch, request_counts
from batchapp.sandbox.batches.transitions import cancel_requests
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.faults.kinds import EARLY_CANCEL_KEY

MEMBER_ID_TEXT = (
    "member_id filter is only available in organization context or for platform managers"
)
RESULT_BYTES = 600  # estimated size of a result line


def list_files(request: Request) -> Response:
    owner = inference_account(request)
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    conditions, values = _listing_conditions(request, owner.id)
    limit = page_size(request) or 1
    order = _order(request)
    with sandbox.store.read_transaction() as connection:
        after = _cursor_row(connection, request, owner.id)
        if after is not None:
            conditions.append("pk < ?" if order == "DESC" else "pk > ?")
            values.append(after["pk"])
        where = " AND ".join(conditions)
        rows = connection.execute(
            f"SELECT * FROM files WHERE {where} ORDER BY pk {order} LIMIT ?",  # noqa: S608
            (*values, limit + 1),
        ).fetchall()
        data = [_list_item(connection, row, moment) for row in rows[:limit]]
    return json_response(list_object(data, has_more=len(rows) > limit))


def get_file(request: Request) -> Response:
    owner = inference_account(request)
    file_id = path_id(request, "file_id")
    sandbox = sandbox_of(request)
    with sandbox.store.read_transaction() as connection:
        row = find_file(connection, file_id, owner.id)
        return json_response(_list_item(connection, row, sandbox.now()))


def delete_file(request: Request) -> Response:
    """Hide a file and cancel the running batches that use the file."""
    owner = inference_account(request)
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    file_id = path_id(request, "file_id")
    is_early = request.scope.get(EARLY_CANCEL_KEY, False)
    with sandbox.store.write_transaction() as connection:
        row = find_file(connection, file_id, owner.id)
        connection.execute("UPDATE files SET state = 'deleted' WHERE pk = ?", (row["pk"],))
        for column in ("output_file_id", "error_file_id"):
            connection.execute(
                f"UPDATE batches SET {column} = NULL WHERE {column} = ?",  # noqa: S608
                (file_id,),
            )
        query = "SELECT * FROM batches WHERE file = ? AND deleted_at IS NULL"
        for batch in map(Batch.from_row, connection.execute(query, (row["pk"],))):
            if batch.status(moment, sandbox.settings) not in TERMINAL | {"finalizing"}:
                cancel_requests(connection, batch, moment, is_early=is_early)
    return json_response({"id": file_id, "object": "file", "deleted": True})


def find_file(connection: sqlite3.Connection, file_id: str, owner: str) -> sqlite3.Row:
    """Return a file of ``owner``.

    Raises:
        ApiError: 404 for an unknown file, a deleted file or a file of another account.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM files WHERE id = ? AND owner = ? AND state = 'ready'", (file_id, owner)
    ).fetchone()
    if row is None:
        raise file_not_found(file_id)
    return row


def file_not_found(file_id: str) -> ApiError:
    return text_error(404, f"File with ID {file_id} not found")


def file_object(row: sqlite3.Row, size: int) -> dict[str, Any]:
    """Return a file in the format of the API, without the fields that have no value."""
    content = {
        "id": row["id"],
        "object": "file",
        "bytes": size,
        "created_at": int(row["created_at"]),
        "filename": row["filename"],
        "purpose": row["purpose"],
    }
    if row["expires_at"] is not None:
        content["expires_at"] = int(row["expires_at"])
    return content


def list_object(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, **ends, "has_more": has_more}


def _list_item(connection: sqlite3.Connection, row: sqlite3.Row, moment: float) -> dict[str, Any]:
    size = row["bytes"]
    if row["batch"] is not None:
        rows = connection.execute("SELECT * FROM batches WHERE pk = ?", (row["batch"],))
        counts = request_counts(connection, Batch.from_row(rows.fetchone()), moment)
        lines = counts.completed if row["purpose"] == "batch_output" else counts.failed
        size = lines * RESULT_BYTES
    email = f"{row['owner'][:8]}@sandbox.invalid"
    extras = {"created_by_email": email, "context_name": "Personal", "context_type": "personal"}
    return file_object(row, size) | extras


def _listing_conditions(request: Request, owner: str) -> tuple[list[str], list[Any]]:
    conditions, values = ["owner = ?", "state = 'ready'"], [owner]
    query = request.query_params
    if "member_id" in query:
        raise text_error(400, MEMBER_ID_TEXT)
    if "purpose" in query:
        conditions.append("purpose = ?")
        values.append(query["purpose"])
    if "search" in query:
        conditions.append("filename LIKE ? ESCAPE '\\'")
        values.append(f"%{query['search']}%")
    return conditions, values


def _order(request: Request) -> str:
    order = request.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise text_error(400, "Order must be 'asc' or 'desc'")
    return order.upper()


def _cursor_row(
    connection: sqlite3.Connection, request: Request, owner: str
) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT pk FROM files WHERE id = ? AND owner = ?", (cursor_id(request), owner)
    ).fetchone()
    return row
