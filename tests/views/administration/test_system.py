"""The system page says what works, also while services are away."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from batchapp.models import Connection, ProviderBatch, RetentionRule, Upload
from batchapp.services.health import portal_health
from config.storage_url import storage_backend
from tests.html import Page, page_of
from tests.make import (
    make_administrator,
    make_batch,
    make_key,
    make_project,
    make_upload,
    set_state,
)

pytestmark = pytest.mark.django_db

SYSTEM = "/administration/system/"
NOBODY_LISTENS = "redis://:secret-of-redis@127.0.0.1:1/0"


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_administrator())
    portal_health.record_tick()
    return client


def test_the_page_shows_versions_load_and_room(desk: Client) -> None:
    make_upload()
    portal_health._noted_at.clear()
    portal_health.record_worker("celery@one")

    page = page_of(desk, SYSTEM)

    for text in ("Django", "Python", "Last tick", "Queue", "Stored files", "Free on the disk"):
        assert text in page.text
    assert "celery@one" in page.text
    assert "All services answer" in page.text


def test_a_tick_that_nobody_heard_of_is_not_said_to_work(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(make_administrator())
    monkeypatch.setattr(portal_health, "STARTED_AT", time.time())  # beat may still be starting
    portal_health._tick_note().unlink(missing_ok=True)
    cache.delete(portal_health.TICK_KEY)

    services = page_of(client, SYSTEM).one("#system").text

    assert "Beat and workers no tick yet" in services
    portal_health.record_tick()
    assert "Beat and workers works" in page_of(client, SYSTEM).one("#system").text


def test_it_refreshes_itself(desk: Client) -> None:
    page = page_of(desk, SYSTEM)
    fragment = desk.get(SYSTEM, headers={"HX-Request": "true"}).content.decode()

    assert page.one("#system")["hx-trigger"] == "every 10s"
    assert 'id="system"' in fragment
    assert "<html" not in fragment


def test_no_secret_is_on_the_page(desk: Client, settings: LazySettings) -> None:
    key = make_key(make_project(), secret="sk-do-not-show-1234")
    key.connection.set_platform_key("sk-platform-do-not-show")
    key.connection.save()

    html = page_of(desk, SYSTEM).html

    secrets = [settings.SECRET_KEY, *settings.ENCRYPTION_KEYS, key.ciphertext]
    secrets += [key.connection.platform_ciphertext, "do-not-show"]
    assert [secret for secret in secrets if secret in html] == []


def test_what_waits_comes_first_with_a_way_to_it(desk: Client) -> None:
    batch = make_batch(make_project(name="Support tickets"))
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    late = timezone.now() - timedelta(minutes=30)
    make_upload(is_checked=False)
    Upload.objects.update(next_check_at=late)
    now = timezone.now()
    Connection.objects.filter(pk=batch.connection_id).update(
        failures=4, down_since=now, backoff_until=now + timedelta(minutes=1)
    )

    page = page_of(desk, SYSTEM)

    assert "Work is late" in page.text
    assert f"Due for 30 min or less: {Upload.objects.count()} uploads" in page.text
    assert "Support tickets: 1 batch needs a person" in page.text
    titles = page.texts(".items b")
    assert batch.connection.name in titles
    links = page.one("#system").links
    assert any(link.startswith("See the connection") for link in links)
    assert any(link.startswith("Find the project") for link in links)


def test_without_redis_the_page_says_so(
    desk: Client, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": NOBODY_LISTENS}}
    broker = Celery(broker=NOBODY_LISTENS)
    broker.conf.broker_connection_timeout = 1
    monkeypatch.setattr(portal_health, "app", broker)

    page = page_of(desk, SYSTEM)

    assert "Cache: does not answer" in page.text
    assert "Queue of the workers: does not answer" in page.text
    assert "Which workers run is not known: the cache does not answer." in page.text
    assert "secret-of-redis" not in page.html


def test_without_the_storage_the_page_says_so(
    desk: Client, settings: LazySettings, tmp_path: Path
) -> None:
    url = "s3+http://key:secret-of-storage@127.0.0.1:1/bucket"
    settings.STORAGES = settings.STORAGES | {
        "default": storage_backend(url, copies_dir=tmp_path / "copies")
    }

    page = page_of(desk, SYSTEM)

    assert "Storage of files: cannot be written" in page.text
    assert "secret-of-storage" not in page.html


def test_a_silent_beat_is_named(
    desk: Client, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "files"
    cache.delete(portal_health.TICK_KEY)
    monkeypatch.setattr(portal_health, "STARTED_AT", 0)

    page = page_of(desk, SYSTEM)

    assert "beat or every worker has stopped" in page.text
    assert "manage.py serve" in page.text


def test_the_preview_names_what_rules_would_delete(desk: Client) -> None:
    project = make_project(name="Support tickets")
    upload = make_upload(project)
    Upload.objects.filter(pk=upload.pk).update(created_at=timezone.now() - timedelta(days=40))
    RetentionRule.objects.create(project=project, days=30)

    page = page_of(desk, "/administration/retention/")

    assert "Support tickets" in page.text
    assert "for 30 days" in page.text
    assert "1 file" in page.text


def test_the_page_takes_the_same_queries_for_any_number_of_rows(
    desk: Client, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for _ in range(4):
        make_batch()

    with django_assert_max_num_queries(44):
        desk.get(SYSTEM)


def test_a_worker_that_takes_a_task_is_seen() -> None:
    cache.delete(portal_health.WORKERS_KEY)
    portal_health._noted_at.clear()

    portal_health.record_worker("celery@one")
    portal_health.record_worker("celery@two")

    assert list(portal_health.workers_seen()) == ["celery@one", "celery@two"]
    assert all(seconds < 5 for seconds in portal_health.workers_seen().values())


@pytest.mark.parametrize(
    ("trusted", "forwarded", "title"),
    [
        (0, "", "All services answer"),
        (1, "192.0.2.7", "All services answer"),
        (0, "192.0.2.7", "A proxy that the portal does not know"),
        (2, "192.0.2.7", "Fewer proxies than the portal trusts"),
    ],
)
def test_proxies_that_the_settings_do_not_count_are_told(
    desk: Client, settings: LazySettings, trusted: int, forwarded: str, title: str
) -> None:
    """Else a stranger behind the same proxy locks everybody out."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = trusted

    page = Page(desk.get(SYSTEM, headers={"X-Forwarded-For": forwarded}))

    assert title in page.text
