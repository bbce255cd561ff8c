"""All batches and their costs, to prove that no batch was paid twice."""

import sqlite3
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec

from batchapp.sandbox.api.costs import decimal_text
from batchapp.sandbox.batches.create import RESERVED_METADATA
from batchapp.sandbox.batches.progress import Batch, request_counts
from batchapp.sandbox.billing import bills
from batchapp.sandbox.settings import Settings


def ledger(
    connection: sqlite3.Connection, moment: float, settings: Settings, account: str | None = None
) -> dict[str, Any]:
    """Return all batches, including deleted ones, with their sums by metadata key and value.

    A batch is paid as soon as one of its requests has succeeded.
    """
    cost_by_batch = bills(connection, moment)
    batches = [
        _entry(connection, row, moment, settings, cost_by_batch[row["pk"]].cost)
        for row in connection.execute(
            "SELECT batches.*, files.id AS input_file_id, files.filename, files.bytes"
            " FROM batches JOIN files ON files.pk = batches.file"
            " WHERE :account IS NULL OR batches.owner = :account ORDER BY batches.pk",
            {"account": account},
        )
    ]
    return {"batches": batches, "total": _sum(batches), "by_metadata": _by_metadata(batches)}


def _entry(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    moment: float,
    settings: Settings,
    cost: Decimal,
) -> dict[str, Any]:
    batch = Batch.from_row(row)
    counts = request_counts(connection, batch, moment)
    metadata = msgspec.json.decode(batch.metadata)
    return {
        "id": batch.id,
        "account": batch.owner,
        "metadata": {
            name: value for name, value in metadata.items() if name not in RESERVED_METADATA
        },
        "input_file_id": row["input_file_id"],
        "filename": row["filename"],
        "file_bytes": row["bytes"],
        "completion_window": batch.completion_window,
        "created_at": batch.created_at,
        "is_deleted": batch.deleted_at is not None,
        "status": batch.status(moment, settings),
        "requests": batch.total,
        "completed": counts.completed,
        "failed": counts.failed,
        "is_paid": counts.completed > 0,
        "cost_usd": decimal_text(cost),
    }


def _by_metadata(batches: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for batch in batches:
        for name, value in batch["metadata"].items():
            groups[name][value].append(batch)
    return {
        name: {value: _sum(members) for value, members in values.items()}
        for name, values in groups.items()
    }


def _sum(batches: list[dict[str, Any]]) -> dict[str, Any]:
    cost = sum((Decimal(batch["cost_usd"]) for batch in batches), Decimal(0))
    return {
        "batches": len(batches),
        "paid": sum(batch["is_paid"] for batch in batches),
        "requests": sum(batch["requests"] for batch in batches),
        "completed": sum(batch["completed"] for batch in batches),
        "cost_usd": decimal_text(cost),
    }
