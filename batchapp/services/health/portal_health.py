"""Find out whether the portal works: database, cache, broker, disk, beat and workers."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from batchapp.apps import STARTED_AT
from batchapp.models import LeasedRow, Project
from batchapp.models.fields.leased_row import MAX_LEASE, WAKE_INTERVAL
from config.celery import app

logger = logging.getLogger(__name__)

MIN_FREE_BYTES = 16 * 1024 * 1024  # a database could not grow, nor a file arrive, with less
# A tick may wait behind steps; 10 ticks is also how old a message of the tick may become.
MAX_SECONDS_WITHOUT_TICK = 20 + 10 * settings.TICK_SECONDS


class NotWell(Exception):
    """A check failed; the message is the reason, without any address or secret."""


def record_tick() -> None:
    """Note that beat sent a tick and that a worker ran it.

    The note is the time of a file, which all hosts share, and which needs no room on a full disk.
    """
    note = _tick_note()
    try:
        note.parent.mkdir(exist_ok=True)
        note.touch(mode=0o600)
    except OSError as exc:
        logger.warning("The tick cannot be noted: %s", exc)


def check_portal() -> dict[str, str]:
    """Return "ok", or the reason why not, for each thing without which no batch goes on."""
    return {
        "database": _result(_check_database, "does not answer"),
        "cache": _result(_check_cache, "does not answer"),
        "broker": _result(_check_broker, "does not answer"),
        "disk": _result(_check_disk, "cannot be written"),
        "tick": _result(_check_tick, "cannot be read"),
    }


def check_web() -> dict[str, str]:
    """Return "ok", or the reason why not, for each thing without which no page can be shown."""
    return {"database": _result(_check_database, "does not answer")}


def _result(check: Callable[[], None], failure: str) -> str:
    try:
        check()
    except NotWell as exc:
        return str(exc)
    # Each backend has errors of its own, and whatever happens is an answer to the question.
    except Exception as exc:  # noqa: BLE001
        logger.warning("Health: %s %s: %s", check.__name__, failure, exc)
        return failure
    return "ok"


def _check_database() -> None:
    Project.objects.exists()  # SQLite does not open its file for SELECT 1


def _check_cache() -> None:
    cache.set("health", "ok", 60)
    if cache.get("health") != "ok":
        raise NotWell("forgets what was stored")


def _check_broker() -> None:
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        # This creates nothing; the answer is the number of messages.
        channel.queue_declare(app.conf.task_default_queue)


def _check_disk() -> None:
    folders = {settings.DATA_DIR, settings.MEDIA_ROOT, settings.QUEUE_DIR}
    for folder in filter(Path.exists, folders):
        with TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"x")
        if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
            raise NotWell("is full")


def _check_tick() -> None:
    """Require a tick of late; while a worker works on a row, ticks may wait for its processes."""
    now = time.time()
    note = _tick_note()
    noted_at = note.stat().st_mtime if note.exists() else 0.0
    if noted_at - now > MAX_SECONDS_WITHOUT_TICK:  # the clock was wrong
        noted_at = 0.0
    # Beat and the workers may start as much later than this process as a tick may be late.
    seconds = int(now - max(noted_at, STARTED_AT))
    if seconds <= MAX_SECONDS_WITHOUT_TICK:
        return
    if seconds > settings.CELERY_TASK_TIME_LIMIT or not _is_any_row_leased():
        raise NotWell(f"none for {seconds} seconds: beat or every worker has stopped")


def _is_any_row_leased() -> bool:
    now = timezone.now()
    # The index of `next_check_at` leads to the few rows that may be with a worker.
    leased = {
        "next_check_at__lte": now + WAKE_INTERVAL,
        "leased_until__range": (now, now + MAX_LEASE),
    }
    return any(
        model._default_manager.filter(**leased).exists() for model in LeasedRow.__subclasses__()
    )


def _tick_note() -> Path:
    return Path(settings.MEDIA_ROOT, "last-tick")
