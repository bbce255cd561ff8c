"""What happens to a batch that was over: it runs again, or goes on although it was cancelled."""

import sqlite3
from collections.abc import Mapping

from batchapp.sandbox.batches.cancelling import run_again, unsuccessful_lines
from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.state import Sandbox, now

LANDING_SECONDS = 2.0


def change_state(sandbox: Sandbox, struck: Mapping[str, Rule], path: str) -> None:
    """Do to the batch in ``path`` what the faults say, once the call itself was worked on."""
    named = path.removeprefix("/ai").split("/")[3:]
    if not {"reopen", "late-landing"} & struck.keys() or not named:
        return
    moment = now()
    with sandbox.store.writing() as connection:
        row = connection.execute(
            "SELECT * FROM batches WHERE id = ? AND deleted_at IS NULL", (named[0],)
        ).fetchone()
        if row is None:
            return
        batch = Batch.from_row(row)
        if "late-landing" in struck:
            _land(connection, sandbox, batch, int(struck["late-landing"].amount), moment)
        is_over = batch.status(moment, sandbox.settings) in {"completed", "failed"}
    if "reopen" in struck and is_over and sandbox.book.mark(struck["reopen"], batch.id):
        _reopen(sandbox, batch, moment)


def _land(
    connection: sqlite3.Connection, sandbox: Sandbox, batch: Batch, count: int, moment: float
) -> None:
    """Let some cancelled requests settle after all, one after another."""
    cancelled = connection.execute(
        "SELECT line FROM requests WHERE batch = ? AND settles_at IS NULL ORDER BY line LIMIT ?",
        (batch.pk, count),
    ).fetchall()
    step = sandbox.settings.lasting(LANDING_SECONDS) / max(count, 1)
    connection.executemany(
        "UPDATE requests SET settles_at = ? WHERE batch = ? AND line = ?",
        [
            (moment + step * rank, batch.pk, row["line"])
            for rank, row in enumerate(cancelled, start=1)
        ],
    )


def _reopen(sandbox: Sandbox, batch: Batch, moment: float) -> None:
    """Run again what did not succeed, or if all did, the last line."""
    with sandbox.store.writing() as connection:
        lines = unsuccessful_lines(connection, batch, moment) or [batch.total]
        run_again(connection, batch, lines, now=moment, settings=sandbox.settings)
