"""Open the columns file of a batch for a person who may see its results."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from batchapp import access
from batchapp.models import ResultColumns, User
from batchapp.services.results.columns import freshness, schema
from batchapp.services.results.columns.columns_reader import ColumnsReader
from batchapp.services.results.columns.reader_cache import ReaderCache
from batchapp.storage import blobs
from batchapp.storage.blob_storage import StorageUnavailable

logger = logging.getLogger(__name__)

# What DuckDB raises for a file whose bytes are not those that were written.
DAMAGE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
MAX_OPEN = 3  # files that one process keeps open; each may take 256 MB of memory


@contextmanager
def open_columns(
    columns: ResultColumns, user: User, *, own: bool = False
) -> Iterator[ColumnsReader | None]:
    """Open the columns file; None if there is none yet, or if it is gone or damaged.

    ``own`` leaves out the answers of retries. A damaged file is built again when it is asked for
    the next time.

    Raises:
        NotAllowed: nothing was read.
        Refused: the results were deleted.
        StorageUnavailable: the file turned out to be damaged while it was read.
    """
    access.require_see(user, columns.batch.project)
    columns.batch.require_content()
    try:
        reader = _files.open(columns).reader(own=own)
    except StorageUnavailable:
        yield None
        return
    except (duckdb.Error, OSError) as exc:
        _discard(columns, exc)
        yield None
        return
    try:
        yield reader
    except DAMAGE as exc:
        _discard(columns, exc)
        raise StorageUnavailable(f"batch {columns.batch_id}: damaged columns file") from exc


def _discard(columns: ResultColumns, exc: Exception) -> None:
    if not columns.blob.name:
        return
    logger.error("batch %s: the columns file cannot be read: %s", columns.batch_id, exc)
    _files.close(columns.blob.name)
    freshness.discard_columns(columns)


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """An open columns file; ``has_own`` says whether it has the results without retries."""

    connection: duckdb.DuckDBPyConnection
    cache: ReaderCache
    has_own: bool

    def reader(self, *, own: bool) -> ColumnsReader:
        # A file without such a table was built before there was a retry.
        table = schema.OWN if own and self.has_own else schema.MERGED
        return ColumnsReader(self.connection, table, self.cache)


class _OpenFiles:
    """The columns files that this process has open; a file never changes under its name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _OpenFile] = OrderedDict()

    def open(self, columns: ResultColumns) -> _OpenFile:
        name = columns.blob.name
        if not name:
            raise FileNotFoundError(f"batch {columns.batch_id}: no columns file")
        with self._lock:
            opened = self._open.pop(name, None)
            if opened is None:
                # DuckDB keeps the file open, so that its name may go when the context ends.
                with blobs.local_path(columns.blob) as path:
                    connection = schema.connect(path, read_only=True)
                has_own = schema.has_table(connection, schema.OWN)
                opened = _OpenFile(connection, ReaderCache(), has_own)
            self._open[name] = opened
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        return opened

    def close(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)


_files = _OpenFiles()
