"""Migrate a database of a test's own to an older version, and back."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps

from tests.installed import migrated_database
from tests.postgres import create_database, drop_database

Migrate = Callable[[str], StateApps]  # with the name of a migration, or "newest"


@pytest.fixture
def migrate(transactional_db: None, tmp_path: Path) -> Iterator[Migrate]:
    """Migrate the database, and return its models there; at first it is the newest."""

    def to(name: str) -> StateApps:
        executor = MigrationExecutor(connection)  # a new one knows what is applied by now
        target = ("batchapp", name)
        if name == "newest":
            (target,) = executor.loader.graph.leaf_nodes("batchapp")
        return executor.migrate([target]).apps

    with _own_database(tmp_path):
        yield to


@contextmanager
def _own_database(folder: Path) -> Iterator[None]:
    """Use a copy of the migrated database: to drop it is quicker than to migrate it again."""
    usual, server = connection.settings_dict["NAME"], os.environ.get("DATABASE_URL")
    name = f"old_{os.getpid()}" if server else str(folder / "old.sqlite3")
    if server:
        create_database(server, name)
    else:
        shutil.copy(migrated_database(), name)
    connection.close()
    connection.settings_dict["NAME"] = name
    yield
    connection.close()
    connection.settings_dict["NAME"] = usual
    if server:
        drop_database(server, name)
