"""Migrate the database of a test to an older version, and back."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps

Migrate = Callable[[str], StateApps]  # with the name of a migration, or "newest"


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Migrate]:
    """Migrate the database, and return its models there; at the end it is the newest again."""

    def to(name: str) -> StateApps:
        executor = MigrationExecutor(connection)  # a new one knows what is applied by now
        target = ("batchapp", name)
        if name == "newest":
            (target,) = executor.loader.graph.leaf_nodes("batchapp")
        return executor.migrate([target]).apps

    yield to
    to("newest")
