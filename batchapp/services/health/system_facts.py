"""The facts of the system page, which know no queue and no database."""

from dataclasses import dataclass
from datetime import timedelta

from batchapp.services.health.connection_health import ConnectionHealth


@dataclass(frozen=True, slots=True)
class DueRows:
    """Rows of one kind that a worker should move now; ``lag`` is that of the oldest."""

    kind: str
    number: int
    lag: timedelta


@dataclass(frozen=True, slots=True)
class StuckRows:
    """Provider batches of one project that need a person."""

    project: str
    slug: str
    number: int


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """The facts of the system page, sizes in bytes."""

    versions: dict[str, str]
    services: dict[str, str]  # check -> "ok", or the reason why not
    backends: dict[str, str]  # service -> the kind of its backend
    workers: dict[str, float] | None  # name -> seconds since its last task
    messages: int | None
    tick_seconds: float | None
    due: list[DueRows]
    stuck: list[StuckRows]
    connections: list[ConnectionHealth]
    stored_bytes: int
    free_bytes: int | None
    disk_bytes: int | None
    database_bytes: int | None
    unapplied_migrations: int | None
