"""Storage of the sandbox: one SQLite database, and one file per upload.

The outcome of each request and the time at which it becomes visible are stored when a batch is
created. No process has to run until then, so a killed sandbox continues after its restart.
Uploaded lines are not in the database: writing 200 MB would block all other writes.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from batchapp.sandbox.schema import SCHEMA


def insert_row(connection: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> int:
    """Insert one row; return its ``pk``. The names of table and columns are not escaped."""
    cursor = connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608
        f" VALUES ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )
    return cast("int", cursor.lastrowid)


@contextmanager
def open_read_only(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, also while another process serves the same folder."""
    connection = sqlite3.connect(directory / "sandbox.sqlite3", timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA query_only = 1")
    try:
        yield connection
    finally:
        connection.close()


class Store:
    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self._path = directory / "sandbox.sqlite3"
        self._idle_connections: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        with self._connection() as connection:
            connection.executescript(SCHEMA)
        self._delete_unfinished_uploads()

    @contextmanager
    def read_transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the database."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write_transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are committed together, or not if the block raises."""
        with self._write_lock, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def content_path(self, file_id: str) -> Path:
        return self.files / f"{file_id}.jsonl"

    def close(self) -> None:
        while self._idle_connections:
            self._idle_connections.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that no other thread uses until the block ends."""
        try:
            connection = self._idle_connections.pop()
        except IndexError:
            connection = self._open_connection()
        try:
            yield connection
        finally:
            self._idle_connections.append(connection)

    def _open_connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # Commits survive a killed process; only a power failure can lose the last ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _delete_unfinished_uploads(self) -> None:
        """Delete uploads that were interrupted when the process was killed."""
        unfinished = "SELECT pk FROM files WHERE state = 'receiving'"
        with self.write_transaction() as connection:
            for table in ("lines", "marked_prompts"):
                connection.execute(f"DELETE FROM {table} WHERE file IN ({unfinished})")  # noqa: S608
            rows = connection.execute("SELECT id FROM files WHERE state = 'receiving'").fetchall()
            connection.execute("DELETE FROM files WHERE state = 'receiving'")
        for row in rows:
            self.content_path(row["id"]).unlink(missing_ok=True)
