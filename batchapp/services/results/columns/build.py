"""Build the columns file of a batch from the rows of its results and the stored bytes."""

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from django.conf import settings
from django.core.files.base import File
from django.utils import timezone

from batchapp.domain.results.answer_json import AnswerField
from batchapp.models import Batch, ResultColumns
from batchapp.services.results.columns import freshness, schema, statistics
from batchapp.services.results.columns.result_rows import ResultBlock, read_blocks
from batchapp.services.results.columns.source_rows import read_source_blocks, source_table

logger = logging.getLogger(__name__)
Status = ResultColumns.Status

# A field that is text in one answer and a number in another is text: kinds by their strength.
KINDS = ("null", "boolean", "number", "json", "text")
# Columns of which a block gives whole numbers, perhaps with gaps.
INTEGERS = {
    name
    for name, kind in schema.RESULT_COLUMNS.items()
    if kind in {"INTEGER", "BIGINT", "SMALLINT"}
}


def build_columns(columns: ResultColumns) -> None:
    """Build the file anew, and replace the one before.

    Raises:
        StaleRow: another worker has the row now; the file before stays.
        OSError: a file of the batch is gone, or the disk is full; the file before stays.
    """
    batch, started, old = columns.batch, time.monotonic(), columns.blob.name
    renew_lease = columns.lease_renewer("lines_done")
    built_from = freshness.state_of(batch)
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder, "columns.duckdb")
        _write(path, batch, renew_lease)
        columns.renew_lease(leases=2)
        with path.open("rb") as content:
            columns.blob.save("columns.duckdb", File(content), save=False)
        size = path.stat().st_size
    try:
        columns.move_to(
            Status.READY,
            blob=columns.blob.name,
            size=size,
            built_from=built_from,
            built_at=timezone.now(),
            build_seconds=time.monotonic() - started,
            lines_done=0,
            next_check_at=timezone.now() + freshness.unused_period(),
        )
    except BaseException:
        columns.blob.delete(save=False)
        raise
    if old:
        columns.blob.storage.delete(old)


def delete_if_unused(columns: ResultColumns) -> None:
    """Delete a file that nobody used for a while; a late message may find one that is used."""
    remaining = columns.used_at + freshness.unused_period() - timezone.now()
    if remaining.total_seconds() > 0:
        columns.postpone(remaining)
        return
    name = columns.blob.name or ""
    columns.move_to(Status.DELETED, blob="", size=0, built_from="")
    columns.blob.storage.delete(name)


def _write(path: Path, batch: Batch, renew_lease: Callable[[int], None]) -> None:
    with schema.connect(path, read_only=False) as connection:
        has_source = _write_source(connection, batch, renew_lease)
        _Writer(connection, schema.MERGED, has_source=has_source).write(
            batch, renew_lease, merged=True
        )
        if batch.reused or batch.retries.exists():
            _Writer(connection, schema.OWN, has_source=has_source).write(
                batch, renew_lease, merged=False
            )
        connection.execute("CHECKPOINT")
        statistics.write_statistics(connection)
        connection.execute("CHECKPOINT")


def _write_source(
    connection: duckdb.DuckDBPyConnection, batch: Batch, renew_lease: Callable[[int], None]
) -> bool:
    """Write the table of the batch as ``source``, with columns c0, c1 and so on.

    Returns False if the batch has none.
    """
    connection.execute("CREATE TABLE source_columns (name VARCHAR, label VARCHAR)")
    table = source_table(batch.upload)
    if table is None:
        return False
    names = [f"c{index}" for index in range(len(table.columns))]
    connection.executemany(
        "INSERT INTO source_columns VALUES (?, ?)",
        [list(pair) for pair in zip(names, table.columns, strict=True)],
    )
    columns = ", ".join(f"{name} VARCHAR" for name in names)
    connection.execute(f"CREATE TABLE source (row INTEGER, custom_id VARCHAR, {columns})")
    for rows in read_source_blocks(batch.upload, table):
        cells = zip(*(cells for *_, cells in rows), strict=True)
        block = {
            "row": np.array([number for number, *_ in rows], dtype=np.int32),
            "custom_id": _texts([custom_id for _, custom_id, _ in rows]),
            **{name: _texts(column) for name, column in zip(names, cells, strict=True)},
        }
        _insert(connection, "source", block)
        renew_lease(0)
    return True


class _Writer:
    """Writes the results of a batch into one table of a columns file."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, *, has_source: bool
    ) -> None:
        self._connection = connection
        self._table = table
        self._has_source = has_source
        self._fields: dict[str, str] = {}  # of answers: label -> name of the column
        self._kinds: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def write(self, batch: Batch, renew_lease: Callable[[int], None], *, merged: bool) -> None:
        schema.create_results(self._connection, self._table)
        for block in read_blocks(batch, merged=merged):
            self._write_block(block)
            renew_lease(block.columns["line"][-1])
        if self._has_source:
            self._connection.execute(
                f"UPDATE {self._table} SET source_row = source.row FROM source "
                f"WHERE source.custom_id = {self._table}.custom_id"
            )
        self._connection.execute(
            f"CREATE TABLE {self._table}_fields "
            "(name VARCHAR, label VARCHAR, kind VARCHAR, filled INTEGER)"
        )
        for label, name in self._fields.items():
            self._connection.execute(
                f"INSERT INTO {self._table}_fields VALUES (?, ?, ?, ?)",
                [name, label, KINDS[self._kinds[label]], self._counts[label]],
            )

    def _write_block(self, block: ResultBlock) -> None:
        columns = {
            name: _integers(values) if name in INTEGERS else _texts(values)
            for name, values in block.columns.items()
        }
        for fields in block.fields:
            for label, field in fields.items():
                self._note(label, field)
        for label, name in self._fields.items():
            columns[name] = _texts([_text_of(fields.get(label)) for fields in block.fields])
        _insert(self._connection, self._table, columns)

    def _note(self, label: str, field: AnswerField) -> None:
        """Give a field that occurs for the first time its column, while there is room."""
        if label not in self._fields:
            if len(self._fields) == schema.MAX_FIELDS:
                return
            name = self._fields[label] = f"f{len(self._fields)}"
            self._connection.execute(f"ALTER TABLE {self._table} ADD COLUMN {name} VARCHAR")
        kind = KINDS.index(field.kind)
        self._kinds[label] = max(self._kinds.get(label, 0), kind)
        self._counts[label] = self._counts.get(label, 0) + 1


def _text_of(field: AnswerField | None) -> str | None:
    return field.text if field else None


def _texts(values: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _integers(values: list[int | None]) -> Any:
    missing = [value is None for value in values]
    return np.ma.array([value or 0 for value in values], mask=missing, dtype=np.int64)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, block: dict[str, Any]) -> None:
    """Append ``block``, column name -> array, to ``table``."""
    connection.register("block", block)
    names = ", ".join(block)
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM block")
    connection.unregister("block")
