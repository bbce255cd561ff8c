"""A batch as JSON."""

import sqlite3
from typing import Any

import msgspec

from batchapp.sandbox.api.errors import refused
from batchapp.sandbox.batches.progress import Batch, counts
from batchapp.sandbox.settings import Settings


def find_batch(connection: sqlite3.Connection, batch_id: str, owner: str) -> Batch:
    """The owner's batch.

    Raises:
        ApiError: 404 if there is none, it was deleted, or it is somebody else's.
    """
    row = connection.execute(
        "SELECT * FROM batches WHERE id = ? AND owner = ? AND deleted_at IS NULL",
        (batch_id, owner),
    ).fetchone()
    if row is None:
        raise refused(404, f"Batch with ID {batch_id} not found")
    return Batch.from_row(row)


def batch_object(
    connection: sqlite3.Connection,
    batch: Batch,
    moment: float,
    settings: Settings,
    *,
    has_context: bool = False,
) -> dict[str, Any]:
    """A batch as the provider shows it at ``moment``; what it does not have is left out."""
    done = counts(connection, batch, moment)
    shown = {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "input_file_id": _input_file_id(connection, batch),
        "completion_window": batch.completion_window,
        "status": batch.status(moment, settings),
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        **{name: int(at) for name, at in _stamps(batch, moment, settings).items()},
        "request_counts": {
            "total": batch.total,
            "completed": done.completed,
            "failed": done.failed,
        },
        "metadata": _shown_metadata(batch, has_context=has_context),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _input_file_id(connection: sqlite3.Connection, batch: Batch) -> str:
    """The uploaded file's id, or nothing at all once that file was deleted."""
    row = connection.execute(
        "SELECT id FROM files WHERE pk = ? AND state = 'ready'", (batch.file,)
    ).fetchone()
    return row["id"] if row is not None else ""


def _stamps(batch: Batch, moment: float, settings: Settings) -> dict[str, float]:
    stamps = {"expires_at": batch.expires_at}
    if moment >= batch.populated_at:
        stamps["in_progress_at"] = batch.populated_at
    finished_at = batch.finished_at(moment, settings)
    if finished_at is not None:
        stamps["finalizing_at"] = batch.settled_at
        stamps["failed_at" if batch.failing == batch.total else "completed_at"] = finished_at
    if moment > batch.expires_at:
        stamps["expired_at"] = batch.expires_at
    if batch.cancelled_at is not None:
        stamps["cancelling_at"] = batch.cancelled_at
        if batch.status(moment, settings) == "cancelled":
            stamps["cancelled_at"] = max(batch.cancelled_at, batch.populated_at)
    return stamps


def _shown_metadata(batch: Batch, *, has_context: bool) -> dict[str, str]:
    """The client's metadata with some keys of the server's own, others hidden."""
    stored: dict[str, str] = msgspec.json.decode(batch.metadata)
    shown = {
        key: value
        for key, value in stored.items()
        if key != "created_by" and not key.startswith("dw_")
    }
    shown["created_by_email"] = f"{batch.owner[:8]}@sandbox.invalid"
    if has_context:
        shown |= {"context_name": "Personal", "context_type": "personal"}
    return shown
