"""Let the test of a migration begin with a database of the version before."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from pytest_django.plugin import DjangoDbBlocker

from tests.migrations.snapshots import STARTS, own_database

Migrate = Callable[[str], StateApps]  # with the name of a migration, or "newest"


@pytest.fixture
def migrate(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[Migrate]:
    """Migrate the database of this test, and return its models there.

    At first it is an empty one of the version before the migration that the file of the test is
    named after; for the first migration, of the newest version.
    """

    def to(name: str) -> StateApps:
        executor = MigrationExecutor(connection)  # a new one knows what is applied by now
        target = ("batchapp", name)
        if name == "newest":
            (target,) = executor.loader.graph.leaf_nodes("batchapp")
        return executor.migrate([target]).apps

    version = STARTS.get(request.path.stem.removeprefix("test_"), "")
    with django_db_blocker.unblock(), own_database(tmp_path, version):
        yield to
