"""The answers of the health checks, for machines and without a secret."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from batchapp.services.health import portal_health

pytestmark = pytest.mark.django_db


def test_a_portal_that_is_well_says_so(client: Client) -> None:
    portal_health.record_tick()

    response = client.get("/healthz")

    assert response.status_code == 200
    names = ["status", "database", "cache", "broker", "disk", "storage", "tick"]
    assert response.json() == dict.fromkeys(names, "ok")
    assert client.get("/readyz").json() == {"status": "ok", "database": "ok"}
    assert "no-store" in response["Cache-Control"]
    assert client.head("/readyz").status_code == 200


def test_without_a_worker_the_portal_is_not_well_but_its_web_server_is_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.MEDIA_ROOT = settings.DATA_DIR / "no-such-files"
    cache.delete(portal_health.TICK_KEY)
    monkeypatch.setattr(portal_health, "STARTED_AT", time.time() - 1_000_000)

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["status"] == "error"
    assert "beat or every worker has stopped" in response.json()["tick"]
    assert client.get("/readyz").status_code == 200


def test_without_the_database_both_say_so_and_tell_no_secret(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/secret")

    with ThreadPoolExecutor(1) as pool:
        for path in ("/healthz", "/readyz"):
            response = pool.submit(client.get, path).result()
            assert response.status_code == 503
            assert response.json()["database"] == "does not answer"
            assert "secret" not in response.content.decode()


def test_machines_are_not_sent_to_https(client: Client, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert client.get("/readyz").status_code == 200
    assert client.get("/healthz").status_code in {200, 503}
    assert client.get("/sign-in/").status_code == 301
