"""Read one table of a columns file: count, page, search, sort and iterate over results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import numpy as np

from batchapp.domain.results.export_settings import FIELD_PREFIX, SOURCE_PREFIX
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import BY_LINE, ResultFilter, Sorting
from batchapp.services.results.columns import schema, statistics
from batchapp.services.results.columns.reader_cache import ReaderCache

ROWS_AT_ONCE = 2_000  # of an iteration over many results
SORTED_CHARACTERS = 64  # of a text: sorting a million long ones would take all memory

# Different texts of a column that is described by them: so many at most, and fewer in a small one.
MAX_VALUES, FEW_VALUES = 200, 5
LONGEST_VALUE = 300  # characters of a text that is a value to choose

FIELD, SOURCE = "field", "source"
NUMBER, TEXT = "number", "text"

# The positions of results in a table, in the order of a page.
Positions = range | np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column beyond those that all batches have.

    ``name`` stays the same when the file is built again: "field:label" for a field of JSON
    answers, whose ``origin`` is FIELD, and "source:label" for a column of the table that the batch
    was made from, SOURCE. ``kind`` is
    "text", "number", "boolean", "json" or "null". ``filled`` is the number of answers that have
    the field, None for a column of the table. ``sql_name`` is its name in this file.
    """

    name: str
    label: str
    origin: str
    sql_name: str
    kind: str = TEXT
    filled: int | None = None


class ColumnsReader:
    """Reads one table of a columns file: the results with the answers of retries, or without.

    ``columns`` maps the name of each further column to its description. Names that come from an
    address are looked up there; no text of a person becomes part of a query.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, cache: ReaderCache
    ) -> None:
        self._connection = connection
        self.cache = cache
        self.table = table
        self.statistics = self._read_statistics()
        self.columns = {column.name: column for column in self._list_columns()}

    @property
    def has_source(self) -> bool:
        return any(column.origin == SOURCE for column in self.columns.values())

    @cached_property
    def total(self) -> int:
        """The number of all requests of the batch."""
        return int(self.execute(f"SELECT count(*) FROM {self.table}").fetchall()[0][0])

    def has_column(self, name: str) -> bool:
        return name in schema.RESULT_COLUMNS or name in self.columns

    def is_number(self, name: str) -> bool:
        """Return True if all values of a column are numbers."""
        if name in self.columns:
            return self.columns[name].kind == NUMBER
        return schema.RESULT_COLUMNS[name] in schema.NUMBERS

    def outcome_counts(self) -> dict[Outcome, int]:
        """Count all results by outcome."""
        query = f"SELECT outcome, count(*) FROM {self.table} GROUP BY 1"
        key = self.table, "outcomes"
        counts = dict(self.cache.facets.get(key, lambda: self.execute(query).fetchall()))
        return {outcome: counts[outcome] for outcome in Outcome if outcome in counts}

    def distinct_texts(self, name: str) -> int:
        """Return about how many different texts a column holds among all results."""
        return self._statistics_of(name).distinct

    def has_few_values(self, name: str) -> bool:
        """Return True if most values of a column occur several times, so that each is a group."""
        if schema.RESULT_COLUMNS.get(name, "VARCHAR") != "VARCHAR":
            return True
        figures = self._statistics_of(name)
        if figures.longest > LONGEST_VALUE:
            return False
        return figures.distinct <= min(MAX_VALUES, max(FEW_VALUES, figures.filled // 3))

    def count(self, chosen: ResultFilter) -> int:
        return self.total if chosen.is_empty else len(self.positions(chosen, BY_LINE))

    def page(
        self,
        chosen: ResultFilter,
        sorting: Sorting,
        names: Sequence[str],
        *,
        start: int,
        size: int,
        longest: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return the results from position ``start`` on, each as column -> value.

        Texts are cut after ``longest`` characters, if that is given.

        The time does not depend on ``start``, beyond the first page of a filter and an order: it
        finds the positions of all results, which are kept for the next pages.
        """
        rows = self.positions(chosen, sorting)[start : start + size]
        return self._rows(rows, names, longest)

    def positions(self, chosen: ResultFilter, sorting: Sorting) -> Positions:
        """Return the position in the table of each chosen result, in the order of ``sorting``.

        Raises:
            KeyError: the filter or the order names a column that is not there.
        """
        if chosen.is_empty and sorting.column == "line":
            step = -1 if sorting.is_descending else 1
            return range(self.total)[::step]
        key = (self.table, chosen, sorting)
        return self.cache.positions.get(key, lambda: self._find_positions(chosen, sorting))

    def neighbours(
        self, line: int, chosen: ResultFilter, sorting: Sorting
    ) -> tuple[int | None, int | None]:
        """Return the lines before and after ``line`` among the chosen results.

        A line that is not chosen has neighbours in the order of the lines alone.
        """
        positions = self.positions(chosen, sorting)
        rows = self.execute(f"SELECT rowid FROM {self.table} WHERE line = ?", [line]).fetchall()
        place = _index(positions, rows[0][0]) if rows else None
        if place is not None:
            near = place - 1, place + 1
        elif rows and sorting == BY_LINE:
            following = int(np.searchsorted(positions, rows[0][0]))
            near = following - 1, following
        else:
            return None, None
        before, after = (
            self._rows(positions[index : index + 1], ["line"]) if index >= 0 else []
            for index in near
        )
        return before[0]["line"] if before else None, after[0]["line"] if after else None

    def place_of(self, line: int, chosen: ResultFilter) -> int:
        """Return how many chosen results lie before ``line``."""
        before = self.execute(f"SELECT count(*) FROM {self.table} WHERE line < ?", [line])
        rowid = int(before.fetchall()[0][0])
        positions = self.positions(chosen, BY_LINE)
        return rowid if isinstance(positions, range) else int(np.searchsorted(positions, rowid))

    def iterate(self, chosen: ResultFilter, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the chosen results in the order of their lines; few are in memory at a time."""
        where, parameters = self.condition(chosen)
        selected = ", ".join(self.expression(name) for name in names)
        cursor = self.execute(
            f"SELECT {selected} FROM {self._with_source()} {where} ORDER BY {self.table}.line",
            parameters,
        )
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows

    def expression(self, name: str) -> str:
        """Return the SQL of a column.

        Raises:
            KeyError: there is no such column.
        """
        if name in schema.RESULT_COLUMNS:
            return f"{self.table}.{name}"
        column = self.columns[name]
        return f"{'source' if column.origin == SOURCE else self.table}.{column.sql_name}"

    def number(self, name: str) -> str:
        """Return the SQL of a column as a number, NULL where it holds none.

        Raises:
            KeyError: there is no such column.
        """
        if schema.RESULT_COLUMNS.get(name) in schema.NUMBERS:
            return self.expression(name)
        return f"TRY_CAST(CAST({self.expression(name)} AS VARCHAR) AS DOUBLE)"

    def is_missing(self, name: str) -> str:
        """Return the SQL condition that a result has no value in a column."""
        return f"coalesce(CAST({self.expression(name)} AS VARCHAR), '') = ''"

    def condition(self, chosen: ResultFilter) -> tuple[str, list[Any]]:
        """Return a WHERE clause, or "", and its parameters.

        Raises:
            KeyError: a condition names a column that is not there.
        """
        parts, parameters = [], list[Any]()
        if outcomes := sorted(chosen.outcomes):
            parts.append(f"{self.table}.outcome IN ({', '.join('?' * len(outcomes))})")
            parameters += [outcome.value for outcome in outcomes]
        for value in chosen.values:
            column = self.expression(value.column)
            if value.value is None:
                parts.append(self.is_missing(value.column))
            else:
                parts.append(f"CAST({column} AS VARCHAR) = ?")
                parameters.append(value.value)
        for limits in chosen.ranges:
            column = self.number(limits.column)
            below = "<" if limits.is_open else "<="
            for sign, bound in ((">=", limits.low), (below, limits.high)):
                if bound is not None:
                    parts.append(f"{column} {sign} ?")
                    parameters.append(bound)
        if chosen.text:
            parts.append(f"contains({self.table}.searched, ?)")
            parameters.append(chosen.text.lower())
        return (f"WHERE {' AND '.join(parts)}" if parts else ""), parameters

    def relation(self, chosen: ResultFilter, sorting: Sorting = BY_LINE) -> str:
        """Return what stands behind FROM: the table, joined to its source only if that is used."""
        names = chosen.column_names | {sorting.column}
        origins = {self.columns[name].origin for name in names if name in self.columns}
        return self._with_source() if SOURCE in origins else self.table

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Run a query on a cursor of its own, so that threads do not disturb each other."""
        return self.cursor().execute(query, list(parameters))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor with temporary tables of its own, for one thread."""
        return self._connection.cursor()

    def _statistics_of(self, name: str) -> statistics.TextStatistics:
        if name not in self.columns:
            return self.statistics[self.table, name]
        column = self.columns[name]
        table = SOURCE if column.origin == SOURCE else self.table
        return self.statistics[table, column.sql_name]

    def _find_positions(self, chosen: ResultFilter, sorting: Sorting) -> "np.ndarray[Any, Any]":
        where, parameters = self.condition(chosen)
        relation = self.relation(chosen, sorting)
        order = ""
        if sorting.column != "line":
            direction = "DESC" if sorting.is_descending else "ASC"
            key = self._sort_key(sorting.column)
            order = f"ORDER BY {key} {direction} NULLS LAST, {self.table}.rowid"
        query = f"SELECT {self.table}.rowid AS position FROM {relation} {where} {order}"
        positions = self.execute(query, parameters).fetchnumpy()["position"].astype(np.uint32)
        if sorting.column == "line":
            positions.sort()  # a join may have changed the order
            return positions[::-1] if sorting.is_descending else positions
        return positions

    def _sort_key(self, name: str) -> str:
        if name in self.columns and self.is_number(name):
            return self.number(name)
        if schema.RESULT_COLUMNS.get(name, "VARCHAR") != "VARCHAR":
            return self.expression(name)
        # An empty text is no value, as in a table that people sort.
        return f"nullif(left({self.expression(name)}, {SORTED_CHARACTERS}), '')"

    def _rows(
        self, positions: Positions, names: Sequence[str], longest: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows at ``positions``, in that order."""
        wanted = [int(position) for position in positions]
        own = [name for name in names if not self._is_source(name)]
        rows = self._read(self.table, "rowid", wanted, [*own, "source_row"], longest)
        from_source = [name for name in names if self._is_source(name)]
        numbers = [row["source_row"] for row in rows.values() if row["source_row"] is not None]
        source = self._read("source", "row", numbers, from_source, longest) if from_source else {}
        nothing = dict.fromkeys(from_source)
        merged = {
            key: {**row, **source.get(row["source_row"], nothing)} for key, row in rows.items()
        }
        return [{name: merged[key][name] for name in names} for key in wanted]

    def _read(
        self, table: str, key: str, keys: list[int], names: Sequence[str], longest: int | None
    ) -> dict[int, dict[str, Any]]:
        selected = ", ".join(self._cut(name, longest) for name in names)
        # A list in a subquery: DuckDB reads the rows of the list alone, and not the whole table.
        cursor = self.execute(
            f"SELECT {table}.{key}, {selected} FROM {table} "
            f"WHERE {table}.{key} IN (SELECT unnest(?::BIGINT[]))",
            [keys],
        )
        return {first: dict(zip(names, row, strict=True)) for first, *row in cursor.fetchall()}

    def _cut(self, name: str, longest: int | None) -> str:
        expression = self.expression(name)
        if longest is None or schema.RESULT_COLUMNS.get(name, "VARCHAR") != "VARCHAR":
            return expression
        return f"left({expression}, {int(longest)})"

    def _is_source(self, name: str) -> bool:
        return name in self.columns and self.columns[name].origin == SOURCE

    def _with_source(self) -> str:
        if not self.has_source:
            return self.table
        return f"{self.table} LEFT JOIN source ON source.row = {self.table}.source_row"

    def _list_columns(self) -> Iterator[Column]:
        fields = self.execute(f"SELECT name, label, kind, filled FROM {self.table}_fields")
        for sql_name, label, kind, filled in fields.fetchall():
            name = f"{FIELD_PREFIX}{label}"
            yield Column(name, label, FIELD, sql_name, kind, filled)
        source = self.execute("SELECT name, label FROM source_columns")
        for sql_name, label in source.fetchall():
            numbers = self.statistics[SOURCE, sql_name]
            kind = NUMBER if 0 < numbers.filled == numbers.numbers else TEXT
            yield Column(f"{SOURCE_PREFIX}{label}", label, SOURCE, sql_name, kind)

    def _read_statistics(self) -> dict[tuple[str, str], statistics.TextStatistics]:
        rows = self.execute(f"SELECT * FROM {statistics.TABLE}").fetchall()
        return {
            (table, name): statistics.TextStatistics(*figures) for table, name, *figures in rows
        }


def _index(positions: Positions, position: int) -> int | None:
    if isinstance(positions, range):
        return positions.index(position) if position in positions else None
    places = np.flatnonzero(positions == position)
    return int(places[0]) if len(places) else None
