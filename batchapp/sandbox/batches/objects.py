"""Batches in the format of the API."""

import sqlite3
from typing import Any

import msgspec

from batchapp.sandbox.api.errors import text_error
from batchapp.sandbox.batches.progress import Batch, request_counts
from batchapp.sandbox.settings import Settings


def find_batch(connection: sqlite3.Connection, batch_id: str, owner: str) -> Batch:
    """Return a batch of ``owner``.

    Raises:
        ApiError: 404 for an unknown batch, a deleted batch or a batch of another account.
    """
    row = connection.execute(
        "SELECT * FROM batches WHERE id = ? AND owner = ? AND deleted_at IS NULL",
        (batch_id, owner),
    ).fetchone()
    if row is None:
        raise text_error(404, f"Batch with ID {batch_id} not found")
    return Batch.from_row(row)


def batch_object(
    connection: sqlite3.Connection,
    batch: Batch,
    moment: float,
    settings: Settings,
    *,
    has_context: bool = False,
) -> dict[str, Any]:
    """Return the batch as of ``moment``, without the fields that have no value."""
    counts = request_counts(connection, batch, moment)
    content = {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "input_file_id": _input_file_id(connection, batch),
        "completion_window": batch.completion_window,
        "status": batch.status(moment, settings),
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        **{name: int(at) for name, at in _timestamps(batch, moment, settings).items()},
        "request_counts": {
            "total": batch.total,
            "completed": counts.completed,
            "failed": counts.failed,
        },
        "metadata": _visible_metadata(batch, has_context=has_context),
        "dwext": {"source": "api"},
    }
    return {name: value for name, value in content.items() if value is not None}


def _input_file_id(connection: sqlite3.Connection, batch: Batch) -> str:
    """Return the id of the input file, or an empty text if the file was deleted."""
    row = connection.execute(
        "SELECT id FROM files WHERE pk = ? AND state = 'ready'", (batch.file,)
    ).fetchone()
    return row["id"] if row is not None else ""


def _timestamps(batch: Batch, moment: float, settings: Settings) -> dict[str, float]:
    timestamps = {"expires_at": batch.expires_at}
    if moment >= batch.populated_at:
        timestamps["in_progress_at"] = batch.populated_at
    finished_at = batch.finished_at(moment, settings)
    if finished_at is not None:
        timestamps["finalizing_at"] = batch.settled_at
        timestamps["failed_at" if batch.failing == batch.total else "completed_at"] = finished_at
    if moment > batch.expires_at:
        timestamps["expired_at"] = batch.expires_at
    if batch.cancelled_at is not None:
        timestamps["cancelling_at"] = batch.cancelled_at
        timestamps["cancelled_at"] = batch.cancelled_at
    return timestamps


def _visible_metadata(batch: Batch, *, has_context: bool) -> dict[str, str]:
    """Return the metadata of the client and the visible part of the server's."""
    stored: dict[str, str] = msgspec.json.decode(batch.metadata)
    visible = {
        key: value
        for key, value in stored.items()
        if key != "created_by" and not key.startswith("dw_")
    }
    visible["created_by_email"] = f"{batch.owner[:8]}@sandbox.invalid"
    if has_context:
        visible |= {"context_name": "Personal", "context_type": "personal"}
    return visible
