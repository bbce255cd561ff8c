"""Stopping a batch, and starting again what failed or was stopped."""

import sqlite3
from collections.abc import Sequence

from batchapp.sandbox.answers.behaviour import NO_CREDIT_STATUS
from batchapp.sandbox.batches.progress import Batch, schedule
from batchapp.sandbox.settings import Settings


def cancel_batch(connection: sqlite3.Connection, batch: Batch, now: float) -> None:
    """Cancel whatever has not settled. Also relabels a finished batch, as the provider does."""
    if batch.cancelled_at is not None:
        return
    connection.execute(
        "UPDATE requests SET settles_at = NULL WHERE batch = ? AND settles_at > ?",
        (batch.pk, now),
    )
    connection.execute("UPDATE batches SET cancelled_at = ? WHERE pk = ?", (now, batch.pk))


def unsuccessful_lines(connection: sqlite3.Connection, batch: Batch, now: float) -> list[int]:
    """The lines that have failed or were cancelled."""
    query = (
        "SELECT line FROM requests WHERE batch = ?"
        " AND (settles_at IS NULL OR (has_failed = 1 AND settles_at <= ?)) ORDER BY line"
    )
    return [row["line"] for row in connection.execute(query, (batch.pk, now))]


def failed_lines(
    connection: sqlite3.Connection, batch: Batch, lines: Sequence[int], now: float
) -> list[int]:
    """Those of ``lines`` that have failed."""
    query = (
        "SELECT line FROM requests"
        " WHERE batch = ? AND line = ? AND has_failed = 1 AND settles_at <= ?"
    )
    found = (connection.execute(query, (batch.pk, line, now)).fetchone() for line in lines)
    return [row["line"] for row in found if row is not None]


def run_again(
    connection: sqlite3.Connection,
    batch: Batch,
    lines: Sequence[int],
    *,
    now: float,
    settings: Settings,
) -> None:
    """Make ``lines`` pending again and the batch a running one; ``expires_at`` stays."""
    plans = {
        row["number"]: (row["later_status"], bool(row["is_slow"]))
        for row in connection.execute(
            "SELECT number, later_status, is_slow FROM lines WHERE file = ?", (batch.file,)
        )
    }
    times = schedule(
        [(line, plans[line][1]) for line in lines],
        seed=f"{batch.id} again at {now}",
        start=max(now, batch.populated_at),
        settings=settings,
    )
    rows = []
    for line, settles_at in times.settles_at:
        status = plans[line][0] if batch.has_credit else NO_CREDIT_STATUS
        rows.append((status, status != 200, settles_at, batch.pk, line))
    connection.executemany(
        "UPDATE requests SET status = ?, has_failed = ?, settles_at = ?"
        " WHERE batch = ? AND line = ?",
        rows,
    )
    connection.execute(
        "UPDATE batches SET cancelled_at = NULL, finalized_at = NULL,"
        " settled_at = (SELECT MAX(settles_at) FROM requests WHERE batch = pk),"
        " failing = (SELECT COUNT(*) FROM requests WHERE batch = pk AND has_failed = 1)"
        " WHERE pk = ?",
        (batch.pk,),
    )
