"""Databases of older versions, each made once and then copied.

One walk from the first migration on makes them all. Most of the time of a migration goes into the
models that Django makes for each of its steps, so a test should take few steps, and none back from
the newest version.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from tests import installed, postgres

APP = "batchapp"
SERVER = os.environ.get("DATABASE_URL", "")
VERSIONS = sorted(path.stem for path in (installed.ROOT / APP / "migrations").glob("0*.py"))
TESTED = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_0*.py")}
# Migration that has a test -> the version before, with which its tests begin; oldest first.
STARTS = {after: before for before, after in pairwise(VERSIONS) if after in TESTED}


@contextmanager
def own_database(folder: Path, version: str) -> Iterator[None]:
    """Connect to a new database of ``version``, by "" of the newest one, and delete it at the end.

    On SQLite it is a file in ``folder``.
    """
    name = f"old_{os.getpid()}" if SERVER else str(folder / "old.sqlite3")
    if version:
        _databases.copy(_snapshot(version), name)
    else:
        _databases.copy_newest(name)
    with _connected_to(name):
        yield
    _databases.drop(name)


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    usual = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


def _snapshot(version: str) -> str:
    """Return the name of a database of ``version``, to which nobody may connect."""
    name = _databases.name_of(version)
    with installed.locked():
        if not _databases.exists(name):
            _make_snapshots()
    return name


def _make_snapshots() -> None:
    """Migrate an empty database, and copy it at each version that is missing."""
    names = {version: _databases.name_of(version) for version in STARTS.values()}
    missing = [version for version in names if not _databases.exists(names[version])]
    walking = _databases.name_of("walk")

    def keep(action: str, migration: Migration | None = None, _: object = None) -> None:
        if action != "apply_success" or migration is None or migration.app_label != APP:
            return
        if migration.name in missing:
            connection.close()  # only a database without connections can be copied
            _databases.copy(walking, names[migration.name])

    _databases.create(walking)  # instead of one that an error or a kill left behind
    with _connected_to(walking):
        # The tables of the other apps come first, as in each portal that is upgraded.
        executor = MigrationExecutor(connection, keep)
        leaves = executor.loader.graph.leaf_nodes()
        executor.migrate([leaf for leaf in leaves if leaf[0] != APP])
        MigrationExecutor(connection, keep).migrate([(APP, missing[-1])])
    _databases.drop(walking)


class _Files:
    """Databases of SQLite, each a file. The snapshots stay until a day after a change of code."""

    def name_of(self, version: str) -> str:
        return str(installed.CACHE / f"versions-{_code()}" / f"{version}.sqlite3")

    def exists(self, name: str) -> bool:
        return Path(name).exists()

    def create(self, name: str) -> None:
        """Make the folder alone, in which the first statement makes the file."""
        installed.delete_old("versions")
        Path(name).parent.mkdir(exist_ok=True)
        self.drop(name)

    def copy(self, name: str, new: str) -> None:
        """Copy a file of which no other process sees half a copy."""
        part = shutil.copy(name, f"{new}.part")
        Path(part).rename(new)

    def copy_newest(self, new: str) -> None:
        self.copy(str(installed.migrated_database()), new)

    def drop(self, name: str) -> None:
        Path(name).unlink(missing_ok=True)


class _Server:
    """Databases of the PostgreSQL server, which copies each at once or not at all."""

    def name_of(self, version: str) -> str:
        return f"at_{version[:9]}_{_code()}"

    def exists(self, name: str) -> bool:
        return postgres.exists(SERVER, name)

    def create(self, name: str) -> None:
        self.drop(name)
        postgres.copy_database(SERVER, "template1", name)

    def copy(self, name: str, new: str) -> None:
        postgres.copy_database(SERVER, name, new)

    def copy_newest(self, new: str) -> None:
        postgres.create_database(SERVER, new)

    def drop(self, name: str) -> None:
        postgres.drop_database(SERVER, name)


@cache
def _code() -> str:
    """Return a name for the code that the databases are made by."""
    return installed.fingerprint(installed.DATABASE_SOURCES)


_databases = _Server() if SERVER else _Files()
