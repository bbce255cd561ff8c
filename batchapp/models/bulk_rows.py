"""Write thousands of rows of one table from tuples, by the fastest statement of each database.

Django's ``bulk_create`` takes eight times as long, since it makes and converts an instance for
each row. PostgreSQL and SQLite have no fast statement in common, so this module, beside the
settings, is the one place that knows which of the two is there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from django.db import connection, models

Row = tuple[int | str | None, ...]


class _Table(NamedTuple):
    """A table, its columns that differ from row to row, and those with the same value in all.

    All names are quoted, but ``keys``, the names of ``columns``. ``values`` are those of ``same``,
    as the database stores them.
    """

    name: str
    keys: list[str]
    columns: list[str]
    types: list[str]
    same: list[str]
    values: list[Any]


class BulkRows(Protocol):
    """The two statements that each database has to offer."""

    def insert_new(self, table: _Table, rows: Sequence[Row]) -> None: ...

    def update(self, table: _Table, rows: Sequence[Row]) -> None: ...


def insert_new(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Sequence[Row],
    same: Mapping[str, Any],
) -> None:
    """Insert ``rows``; a row that a unique constraint refuses is left out.

    The values of a row are those of ``fields``, as the database stores them. ``same`` are further
    fields with one value for all rows. All rows are written or none.
    """
    _of_connection().insert_new(_table(model, fields, same), rows)


def update(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Sequence[Row],
    same: Mapping[str, Any],
) -> None:
    """Write ``fields`` of the rows with these primary keys, each the first value of its row.

    For the other arguments see ``insert_new``. Call this in a transaction.
    """
    _of_connection().update(_table(model, [model._meta.pk.name, *fields], same), rows)


class _Postgres:
    """Sends all rows as one text of JSON, which the server reads as a table.

    COPY into a temporary table took as long for 50,000 rows, and creates a table for each block;
    arrays took twice as long.
    """

    def insert_new(self, table: _Table, rows: Sequence[Row]) -> None:
        columns, values = ", ".join(table.columns + table.same), ", %s" * len(table.same)
        self._execute(
            f"INSERT INTO {table.name} ({columns}) SELECT {', '.join(table.columns)}{values} "  # noqa: S608  # names of fields
            f"FROM {self._rows(table)} ON CONFLICT DO NOTHING",
            [*table.values, _as_json(table, rows)],
        )

    def update(self, table: _Table, rows: Sequence[Row]) -> None:
        pk, *columns = table.columns
        changes = [f"{column} = new.{column}" for column in columns]
        changes += [f"{column} = %s" for column in table.same]
        self._execute(
            f"UPDATE {table.name} SET {', '.join(changes)} FROM {self._rows(table)} "  # noqa: S608  # names of fields
            f"WHERE {table.name}.{pk} = new.{pk}",
            [*table.values, _as_json(table, rows)],
        )

    def _rows(self, table: _Table) -> str:
        columns = zip(table.columns, table.types, strict=True)
        return f"json_to_recordset(%s) AS new({', '.join(map(' '.join, columns))})"

    def _execute(self, sql: str, parameters: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)


class _Sqlite:
    """Runs one prepared statement for each row, which needs neither network nor planning."""

    def insert_new(self, table: _Table, rows: Sequence[Row]) -> None:
        columns = table.columns + table.same
        marks = ", ".join(["%s"] * len(columns))
        self._execute(
            f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608  # names of fields
            "ON CONFLICT DO NOTHING",
            [(*row, *table.values) for row in rows],
        )

    def update(self, table: _Table, rows: Sequence[Row]) -> None:
        pk, *columns = table.columns
        changes = ", ".join(f"{column} = %s" for column in columns + table.same)
        self._execute(
            f"UPDATE {table.name} SET {changes} WHERE {pk} = %s",  # noqa: S608  # names of fields
            [(*row[1:], *table.values, row[0]) for row in rows],
        )

    def _execute(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)


# By the name that Django gives the kind of database.
BULK_ROWS: dict[str, BulkRows] = {"postgresql": _Postgres(), "sqlite": _Sqlite()}


def _of_connection() -> BulkRows:
    return BULK_ROWS[connection.vendor]


def _table(model: type[models.Model], names: Sequence[str], same: Mapping[str, Any]) -> _Table:
    fields = [_field(model, name) for name in names]
    constants = [_field(model, name) for name in same]
    quoted = connection.ops.quote_name
    keys = [_column(field) for field in fields]
    return _Table(
        quoted(model._meta.db_table),
        keys,
        [quoted(key) for key in keys],
        [field.db_type(connection) or "" for field in fields],
        [quoted(_column(field)) for field in constants],
        [
            field.get_db_prep_save(value, connection)
            for field, value in zip(constants, same.values(), strict=True)
        ],
    )


def _column(field: "models.Field[Any, Any]") -> str:
    assert field.column  # noqa: S101  # no field of several columns, as the caller promises
    return field.column


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)  # noqa: S101  # a column, as the caller promises
    return field


def _as_json(table: _Table, rows: Sequence[Row]) -> str:
    keys = table.keys
    return msgspec.json.encode([dict(zip(keys, row, strict=True)) for row in rows]).decode()
