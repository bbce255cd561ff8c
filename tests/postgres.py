"""Databases of PostgreSQL for tests, each a copy of one that was migrated once on that server."""

import os
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.installed import DATABASE_SOURCES, fingerprint, locked, manage


def create_database(server: str, name: str) -> str:
    """Create a migrated database beside the database at ``server``, and return its URL."""
    template = f"portal_{fingerprint(DATABASE_SOURCES)}"
    with psycopg.connect(server, autocommit=True) as admin:
        with locked():
            if not exists(server, template):
                new = f"{template}_{os.getpid()}"
                admin.execute(f"CREATE DATABASE {new}")
                manage(os.environ | {"DATABASE_URL": _beside(server, new)}, "migrate")
                admin.execute(f"ALTER DATABASE {new} RENAME TO {template}")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return _beside(server, name)


def copy_database(server: str, name: str, new: str) -> None:
    """Copy the database ``name``, to which nobody may be connected."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {new} TEMPLATE {name}")


def stop_autovacuum(url: str) -> None:
    """Let no statistics of this database change by themselves while its tests run.

    A test rolls its rows back. Were a table measured just then, PostgreSQL would take it for
    empty, and answer the next test's ten thousand rows by a plan for one row: for minutes.
    """
    with psycopg.connect(url) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables.fetchall():
            change = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)")
            database.execute(change.format(sql.Identifier(table)))


def exists(server: str, name: str) -> bool:
    with psycopg.connect(server, autocommit=True) as admin:
        known = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return known.fetchone() is not None


def drop_database(server: str, name: str) -> None:
    """Remove the database ``name`` beside ``server``, if there is one, and end its connections."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def is_migrated(url: str) -> bool:
    with psycopg.connect(url) as database:
        row = database.execute("SELECT to_regclass('django_migrations')").fetchone()
    return row is not None and row[0] is not None


def _beside(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
