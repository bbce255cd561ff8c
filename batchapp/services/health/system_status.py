"""What an administrator wants to know of the running portal, read anew for each look.

A part that cannot be read, since its service is away, is None; the checks of the portal say why.
"""

import logging
import platform
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import django
from django.conf import settings
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Sum
from django.utils import timezone

from batchapp import __version__, access
from batchapp.models import (
    Batch,
    Connection,
    Export,
    LeasedRow,
    Project,
    ProviderBatch,
    ResultChunk,
    ResultColumns,
    SourceTable,
    Upload,
    User,
)
from batchapp.services.health import connection_health, portal_health
from batchapp.services.health.system_facts import DueRows, StuckRows, SystemStatus

logger = logging.getLogger(__name__)

MAX_PROJECTS = 10  # with rows that need a person
SIZED = (Upload, SourceTable, ResultChunk, ResultColumns, Export)

Answer = TypeVar("Answer")


def read_status(actor: User) -> SystemStatus:
    """Return the state of the portal now.

    Raises:
        NotAllowed: ``actor`` is no administrator.
    """
    access.require_administer(actor)
    rows = list(Connection.objects.order_by("name"))
    disk = _read(lambda: shutil.disk_usage(settings.DATA_DIR))
    return SystemStatus(
        versions=_versions(),
        services=portal_health.check_portal(),
        backends=_backends(),
        workers=_read(portal_health.workers_seen),
        messages=_read(portal_health.messages_waiting),
        tick_seconds=_read(portal_health.seconds_since_tick),
        due=_due_rows(),
        stuck=_stuck_rows(),
        connections=[*connection_health.health_of(rows).values()],
        stored_bytes=sum(_stored_bytes(model) for model in SIZED),
        free_bytes=disk.free if disk else None,
        disk_bytes=disk.total if disk else None,
        database_bytes=_read(_database_bytes),
        unapplied_migrations=_read(_unapplied_migrations),
    )


def _read(read: Callable[[], Answer]) -> Answer | None:
    try:
        return read()
    # Each backend has errors of its own, and the page says that this cannot be read.
    except Exception as exc:  # noqa: BLE001
        logger.warning("System page: %s", exc)
        return None


def _versions() -> dict[str, str]:
    server = _read(database.get_database_version) or ()
    return {
        "Batchapp": __version__,
        "Django": django.get_version(),
        "Python": platform.python_version(),
        database.display_name: ".".join(map(str, server)) or "does not answer",
    }


def _backends() -> dict[str, str]:
    """Return the kinds of the services, without their addresses, which may hold passwords."""
    return {
        "database": database.display_name,
        "cache": settings.CACHE_URL.partition("://")[0],
        "broker": settings.CELERY_BROKER_URL.partition("://")[0],
        "storage": settings.STORAGES["default"]["BACKEND"].rpartition(".")[2],
    }


def _due_rows() -> list[DueRows]:
    now = timezone.now()
    rows = []
    for model in LeasedRow.__subclasses__():
        due: Any = model._default_manager
        facts = due.due(now).aggregate(number=Count("pk"), oldest=Min("next_check_at"))
        if facts["number"]:
            lag = max(timedelta(), now - facts["oldest"])
            names = model._meta.verbose_name, model._meta.verbose_name_plural
            kind = str(names[facts["number"] > 1])
            rows.append(DueRows(kind, facts["number"], lag))
    return sorted(rows, key=lambda row: -row.lag)


def _stuck_rows() -> list[StuckRows]:
    names = ["project__name", "project__slug"]
    # By project, as the index of batches by status begins with it; few batches are unfinished.
    batches = Batch.objects.filter(project__in=Project.objects.all()).unfinished()
    stuck = batches.filter(provider_batches__in=ProviderBatch.objects.needing_attention())
    counted = stuck.order_by().values(*names).annotate(number=Count("provider_batches"))
    ordered = counted.order_by("-number", "project__name")
    return [StuckRows(*row) for row in ordered.values_list(*names, "number")[:MAX_PROJECTS]]


def _stored_bytes(model: Any) -> int:
    return int(
        model._default_manager.exclude(blob="").aggregate(sum=Sum("size", default=0))["sum"]
    )


def _database_bytes() -> int:
    with database.cursor() as cursor:
        cursor.execute(settings.DATABASE_SIZE_QUERY)
        return int(cursor.fetchone()[0])


def _unapplied_migrations() -> int:
    executor = MigrationExecutor(database)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
