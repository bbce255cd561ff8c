"""What the system page says: what needs attention first, then the state of each part."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.urls import reverse

from batchapp.presenters.connection_health_text import HealthWord, health_sentences, health_word
from batchapp.services.health.connection_health import ConnectionHealth
from batchapp.services.health.system_facts import SystemStatus
from batchapp.templatetags.words import count, size, span

LATE_TICK_SECONDS = 20 + 2 * settings.TICK_SECONDS
SILENT_WORKER_SECONDS = 300.0  # workers that share few tasks may rest as long as this
MANY_MESSAGES = 1_000
LOW_SPACE = 0.10  # of the disk
LATE_ROWS = timedelta(minutes=2)

UNKNOWN = "not known"
BACKENDS = {
    "filesystem": "files",
    "redis": "Redis",
    "DiskStorage": "files",
    "ObjectStorage": "object storage",
}

SERVICES = {
    "database": "Database",
    "cache": "Cache",
    "broker": "Queue of the workers",
    "disk": "Disk",
    "storage": "Storage of files",
    "tick": "Beat and workers",
}
SOLUTIONS = {
    "database": "Start it, or correct DATABASE_URL.",
    "cache": "Start it, or correct CACHE_URL. Pages and batches go on without it.",
    "broker": "Start it, or correct BROKER_URL. Nothing is lost: workers go on where they were.",
    "disk": "Make room below DATA_DIR. Batches wait until there is some.",
    "storage": "Start it, or correct STORAGE_URL. Files are neither stored nor read until then.",
    "tick": "Start beat and the workers: “manage.py serve” runs both.",
}


@dataclass(frozen=True, slots=True)
class Attention:
    """Something to look at; ``url`` leads to where it is solved, if that is a page."""

    title: str
    sentence: str
    tone: str = "bad"
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """``is_well`` is None if the service may still be starting."""

    name: str
    backend: str
    is_well: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    health: ConnectionHealth
    word: HealthWord
    lag: str


@dataclass(frozen=True, slots=True)
class SystemPage:
    """The page's texts; ``status`` has the plain facts."""

    status: SystemStatus
    attention: list[Attention]
    services: list[ServiceRow]
    connections: list[ConnectionRow]
    workers: list[tuple[str, str, bool]]  # name, last task, is silent
    messages: str
    tick: str
    stored: str
    free: str
    free_share: str
    database_size: str


def system_page(status: SystemStatus, *, proxies: int) -> SystemPage:
    """Return the page for a request that passed so many ``proxies``."""
    free, free_share = UNKNOWN, ""
    if status.free_bytes is not None and status.disk_bytes:
        share = round(100 * status.free_bytes / status.disk_bytes)
        free, free_share = size(status.free_bytes), f"{share} % of {size(status.disk_bytes)}"
    database_bytes = status.database_bytes
    return SystemPage(
        status=status,
        attention=[*_attention(status), *_about_proxies(proxies)],
        services=[_service_row(status, name) for name in status.services],
        connections=[
            ConnectionRow(
                health,
                health_word(health),
                span(health.poll_lag) if health.poll_lag else "on time",
            )
            for health in status.connections
        ],
        workers=[
            (name, f"{_length(seconds)} ago", seconds > SILENT_WORKER_SECONDS)
            for name, seconds in (status.workers or {}).items()
        ],
        messages=UNKNOWN if status.messages is None else count(status.messages, "message"),
        tick="none noted"
        if status.tick_seconds is None
        else f"{_length(status.tick_seconds)} ago",
        stored=size(status.stored_bytes),
        free=free,
        free_share=free_share,
        database_size=UNKNOWN if database_bytes is None else size(database_bytes),
    )


def _service_row(status: SystemStatus, name: str) -> ServiceRow:
    result = status.services[name]
    is_well: bool | None = result == "ok"
    if name == "tick" and is_well and status.tick_seconds is None:
        is_well, result = None, "no tick yet"
    return ServiceRow(SERVICES[name], _backend(status, name), is_well, result)


def _attention(status: SystemStatus) -> Iterator[Attention]:
    """Yield what needs somebody, the most urgent first."""
    for name, result in status.services.items():
        if result != "ok":
            yield Attention(f"{SERVICES[name]}: {result}", SOLUTIONS[name])
    if status.unapplied_migrations:
        yield Attention(
            "The database is of another version",
            f"{count(status.unapplied_migrations, 'migration')} not applied: run "
            "“manage.py migrate”.",
        )
    is_low = status.disk_bytes and (status.free_bytes or 0) < LOW_SPACE * status.disk_bytes
    if is_low and status.services.get("disk") == "ok":
        yield Attention(
            "Little room on the disk",
            f"{size(status.free_bytes or 0)} are free. Make room, or let projects keep less.",
            "warn",
            reverse("retention_preview"),
            "What rules would delete",
        )
    late = [rows for rows in status.due if rows.lag > LATE_ROWS]
    if late and status.services.get("tick") == "ok":
        kinds = ", ".join(f"{rows.number:,} {rows.kind}" for rows in late)
        yield Attention(
            "Work is late",
            f"Due for {span(late[0].lag)} or less: {kinds}. More worker processes help "
            "(WORKER_CONCURRENCY).",
            "warn",
        )
    if (status.messages or 0) > MANY_MESSAGES:
        yield Attention(
            "A long queue",
            f"{status.messages:,} messages wait for workers. More worker processes help "
            "(WORKER_CONCURRENCY).",
            "warn",
        )
    for health in status.connections:
        if health.has_trouble and not health.connection.archived_at:
            yield Attention(
                health.connection.name,
                health_sentences(health)[0],
                "bad" if health.is_backing_off else "warn",
                reverse("connection_detail", args=[health.connection.pk]),
                "See the connection",
            )
    for rows in status.stuck:
        yield Attention(
            f"{rows.project}: {count(rows.number, 'batch needs,batches need')} a person",
            "Its members see why on the pages of these batches. Join the project to help.",
            "warn",
            f"{reverse('portal_project_list')}?q={rows.slug}",
            "Find the project",
        )


def _about_proxies(passed: int) -> Iterator[Attention]:
    """Yield a warning if limits are counted by the address of a proxy, or by one of a stranger."""
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    told = f"You came by {count(passed, 'proxy,proxies')}, and TRUSTED_PROXIES is {trusted}."
    if passed > trusted:
        yield Attention(
            "A proxy that the portal does not know",
            f"{told} All people seem to come from one address, so that a stranger who enters "
            "wrong passwords locks everybody out, and the audit has the address of the proxy.",
            "warn",
        )
    elif passed < trusted:
        yield Attention(
            "Fewer proxies than the portal trusts",
            f"{told} If other people come by no more, they can write any address into their "
            "requests, and try as many passwords as they like.",
            "warn",
        )


def _backend(status: SystemStatus, name: str) -> str:
    backend = status.backends.get(name, "")
    return BACKENDS.get(backend, backend)


def _lag(health: ConnectionHealth) -> str:
    return span(health.poll_lag) if health.poll_lag else "on time"


def _tick(seconds: float | None) -> str:
    return "none noted" if seconds is None else f"{_length(seconds)} ago"


def _length(seconds: float) -> str:
    return span(timedelta(seconds=seconds))
