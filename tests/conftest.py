"""Where the suite keeps its files, and what it does more cheaply than the portal.

The settings are loaded here, before any test module, so that they read this environment. The
backing services are those of the environment: the same suite runs on PostgreSQL and Redis.
"""

import atexit
import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import AppConfig, apps
from django.conf import settings
from django.db.models.signals import post_migrate
from django.dispatch import receiver

# Every worker process of pytest-xdist comes through here and gets a folder of its own.
DATA_DIR = Path(tempfile.mkdtemp(prefix="batchapp-tests-"))
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
os.environ["DATA_DIR"] = str(DATA_DIR)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ.pop("DEBUG", None)
os.environ.setdefault("LOG_LEVEL", "WARNING")

if DATA_DIR.resolve() != settings.DATA_DIR:
    raise RuntimeError("the settings were loaded before the tests could name their folder")
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # In memory, threads would share one connection's cache and not wait for each other's locks.
    settings.DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of a folder that is not there
django.setup()
# A worker of pytest-xdist inherits this environment, and must come to the lines above first.
del os.environ["DJANGO_SETTINGS_MODULE"]


@receiver(post_migrate)
def _bring_back_what_migrations_wrote(sender: AppConfig, **_: Any) -> None:
    """A test with transactions of its own leaves the database empty to whichever comes next."""
    if sender.label == "batchapp":
        import_module("batchapp.migrations.0001_initial").add_doubleword(apps, None)


import pytest  # noqa: E402
from django.test import Client  # noqa: E402

from batchapp import tasks  # noqa: E402
from batchapp.models import Project, ProviderBatch, User  # noqa: E402
from batchapp.pipeline import provider_access  # noqa: E402
from batchapp.services.lifecycle import prepare  # noqa: E402
from tests.make import make_batch, make_project, make_user  # noqa: E402
from tests.provider import Provider  # noqa: E402
from tests.steps import make_due  # noqa: E402


@pytest.fixture
def user() -> User:
    return make_user("ada@example.com")


@pytest.fixture
def project(user: User) -> Project:
    """A project that ``user`` is a member of."""
    return make_project(user, name="Support tickets", slug="support")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A browser in which ``user`` is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the rows that a worker was told of."""
    ids: list[str] = []
    for task in tasks.STEPS.values():
        monkeypatch.setattr(task, "delay", ids.append)
    return ids


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """What the portal speaks to in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(provider_access, "provider_client", provider.client)
    return provider


@pytest.fixture
def running(provider: Provider) -> ProviderBatch:
    """A provider batch of three requests that the provider works on."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    tasks.submit(str(provider_batch.pk))
    return make_due(provider_batch)
