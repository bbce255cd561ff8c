"""Count what the columns of texts hold, once, so that pages know how to show each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from batchapp.services.results.columns import schema

TABLE = "statistics"
NOT_COUNTED = {"searched", "problem"}


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """The variety of a column: about how many texts differ, and how many are numbers.

    ``longest`` is the number of characters of the longest text.
    """

    distinct: int
    filled: int
    numbers: int
    longest: int


def write_statistics(connection: duckdb.DuckDBPyConnection) -> None:
    """Write a table with a row for each column of texts in each table of the file.

    ``distinct_texts`` is about how many different texts there are, ``filled`` how many are not
    empty, ``numbers`` how many of these are finite numbers, and ``longest`` the characters of the
    longest text.
    """
    connection.execute(
        f"CREATE TABLE {TABLE} (table_name VARCHAR, name VARCHAR, distinct_texts BIGINT, "
        "filled BIGINT, numbers BIGINT, longest BIGINT)"
    )
    for table, name in list(_text_columns(connection)):
        connection.execute(
            f"INSERT INTO {TABLE} SELECT ?, ?, approx_count_distinct({name}), "
            f"count(nullif({name}, '')), "
            f"count(*) FILTER (isfinite(TRY_CAST({name} AS DOUBLE))), "
            f"coalesce(max(length({name})), 0) FROM {table}",
            [table, name],
        )


def _text_columns(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE data_type = 'VARCHAR' AND table_name IN (?, ?, 'source') ORDER BY ALL",
        [schema.MERGED, schema.OWN],
    )
    for table, name in rows.fetchall():
        if name not in NOT_COUNTED:
            yield table, name
