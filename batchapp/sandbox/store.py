"""Where the sandbox keeps what it was given: one SQLite file, and one file per upload.

A request's outcome is written down when its batch is created, together with the moment it
becomes visible; nothing has to run in between, so a killed sandbox goes on where it was.
The uploaded lines lie beside the database, because 200 MB would pass twice through its
journal and hold its only write lock meanwhile.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchapp.sandbox.schema import SCHEMA


@contextmanager
def looking_into(directory: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing, also while a sandbox works in the same folder."""
    connection = sqlite3.connect(directory / "sandbox.sqlite3", timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA query_only = 1")
    try:
        yield connection
    finally:
        connection.close()


class Store:
    """The database, and the folder of uploaded lines."""

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self._path = directory / "sandbox.sqlite3"
        self._idle: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        with self._borrowed() as connection:
            connection.executescript(SCHEMA)
        self._forget_broken_uploads()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the database throughout."""
        with self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection whose work is kept as a whole, or not at all if the block raises."""
        with self._write_lock, self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def content_path(self, file_id: str) -> Path:
        """Where the lines of an uploaded file lie."""
        return self.files / f"{file_id}.jsonl"

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        """A connection nobody else uses meanwhile; request threads come and go."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # Survives a killed process; only a power cut could lose the last commits.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _forget_broken_uploads(self) -> None:
        """Drop what uploads left behind that were cut short when the process died."""
        broken = "SELECT pk FROM files WHERE state = 'receiving'"
        with self.writing() as connection:
            connection.execute(f"DELETE FROM lines WHERE file IN ({broken})")  # noqa: S608
            rows = connection.execute("SELECT id FROM files WHERE state = 'receiving'").fetchall()
            connection.execute("DELETE FROM files WHERE state = 'receiving'")
        for row in rows:
            self.content_path(row["id"]).unlink(missing_ok=True)
