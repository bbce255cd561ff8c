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
import hypothesis
import pytest
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

# By the clock an example takes long whenever the machine is busy; pytest-timeout ends what hangs.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")


@receiver(post_migrate)
def _bring_back_what_migrations_wrote(sender: AppConfig, **_: Any) -> None:
    """A test with transactions of its own leaves the database empty to whichever comes next."""
    if sender.label == "batchapp":
        import_module("batchapp.migrations.0001_initial").add_doubleword(apps, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, where a second database is tested, the tests that touch no database."""
    if "DATABASE_URL" not in os.environ:
        return
    chosen = [item for item in items if _may_differ_by_stack(item)]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = chosen


def _may_differ_by_stack(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "processes", "browser"))
    return marked or bool(fixtures & {"db", "transactional_db"})


# Fixtures import models, so the settings above must be loaded first.
from tests.fixtures import browser, clock, project, provider, running, user, woken  # noqa: E402, F401

# A worker of pytest-xdist inherits this environment, and must name its own folder first. Celery's
# configuration, which the fixtures import, sets the variable again.
del os.environ["DJANGO_SETTINGS_MODULE"]
