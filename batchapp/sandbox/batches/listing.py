"""``GET /v1/batches``."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import account
from batchapp.sandbox.api.costs import analytics
from batchapp.sandbox.api.errors import json_response, refused
from batchapp.sandbox.api.parameters import cursor, flag, instant, page_size
from batchapp.sandbox.batches.objects import batch_object
from batchapp.sandbox.batches.progress import TERMINAL, Batch
from batchapp.sandbox.files.showing import page
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import now, sandbox_of

_STATUS_FILTERS: dict[str, set[str]] = {
    "in_progress": {"validating", "in_progress", "finalizing"},
    "completed": {"completed"},
    "failed": {"failed"},
    "cancelled": {"cancelling", "cancelled"},
    "expired": set(),  # no status at all: it asks for batches past their deadline
}


def list_batches(request: Request) -> Response:
    """The account's batches, newest first, or with ``active_first`` the unfinished ones first.

    The cursor's group is read anew with each page, so pages shift when a batch finishes.
    """
    owner = account(request)
    sandbox, moment = sandbox_of(request), now()
    limit = page_size(request) or 1
    is_wanted = _status_filter(request, moment, sandbox.settings)
    is_active_first = flag(request, "active_first")
    conditions, values = _conditions(request, owner.id)
    with sandbox.store.reading() as connection:
        rows = connection.execute(
            "SELECT batches.* FROM batches JOIN files ON files.pk = batches.file"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} ORDER BY batches.pk DESC",
            values,
        )

        def place(batch: Batch) -> tuple[bool, int]:
            is_over = batch.status(moment, sandbox.settings) in TERMINAL
            return is_active_first and is_over, -batch.pk

        found = [batch for batch in map(Batch.from_row, rows) if is_wanted(batch)]
        found.sort(key=place)
        after = _cursor_batch(connection, request, owner.id)
        if after is not None:
            found = [batch for batch in found if place(batch) > place(after)]
        data = [
            _shown(connection, batch, moment, sandbox.settings, request) for batch in found[:limit]
        ]
    return json_response(page(data, has_more=len(found) > limit))


def _shown(
    connection: sqlite3.Connection,
    batch: Batch,
    moment: float,
    settings: Settings,
    request: Request,
) -> dict[str, Any]:
    shown = batch_object(connection, batch, moment, settings, has_context=True)
    if request.query_params.get("include") == "analytics":
        totals = analytics(connection, batch, moment, settings)
        if totals["total_requests"]:
            shown["analytics"] = totals
    return shown


def _status_filter(request: Request, moment: float, settings: Settings) -> Callable[[Batch], bool]:
    wanted = request.query_params.get("status")
    if wanted is None:
        return lambda _batch: True
    if wanted not in _STATUS_FILTERS:
        allowed = ", ".join(_STATUS_FILTERS)
        raise refused(400, f"Invalid status '{wanted}'. Must be one of: {allowed}")
    if wanted == "expired":
        return lambda batch: moment > batch.expires_at
    return lambda batch: batch.status(moment, settings) in _STATUS_FILTERS[wanted]


def _conditions(request: Request, owner: str) -> tuple[list[str], list[Any]]:
    query = request.query_params
    conditions, values = ["batches.owner = ?", "batches.deleted_at IS NULL"], [owner]
    if "member_id" in query:
        raise refused(400, "member_id is only available in an organization")
    if "search" in query:
        # The wildcards % and _ are live here because they are at the provider.
        columns = ("batches.metadata", "files.filename", "batches.id")
        likes = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
        conditions.append(f"({likes})")
        values += [f"%{query['search']}%"] * len(columns)
    for name, operator in (("created_after", ">="), ("created_before", "<=")):
        moment = instant(request, name)
        if moment is not None:
            conditions.append(f"batches.created_at {operator} ?")
            values.append(moment)  # type: ignore[arg-type]
    if "completion_window" in query:
        windows = query["completion_window"].split(",")
        if "background" in windows:
            raise refused(400, "Filtering by the background window is not permitted")
        conditions.append(f"batches.completion_window IN ({', '.join('?' * len(windows))})")
        values += windows
    return conditions, values


def _cursor_batch(connection: sqlite3.Connection, request: Request, owner: str) -> Batch | None:
    """The batch ``after`` names; an unknown one is ignored and gives the first page again."""
    row = connection.execute(
        "SELECT * FROM batches WHERE id = ? AND owner = ?", (cursor(request), owner)
    ).fetchone()
    return Batch.from_row(row) if row is not None else None
