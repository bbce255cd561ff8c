"""``GET /v1/batches``: pages and filters."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import inference_account
from batchapp.sandbox.api.costs import analytics
from batchapp.sandbox.api.errors import json_response, text_error
from batchapp.sandbox.api.parameters import cursor_id, flag, page_size, timestamp
from batchapp.sandbox.batches.objects import batch_object
from batchapp.sandbox.batches.progress import TERMINAL, Batch
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.files.endpoints import MEMBER_ID_TEXT, list_object
from batchapp.sandbox.settings import Settings

# The filter ``expired`` matches batches after their deadline, whatever their status.
_STATUS_FILTERS: dict[str, set[str]] = {
    "in_progress": {"validating", "in_progress", "finalizing"},
    "completed": {"completed"},
    "failed": {"failed"},
    "cancelled": {"cancelling", "cancelled"},
    "expired": set(),
}


def list_batches(request: Request) -> Response:
    """List the batches of the account, newest first; ``active_first`` puts unfinished ones first.

    With ``active_first``, pages shift when a batch finishes, as at the provider.
    """
    owner = inference_account(request)
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    limit = page_size(request) or 1
    has_status = _status_filter(request, moment, sandbox.settings)
    is_active_first = flag(request, "active_first")
    conditions, values = _conditions(request, owner.id)
    with sandbox.store.read_transaction() as connection:
        rows = connection.execute(
            "SELECT batches.* FROM batches JOIN files ON files.pk = batches.file"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} ORDER BY batches.pk DESC",
            values,
        )

        def sort_key(batch: Batch) -> tuple[bool, int]:
            is_finished = batch.status(moment, sandbox.settings) in TERMINAL
            return is_active_first and is_finished, -batch.pk

        batches = sorted(filter(has_status, map(Batch.from_row, rows)), key=sort_key)
        after = _cursor_batch(connection, request, owner.id)
        if after is not None:
            batches = [batch for batch in batches if sort_key(batch) > sort_key(after)]
        data = [
            _list_item(connection, batch, moment, sandbox.settings, request)
            for batch in batches[:limit]
        ]
    return json_response(list_object(data, has_more=len(batches) > limit))


def _list_item(
    connection: sqlite3.Connection,
    batch: Batch,
    moment: float,
    settings: Settings,
    request: Request,
) -> dict[str, Any]:
    content = batch_object(connection, batch, moment, settings, has_context=True)
    if request.query_params.get("include") == "analytics":
        totals = analytics(connection, batch, moment, settings)
        if totals["total_requests"]:
            content["analytics"] = totals
    return content


def _status_filter(request: Request, moment: float, settings: Settings) -> Callable[[Batch], bool]:
    status = request.query_params.get("status")
    if status is None:
        return lambda _batch: True
    if status not in _STATUS_FILTERS:
        allowed = ", ".join(_STATUS_FILTERS)
        raise text_error(400, f"Unknown batch status filter: '{status}'. Valid values: {allowed}")
    if status == "expired":
        return lambda batch: moment > batch.expires_at
    return lambda batch: batch.status(moment, settings) in _STATUS_FILTERS[status]


def _conditions(request: Request, owner: str) -> tuple[list[str], list[Any]]:
    query = request.query_params
    conditions, values = ["batches.owner = ?", "batches.deleted_at IS NULL"], [owner]
    if "member_id" in query:
        raise text_error(400, MEMBER_ID_TEXT)
    if "search" in query:
        # The provider does not escape the wildcards % and _ either.
        columns = ("batches.metadata", "files.filename", "batches.id")
        likes = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
        conditions.append(f"({likes})")
        values += [f"%{query['search']}%"] * len(columns)
    for name, operator in (("created_after", ">="), ("created_before", "<=")):
        moment = timestamp(request, name)
        if moment is not None:
            conditions.append(f"batches.created_at {operator} ?")
            values.append(moment)  # type: ignore[arg-type]
    if "completion_window" in query:
        windows = query["completion_window"].split(",")
        if "background" in windows:
            raise text_error(400, "Filtering by the background window is not permitted")
        conditions.append(f"batches.completion_window IN ({', '.join('?' * len(windows))})")
        values += windows
    return conditions, values


def _cursor_batch(connection: sqlite3.Connection, request: Request, owner: str) -> Batch | None:
    """Return the batch of the parameter ``after``; an unknown id selects the first page."""
    row = connection.execute(
        "SELECT * FROM batches WHERE id = ? AND owner = ?", (cursor_id(request), owner)
    ).fetchone()
    return Batch.from_row(row) if row is not None else None
