"""The faults ``reopen`` and ``late-landing``, which change a batch after its end."""

import sqlite3
from collections.abc import Mapping

from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.batches.transitions import retry_lines, unsuccessful_lines
from batchapp.sandbox.context import Sandbox
from batchapp.sandbox.faults.switches import Rule

LATE_RESULTS_SECONDS = 2.0  # time after a cancel in which late results arrive


def apply_batch_faults(sandbox: Sandbox, rules: Mapping[str, Rule], path: str) -> None:
    """Apply the faults in ``rules`` to the batch in ``path``, after the call was processed."""
    ids = path.removeprefix("/ai").split("/")[3:]
    if not {"reopen", "late-landing"} & rules.keys() or not ids:
        return
    moment = sandbox.now()
    with sandbox.store.write_transaction() as connection:
        row = connection.execute(
            "SELECT * FROM batches WHERE id = ? AND deleted_at IS NULL", (ids[0],)
        ).fetchone()
        if row is None:
            return
        batch = Batch.from_row(row)
        # A batch that was cancelled before its population has no requests that could settle.
        if "late-landing" in rules and moment >= batch.populated_at:
            count = int(rules["late-landing"].amount)
            _settle_cancelled_requests(connection, sandbox, batch, count, moment)
        is_finished = batch.status(moment, sandbox.settings) in {"completed", "failed"}
    if "reopen" in rules and is_finished and sandbox.faults.mark_once(rules["reopen"], batch.id):
        _reopen(sandbox, batch, moment)


def _settle_cancelled_requests(
    connection: sqlite3.Connection, sandbox: Sandbox, batch: Batch, count: int, moment: float
) -> None:
    """Let ``count`` cancelled requests settle, one after another."""
    cancelled = connection.execute(
        "SELECT line FROM requests WHERE batch = ? AND settles_at IS NULL ORDER BY line LIMIT ?",
        (batch.pk, count),
    ).fetchall()
    step = sandbox.settings.scaled_seconds(LATE_RESULTS_SECONDS) / max(count, 1)
    connection.executemany(
        "UPDATE requests SET settles_at = ? WHERE batch = ? AND line = ?",
        [
            (moment + step * rank, batch.pk, row["line"])
            for rank, row in enumerate(cancelled, start=1)
        ],
    )


def _reopen(sandbox: Sandbox, batch: Batch, moment: float) -> None:
    """Run the unsuccessful requests again, or the last request if all were successful."""
    with sandbox.store.write_transaction() as connection:
        lines = unsuccessful_lines(connection, batch, moment) or [batch.total]
        retry_lines(connection, batch, lines, now=moment, settings=sandbox.settings)
