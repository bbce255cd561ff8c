"""Cancellation of batches and retries of their requests."""

import sqlite3
from collections.abc import Sequence

from batchapp.sandbox.batches.progress import Batch, schedule
from batchapp.sandbox.language_model.outcomes import INVALID_MARKER, NO_CREDIT_STATUS
from batchapp.sandbox.prompt_cache.runs import forget_unfinished, marker_errors, use_cache
from batchapp.sandbox.settings import Settings

NEVER = float("inf")


def cancel_requests(
    connection: sqlite3.Connection, batch: Batch, now: float, *, is_early: bool = False
) -> None:
    """Cancel all unsettled requests. A finished batch becomes cancelled, as at the provider.

    A batch that is cancelled while it is validating is never populated: it stays ``cancelling``,
    and after a retry ``validating``. ``is_early`` treats a batch without results in the same way.
    Source: a run of the provider's server, control-layer 10.13.
    """
    if batch.cancelled_at is not None:
        return
    if now < batch.populated_at or (is_early and not _has_results(connection, batch, now)):
        connection.execute(
            "UPDATE batches SET populated_at = :never, settled_at = :never WHERE pk = :pk",
            {"never": NEVER, "pk": batch.pk},
        )
    connection.execute(
        "UPDATE requests SET settles_at = NULL WHERE batch = ? AND settles_at > ?",
        (batch.pk, now),
    )
    connection.execute("UPDATE batches SET cancelled_at = ? WHERE pk = ?", (now, batch.pk))
    forget_unfinished(connection, batch.pk, now)


def _has_results(connection: sqlite3.Connection, batch: Batch, now: float) -> bool:
    query = "SELECT 1 FROM requests WHERE batch = ? AND settles_at <= ?"
    return connection.execute(query, (batch.pk, now)).fetchone() is not None


def unsuccessful_lines(connection: sqlite3.Connection, batch: Batch, now: float) -> list[int]:
    """Return the lines whose request has failed or was cancelled."""
    query = (
        "SELECT line FROM requests WHERE batch = ?"
        " AND (settles_at IS NULL OR (has_failed = 1 AND settles_at <= ?)) ORDER BY line"
    )
    return [row["line"] for row in connection.execute(query, (batch.pk, now))]


def failed_lines(
    connection: sqlite3.Connection, batch: Batch, lines: Sequence[int], now: float
) -> list[int]:
    """Return the ``lines`` whose request has failed."""
    query = (
        "SELECT line FROM requests"
        " WHERE batch = ? AND line = ? AND has_failed = 1 AND settles_at <= ?"
    )
    rows = (connection.execute(query, (batch.pk, line, now)).fetchone() for line in lines)
    return [row["line"] for row in rows if row is not None]


def retry_lines(
    connection: sqlite3.Connection,
    batch: Batch,
    lines: Sequence[int],
    *,
    now: float,
    settings: Settings,
) -> None:
    """Make ``lines`` pending and the batch running again; ``expires_at`` does not change."""
    outcomes = {
        row["number"]: (row["later_status"], bool(row["is_slow"]))
        for row in connection.execute(
            "SELECT number, later_status, is_slow FROM lines WHERE file = ?", (batch.file,)
        )
    }
    start = max(now, batch.populated_at)
    settles_at = schedule(
        [(line, outcomes[line][1]) for line in lines],
        seed=f"{batch.id} again at {now}",
        start=start,
        settings=settings,
    )
    invalid_lines = marker_errors(connection, batch.file, settings)
    rows = []
    for line, moment in settles_at.items():
        status = outcomes[line][0] if batch.has_credit else NO_CREDIT_STATUS
        if line in invalid_lines:
            status = INVALID_MARKER
        rows.append((status, status != 200, moment, batch.pk, line))
    connection.executemany(
        "UPDATE requests SET status = ?, has_failed = ?, settles_at = ?"
        " WHERE batch = ? AND line = ?",
        rows,
    )
    use_cache(connection, batch, lines, start, settings)
    connection.execute(
        "UPDATE batches SET cancelled_at = NULL, finalized_at = NULL,"
        " settled_at = (SELECT MAX(settles_at) FROM requests WHERE batch = pk),"
        " failing = (SELECT COUNT(*) FROM requests WHERE batch = pk AND has_failed = 1)"
        " WHERE pk = ?",
        (batch.pk,),
    )
