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

SCHEMA = """
-- One file somebody uploaded, or one of the two virtual files of a batch.
CREATE TABLE IF NOT EXISTS files (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,               -- batch | batch_output | batch_error
    batch INTEGER,                       -- of a virtual file
    filename TEXT NOT NULL,
    bytes INTEGER NOT NULL,              -- as uploaded, before fields were stripped
    created_at REAL NOT NULL,
    expires_at REAL,
    state TEXT NOT NULL                  -- receiving | ready | deleted
);
CREATE INDEX IF NOT EXISTS files_by_owner ON files (owner, pk);

-- Where each line of an uploaded file lies, and what its model call will come to.
CREATE TABLE IF NOT EXISTS lines (
    file INTEGER NOT NULL,
    number INTEGER NOT NULL,             -- from 1, blank lines not counted
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    model TEXT NOT NULL,
    first_status INTEGER NOT NULL,       -- HTTP status of the first attempt, 0 for no answer
    later_status INTEGER NOT NULL,       -- and of every retry
    is_slow INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (file, number)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS file_models (
    file INTEGER NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    PRIMARY KEY (file, model)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_models_by_model ON file_models (model, file);

-- Every batch that was ever created, also when its creator never heard of it.
CREATE TABLE IF NOT EXISTS batches (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    file INTEGER NOT NULL,
    output_file_id TEXT,
    error_file_id TEXT,
    endpoint TEXT NOT NULL,
    completion_window TEXT NOT NULL,
    metadata TEXT NOT NULL,
    has_credit INTEGER NOT NULL,
    created_at REAL NOT NULL,
    populated_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    settled_at REAL NOT NULL,            -- when the last request settles
    finalized_at REAL,                   -- when somebody noticed
    cancelled_at REAL,
    deleted_at REAL,
    total INTEGER NOT NULL,
    failing INTEGER NOT NULL             -- how many will have failed once all have settled
);
CREATE INDEX IF NOT EXISTS batches_by_owner ON batches (owner, pk);
CREATE INDEX IF NOT EXISTS batches_by_file ON batches (file);

CREATE TABLE IF NOT EXISTS requests (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    status INTEGER NOT NULL,             -- HTTP status it settles with, 0 for no answer
    has_failed INTEGER NOT NULL,
    settles_at REAL,                     -- NULL once cancelled
    PRIMARY KEY (batch, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_outcome
    ON requests (batch, has_failed, settles_at, line);
"""


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
