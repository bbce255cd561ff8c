"""Each reason why the portal does not work, by its real cause."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from batchapp import tasks
from batchapp.models import LeasedRow, Upload
from batchapp.services.health import portal_health
from batchapp.services.health.portal_health import (
    MAX_SECONDS_WITHOUT_TICK,
    check_portal,
    check_web,
    record_tick,
)
from config.storage_url import storage_backend
from tests.faults.broker_storm import small_disk
from tests.fixtures import Clock
from tests.make import make_upload

pytestmark = pytest.mark.django_db

NOBODY_LISTENS = "redis://:secret@127.0.0.1:1/0"
LONG = MAX_SECONDS_WITHOUT_TICK + 5  # seconds
Age = Callable[[float], None]


@pytest.fixture
def started_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal_health, "STARTED_AT", time.time() - 1_000_000)


@pytest.fixture
def age(started_long_ago: None, settings: LazySettings, tmp_path: Path) -> Age:
    """Let the last tick be as many seconds ago."""
    settings.MEDIA_ROOT = tmp_path / "files"
    cache.delete("last-tick")

    def set_age(seconds: float) -> None:
        record_tick()
        cache.delete("last-tick")
        os.utime(settings.MEDIA_ROOT / "last-tick", times=(time.time() - seconds,) * 2)

    return set_age


def troubles() -> dict[str, str]:
    return {name: result for name, result in check_portal().items() if result != "ok"}


def test_a_portal_whose_tick_ran_is_well(age: Age) -> None:
    tasks.tick()

    assert troubles() == {}


def test_without_any_tick_it_is_not_well(age: Age) -> None:
    assert list(troubles()) == ["tick"]


def test_an_old_tick_says_how_long_ago_it_was(age: Age, clock: Clock) -> None:
    clock.stop()
    age(LONG)

    assert troubles() == {"tick": f"none for {LONG} seconds: beat or every worker has stopped"}


def test_a_portal_that_has_just_started_has_time_for_its_first_tick(
    age: Age, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(LONG)
    monkeypatch.setattr(portal_health, "STARTED_AT", time.time() - 5)

    assert troubles() == {}


def test_a_tick_of_a_clock_that_was_hours_ahead_does_not_count(age: Age) -> None:
    age(-3 * 3600)

    assert list(troubles()) == ["tick"]


def test_ticks_may_wait_while_a_worker_has_a_row_but_not_for_ever(
    age: Age, settings: LazySettings
) -> None:
    upload = make_upload(is_checked=False)
    assert Upload.objects.claim(upload.pk, upload.status)

    age(LONG)
    assert troubles() == {}
    age(settings.CELERY_TASK_TIME_LIMIT + 5)
    assert list(troubles()) == ["tick"]


def test_a_row_whose_lease_has_ended_excuses_no_missing_tick(age: Age) -> None:
    upload = make_upload(is_checked=False)
    assert Upload.objects.claim(upload.pk, upload.status)
    Upload.objects.update(leased_until=timezone.now())

    age(LONG)

    assert list(troubles()) == ["tick"]


@pytest.fixture
def cache_elsewhere(settings: LazySettings) -> None:
    """The cache is not in the database."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def test_what_is_asked_of_the_database_does_not_grow_with_the_rows(
    age: Age, django_assert_max_num_queries: Callable[..., object], cache_elsewhere: None
) -> None:
    age(LONG)
    for _ in range(5):
        make_upload()

    with django_assert_max_num_queries(1 + len(LeasedRow.__subclasses__())):
        check_portal()


def test_a_database_that_is_away_is_named(
    age: Age, monkeypatch: pytest.MonkeyPatch, cache_elsewhere: None
) -> None:
    age(0)
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/away")

    # A thread has a connection of its own, which it opens now.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(check_web).result() == {"database": "does not answer"}
        assert pool.submit(troubles).result() == {"database": "does not answer"}


def test_a_cache_that_is_away_is_named(age: Age, settings: LazySettings) -> None:
    age(0)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": NOBODY_LISTENS,
        }
    }

    assert troubles() == {"cache": "does not answer"}


def test_a_cache_that_keeps_nothing_is_named(age: Age, settings: LazySettings) -> None:
    age(0)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert troubles() == {"cache": "forgets what was stored"}


def test_a_broker_that_is_away_is_named(age: Age, monkeypatch: pytest.MonkeyPatch) -> None:
    age(0)
    away = Celery(broker=NOBODY_LISTENS, set_as_current=False)
    monkeypatch.setattr(portal_health, "app", away)

    assert troubles() == {"broker": "does not answer"}


def test_a_tick_of_another_host_is_known_by_the_cache_that_both_use(
    started_long_ago: None, settings: LazySettings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "of the worker"
    tasks.tick()
    settings.MEDIA_ROOT = tmp_path / "of the web server"

    assert troubles() == {}


def test_an_object_storage_that_is_away_is_named(
    age: Age, settings: LazySettings, tmp_path: Path
) -> None:
    age(0)
    url = "s3+http://key:secret@127.0.0.1:1/batchapp"
    settings.STORAGES = {"default": storage_backend(url, copies_dir=tmp_path)}

    assert troubles() == {"storage": "cannot be written"}


@pytest.mark.parametrize(
    ("folder", "part"), [("MEDIA_ROOT", "storage"), ("DATA_DIR", "disk"), ("QUEUE_DIR", "disk")]
)
def test_a_full_disk_is_named_and_so_is_one_that_is_nearly_full(
    age: Age, settings: LazySettings, tmp_path: Path, folder: str, part: str
) -> None:
    settings.STORAGES = {"default": storage_backend("filesystem://localhost", copies_dir=tmp_path)}
    try:
        with small_disk(tmp_path / "disk", "18m") as disk:
            setattr(settings, folder, disk)
            record_tick()
            age(0)
            assert troubles() == {}

            (disk / "filler").write_bytes(bytes(4 * 1024 * 1024))
            assert troubles() == {part: "is full"}

            with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            assert troubles() in ({part: "cannot be written"}, {part: "is full"})
            record_tick()
    except PermissionError as exc:
        pytest.skip(str(exc))


def test_a_tick_on_a_disk_that_cannot_be_written_goes_on(
    settings: LazySettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "files").write_text("a file where a folder should be")
    settings.MEDIA_ROOT = tmp_path / "files"

    tasks.tick()

    assert "The tick cannot be noted" in caplog.text
