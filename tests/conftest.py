"""Where the suite keeps its files, and what it does more cheaply than the portal.

The settings are loaded here, before any test module, so that they read this environment. The
backing services are those of the environment: the same suite runs on PostgreSQL and Redis.
"""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connection
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.template import Template
from pytest_django.plugin import DjangoDbBlocker

from tests.installed import migrated_database

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
settings.EVEN_ANSWER_SECONDS = 0
settings.STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
_render = Template._render  # the test environment of Django replaces it
settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of a folder that is not there
django.setup()

# By the clock an example takes long whenever the machine is busy; pytest-timeout ends what hangs.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Copy a migrated database for the tests of this process.

    On SQLite it is a file: in memory, threads would share one connection's cache and not wait for
    each other's locks.
    """
    server = os.environ.get("DATABASE_URL")
    name = f"test_{os.getpid()}" if server else str(DATA_DIR / "test.sqlite3")
    if server:
        from tests import postgres  # noqa: PLC0415  # takes a quarter of a second to import

        postgres.stop_autovacuum(postgres.create_database(server, name))
    else:
        shutil.copy(migrated_database(), name)
        # Threads that race for the lock on a busy machine do not get it in turn.
        connection.settings_dict["OPTIONS"]["timeout"] = 300  # seconds
    connection.settings_dict["NAME"] = name  # of every thread
    yield
    with django_db_blocker.unblock():
        connection.close()
    if server:
        postgres.drop_database(server, name)


@pytest.fixture(scope="session", autouse=True)
def _render_as_the_portal_does(django_test_environment: None) -> None:
    """Spare every page the copies of its contexts, which Django keeps for tests that read them."""
    Template._render = _render


@receiver(post_migrate)
def _bring_back_what_migrations_wrote(sender: AppConfig, **_: Any) -> None:
    """A test with transactions of its own leaves the database empty to whichever comes next."""
    if sender.label == "batchapp":
        import_module("batchapp.migrations.0001_initial").add_doubleword(apps, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, where a second database is tested, the tests that cannot differ there."""
    if "DATABASE_URL" not in os.environ:
        return
    tests = config.rootpath / "tests"
    chosen = [item for item in items if _may_differ_by_stack(item, tests)]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = chosen


def pytest_collection_finish() -> None:
    """Spare the garbage collector the objects of ten thousand collected tests, which all stay."""
    gc.collect()
    gc.freeze()


# What these show they read by services and models, whose tests run on both databases, as does
# tests/test_access.py, which opens every page. The marker ``both_databases`` is for the others.
ONLY_SHOW = ("api", "presenters", "templatetags", "views")


def _may_differ_by_stack(item: pytest.Item, tests: Path) -> bool:
    if any(item.get_closest_marker(name) for name in ("processes", "browser", "both_databases")):
        return True
    database = item.get_closest_marker("django_db")
    fixtures = set(getattr(item, "fixturenames", ()))
    own_database = {"transactional_db", "migrate"} & fixtures
    if (database and database.kwargs.get("transaction")) or own_database:
        return True
    only_shows = any(item.path.is_relative_to(tests / folder) for folder in ONLY_SHOW)
    return not only_shows and (database is not None or "db" in fixtures)


# Fixtures import models, so the settings above must be loaded first.
from tests.fixtures import (  # noqa: E402
    browser,  # noqa: F401
    clock,  # noqa: F401
    local_receivers,  # noqa: F401
    module_rows,  # noqa: F401
    own_cache,  # noqa: F401
    own_storage,  # noqa: F401
    project,  # noqa: F401
    provider,  # noqa: F401
    running,  # noqa: F401
    stopped_clock,  # noqa: F401
    user,  # noqa: F401
    woken,  # noqa: F401
)

# A worker of pytest-xdist inherits this environment, and must name its own folder first. Celery's
# configuration, which the fixtures import, sets the variable again.
del os.environ["DJANGO_SETTINGS_MODULE"]
