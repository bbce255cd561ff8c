"""Find out whether the portal works: its services, disk and storage, beat and workers."""

import errno
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.utils import timezone

from batchapp.apps import STARTED_AT
from batchapp.models import LeasedRow, Project
from batchapp.models.fields.leased_row import MAX_LEASE, WAKE_INTERVAL
from batchapp.storage.blob_storage import BlobStorage
from config.celery import app

logger = logging.getLogger(__name__)

TICK_KEY, WORKERS_KEY = "last-tick", "workers-seen"
WORKER_NOTE_SECONDS = 5.0  # between two notes of one process
FORGET_WORKER_SECONDS = 3600.0  # a worker that did nothing for so long is left out
MIN_FREE_BYTES = 16 * 1024 * 1024  # a database could not grow, nor a file arrive, with less
# A tick may wait behind steps; 10 ticks is also how old a message of the tick may become.
MAX_SECONDS_WITHOUT_TICK = 20 + 10 * settings.TICK_SECONDS


class NotWell(Exception):
    """A check failed; the message is the reason, without any address or secret."""


def record_tick() -> None:
    """Note that beat sent a tick and that a worker ran it.

    Of two notes the newer counts: a time in the cache, which hosts may share, and the time of a
    file, which the processes of a host share, and which needs no room on a full disk.
    """
    note = _tick_note()
    try:
        note.parent.mkdir(exist_ok=True)
        note.touch(mode=0o600)
    except OSError as exc:
        logger.warning("The tick cannot be noted: %s", exc)
    # Each backend has errors of its own, and a tick must not end by any of them.
    try:
        cache.set(TICK_KEY, time.time(), settings.CELERY_TASK_TIME_LIMIT)
    except Exception as exc:  # noqa: BLE001
        logger.warning("The tick cannot be noted in the cache: %s", exc)


_noted_at: dict[str, float] = {}  # worker -> when this process noted it


def record_worker(name: str) -> None:
    """Note in the cache that the worker ``name`` has taken a task."""
    now = time.time()
    if now - _noted_at.get(name, 0) < WORKER_NOTE_SECONDS:
        return
    _noted_at[name] = now
    # Two workers that write at the same moment lose one note, which is soon written again. Each
    # backend has errors of its own, and a task must not end by any of them.
    try:
        seen = {**cache.get(WORKERS_KEY, {}), name: now}
        fresh = {key: at for key, at in seen.items() if now - at < FORGET_WORKER_SECONDS}
        cache.set(WORKERS_KEY, fresh, FORGET_WORKER_SECONDS)
    except Exception as exc:  # noqa: BLE001
        logger.warning("A worker cannot be noted in the cache: %s", exc)


def workers_seen() -> dict[str, float]:
    """Return how many seconds ago each worker took a task, as far as the cache is shared."""
    now = time.time()
    seen: dict[str, float] = cache.get(WORKERS_KEY, {})
    return {name: max(0.0, now - at) for name, at in sorted(seen.items())}


def messages_waiting() -> int:
    """Return how many messages no worker has taken yet."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        # This creates nothing; the answer is the number of messages.
        return int(channel.queue_declare(app.conf.task_default_queue).message_count)


def seconds_since_tick() -> float | None:
    """Return how long ago a worker ran a tick; None if none is noted."""
    noted_at = _tick_times()
    return max(0.0, time.time() - max(noted_at)) if noted_at else None


def check_portal() -> dict[str, str]:
    """Return "ok", or the reason why not, for each thing without which no batch goes on."""
    return {
        "database": _result(_check_database, "does not answer"),
        "cache": _result(_check_cache, "does not answer"),
        "broker": _result(_check_broker, "does not answer"),
        "disk": _result(_check_disk, "cannot be written"),
        "storage": _result(_check_storage, "cannot be written"),
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
    messages_waiting()


def _check_disk() -> None:
    for folder in filter(Path.exists, {settings.DATA_DIR, settings.QUEUE_DIR}):
        with TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"x")
        if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
            raise NotWell("is full")


def _check_storage() -> None:
    try:
        cast(BlobStorage, default_storage).require_room(MIN_FREE_BYTES)
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise NotWell("is full") from exc
        raise


def _check_tick() -> None:
    """Require a tick of late; while a worker works on a row, ticks may wait for its processes."""
    # Beat and the workers may start as much later than this process as a tick may be late.
    seconds = int(time.time() - max([*_tick_times(), STARTED_AT]))
    if seconds <= MAX_SECONDS_WITHOUT_TICK:
        return
    if seconds > settings.CELERY_TASK_TIME_LIMIT or not _is_any_row_leased():
        raise NotWell(f"none for {seconds} seconds: beat or every worker has stopped")


def _tick_times() -> list[float]:
    """Return when ticks were noted, without times far ahead, which are of a wrong clock."""
    note = _tick_note()
    noted_at = [note.stat().st_mtime] if note.exists() else []
    with suppress(Exception):  # that the cache is away is said elsewhere
        if at := float(cache.get(TICK_KEY, 0)):
            noted_at.append(at)
    return [at for at in noted_at if at - time.time() <= MAX_SECONDS_WITHOUT_TICK]


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
