"""How far a batch is, derived from the times written down for it and the time it is now."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from uuid import UUID

from batchapp.sandbox.dice import Dice
from batchapp.sandbox.settings import Settings

TERMINAL = {"completed", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of ``batches``; the schema says what the columns mean."""

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
        """The provider's status, by its own order of questions. Never ``expired``.

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
        """When the batch was found to be finished: by a reader, or by the finalizer."""
        if self.finalized_at is not None:
            return self.finalized_at
        noticed_at = self.settled_at + settings.lasting(settings.finalizer_seconds)
        is_noticed = self.cancelled_at is None and now >= noticed_at
        return noticed_at if is_noticed else None

    def is_to_be_finalized(self, now: float) -> bool:
        """Whether it has finished and nobody has noticed yet."""
        is_stamped = self.finalized_at is not None or self.cancelled_at is not None
        return not is_stamped and now >= self.settled_at

    def is_unfinished(self, now: float) -> bool:
        """What ``X-Incomplete`` says. It stays true if cancelled before population."""
        if self.cancelled_at is not None:
            return self.cancelled_at < self.populated_at
        return now < self.settled_at

    def request_id(self, line: int) -> str:
        """The id of one request: the batch's beginning, then the line."""
        return f"{self.id[:18]}-8000-{line:012x}"


def split_request_id(request_id: UUID) -> tuple[str, int]:
    """How the batch's id begins, and the line; the inverse of ``Batch.request_id``."""
    return str(request_id)[:18], int(str(request_id)[-12:], 16)


@dataclass(frozen=True, slots=True)
class Counts:
    completed: int
    failed: int


def counts(connection: sqlite3.Connection, batch: Batch, now: float) -> Counts:
    """How many requests have settled; the cancelled ones are in neither number."""
    if batch.cancelled_at is None and now >= batch.settled_at:
        return Counts(batch.total - batch.failing, batch.failing)
    settled = dict.fromkeys((0, 1), 0)
    query = (
        "SELECT has_failed, COUNT(*) FROM requests"
        " WHERE batch = ? AND has_failed IN (0, 1) AND settles_at <= ? GROUP BY has_failed"
    )
    settled.update(tuple(row) for row in connection.execute(query, (batch.pk, now)))
    return Counts(settled[0], settled[1])


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each of several requests settles, as (line, Unix seconds)."""

    settles_at: list[tuple[int, float]]

    @property
    def ends_at(self) -> float:
        return max(moment for _line, moment in self.settles_at)


def schedule(
    lines: Iterable[tuple[int, bool]], *, seed: str, start: float, settings: Settings
) -> Schedule:
    """Spread ``lines``, (number, whether it is slow), evenly over the time they take.

    The order is shuffled by ``seed``; no two lines settle at the same moment, so that the
    order of results never depends on anything else.
    """
    everything = list(lines)
    dice = Dice(seed)
    for last in range(len(everything) - 1, 0, -1):
        other = dice.below(last + 1)
        everything[last], everything[other] = everything[other], everything[last]
    duration = settings.working_seconds(len(everything))
    step = duration / max(len(everything), 1)
    late = duration * (settings.slow_factor - 1)
    return Schedule(
        [
            (line, start + step * (rank + 1 - dice.below(1000) / 2500) + late * is_slow)
            for rank, (line, is_slow) in enumerate(everything)
        ]
    )
