"""The progress of a batch, computed from its stored times and the current time."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from uuid import UUID

from batchapp.sandbox.seeded_random import SeededRandom
from batchapp.sandbox.settings import Settings

TERMINAL = {"completed", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of ``batches``; see ``schema`` for the columns."""

    pk: int
    id: str
    owner: str
    file: int
    output_file_id: str | None
    error_file_id: str | None
    endpoint: str
    completion_window: str
    metadata: str
    has_credit: int
    created_at: float
    populated_at: float
    expires_at: float
    settled_at: float
    finalized_at: float | None
    cancelled_at: float | None
    deleted_at: float | None
    total: int
    failing: int

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Batch":
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    def status(self, now: float, settings: Settings) -> str:
        """Return the status by the rules of the provider, which never returns ``expired``.

        Source: the provider's server, control-layer 10.13.
        """
        if self.cancelled_at is not None:
            return "cancelled" if now >= self.populated_at else "cancelling"
        if now < self.populated_at:
            return "validating"
        if now < self.settled_at:
            return "in_progress"
        if self.failing == self.total:
            return "failed"
        return "finalizing" if self.finished_at(now, settings) is None else "completed"

    def finished_at(self, now: float, settings: Settings) -> float | None:
        """Return when a reader or the finalizer noticed the end of the batch, else None."""
        if self.finalized_at is not None:
            return self.finalized_at
        noticed_at = self.settled_at + settings.scaled_seconds(settings.finalizer_seconds)
        return noticed_at if self.cancelled_at is None and now >= noticed_at else None

    def needs_finalizing(self, now: float) -> bool:
        """Return whether the batch has ended and nobody has noticed the end."""
        return self.finalized_at is None and self.cancelled_at is None and now >= self.settled_at

    def is_unfinished(self, now: float) -> bool:
        """Return the value of ``X-Incomplete``; always true if cancelled while validating."""
        if self.cancelled_at is not None:
            return self.cancelled_at < self.populated_at
        return now < self.settled_at

    def request_id(self, line: int) -> str:
        """Return the request id: the beginning of the batch id, then the line."""
        return f"{self.id[:18]}-8000-{line:012x}"


def parse_request_id(request_id: UUID) -> tuple[str, int]:
    """Return the beginning of the batch id, and the line."""
    return str(request_id)[:18], int(str(request_id)[-12:], 16)


@dataclass(frozen=True, slots=True)
class RequestCounts:
    completed: int
    failed: int


def request_counts(connection: sqlite3.Connection, batch: Batch, now: float) -> RequestCounts:
    """Count the settled requests; cancelled requests are not counted."""
    if batch.cancelled_at is None and now >= batch.settled_at:
        return RequestCounts(batch.total - batch.failing, batch.failing)
    query = (
        "SELECT has_failed, COUNT(*) FROM requests"
        " WHERE batch = ? AND has_failed IN (0, 1) AND settles_at <= ? GROUP BY has_failed"
    )
    settled = dict(tuple(row) for row in connection.execute(query, (batch.pk, now)))
    return RequestCounts(settled.get(0, 0), settled.get(1, 0))


def schedule(
    lines: Iterable[tuple[int, bool]], *, seed: str, start: float, settings: Settings
) -> dict[int, float]:
    """Return the time at which each line settles, evenly distributed in an order from ``seed``.

    ``lines`` are pairs of a line number and whether the request is slow. No two lines settle at
    the same time, so that the order of the results is always the same.
    """
    shuffled_lines = list(lines)
    random = SeededRandom(seed)
    random.shuffle(shuffled_lines)
    duration = settings.working_seconds(len(shuffled_lines))
    step = duration / max(len(shuffled_lines), 1)
    delay = duration * (settings.slow_factor - 1)
    return {
        line: start + step * (rank + 1 - random.randbelow(1000) / 2500) + delay * is_slow
        for rank, (line, is_slow) in enumerate(shuffled_lines)
    }
