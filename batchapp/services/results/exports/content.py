"""The rows of one export, read from the columns file of its batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
from django.db.models import QuerySet

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.outcome import MalformedLine, answer_text
from batchapp.models import Batch, Result, ResultColumns, User
from batchapp.services.results import merge
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.columns.columns_reader import SOURCE, ColumnsReader
from batchapp.services.results.columns.open_columns import open_columns
from batchapp.services.results.columns.schema import MAX_TEXT
from batchapp.services.results.exports.export_columns import (
    ExportColumn,
    UnknownColumn,
    available_columns,
    chosen_columns,
)

ROWS_AT_ONCE = 2_000
CHARACTERS_AT_ONCE = 32_000_000  # of answers in memory, however long one of them is
LINES_AT_ONCE = 1_000  # of results whose stored lines are read


class ExportContent:
    """The chosen results of a batch, with the chosen columns; it can be read several times.

    The rows are those of the table that the batch was made from, in its order, if no results were
    chosen and all rows are wanted; otherwise one for each chosen result, in the order of the file.

    Raises:
        UnknownColumn: the settings name a column that is not there.
    """

    def __init__(self, batch: Batch, reader: ColumnsReader, settings: ExportSettings) -> None:
        self.batch, self.settings = batch, settings
        self._reader, self._cursor = reader, reader.cursor()
        self.columns = chosen_columns(available_columns(reader), settings.columns)
        self._chosen = settings.chosen
        try:
            self._where, self.parameters = reader.condition(self._chosen)
        except KeyError as exc:
            raise UnknownColumn(str(exc.args[0])) from exc
        self._source = [row for row in reader.columns.values() if row.origin == SOURCE]
        self._joins: list[str] = []
        self._replaced: dict[str, str] = {}
        longest = self._value(f"SELECT max(answer_length) FROM {reader.table}") or 0
        self._rows_at_once = max(1, min(ROWS_AT_ONCE, CHARACTERS_AT_ONCE // max(1, longest)))
        if longest > MAX_TEXT:
            self._add_long_answers()

    @property
    def has_table_rows(self) -> bool:
        """Return True if each row of the table is a row of the export."""
        return self._reader.has_source and self._chosen.is_empty and self.settings.has_all_rows

    @property
    def total(self) -> int:
        return int(self._value(f"SELECT count(*) {self._from}", self.parameters) or 0)

    @property
    def results(self) -> int:
        """Return the number of chosen results, without the rows of the table that have none."""
        return self._reader.count(self._chosen)

    def expression(self, column: ExportColumn) -> str:
        """Return the SQL of the value of ``column``."""
        return self._replaced.get(column.key) or self._reader.expression(column.key)

    def select(self, expressions: Sequence[str]) -> str:
        """Return the query of all rows in order; ``parameters`` belong to it."""
        line = f"{self._reader.table}.line"
        order = f"source.row NULLS LAST, {line}" if self.has_table_rows else line
        return f"SELECT {', '.join(expressions)} {self._from} ORDER BY {order}"

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Run a query that sees the temporary tables of this export; one at a time."""
        return self._cursor.execute(query, list(parameters))

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows in order, some at a time, each with a value or None for every column."""
        query = self.select([self.expression(column) for column in self.columns])
        cursor = self.execute(query, self.parameters)
        while rows := cursor.fetchmany(self._rows_at_once):
            yield rows

    def result_blocks(self) -> Iterator["QuerySet[Result]"]:
        """Yield the rows of the chosen results in the order of the file, some at a time."""
        results = Result.objects.filter(batch=self.batch).order_by("line")
        line = f"{self._reader.table}.line"
        relation = self._reader.relation(self._chosen)
        cursor = self._reader.execute(
            f"SELECT {line} FROM {relation} {self._where} ORDER BY {line}", self.parameters
        )
        while lines := cursor.fetchmany(LINES_AT_ONCE):
            numbers = [number for (number,) in lines]
            if len(numbers) == numbers[-1] - numbers[0] + 1:
                yield results.filter(line__gte=numbers[0], line__lte=numbers[-1])
            else:
                yield results.filter(line__in=numbers)

    @property
    def is_own(self) -> bool:
        """Return True if the answers of retries do not count."""
        return self._chosen.own

    def positions(self) -> Iterator[list[merge.Position]]:
        """Yield where the requests and result lines of the chosen results are stored."""
        return merge.positions(self.batch, self.result_blocks(), own=self.is_own)

    def table_rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield line and row of the table, by column name, of each chosen result that has one."""
        if not self._source:
            return
        line = f"{self._reader.table}.line"
        cells = ", ".join(self._reader.expression(column.name) for column in self._source)
        names = [column.label for column in self._source]
        cursor = self._reader.execute(
            f"SELECT {line}, {cells} FROM {self._reader.table} "
            f"JOIN source ON source.row = {self._reader.table}.source_row "
            f"{self._where} ORDER BY {line}",
            self.parameters,
        )
        while rows := cursor.fetchmany(LINES_AT_ONCE):
            for number, *row in rows:
                yield number, dict(zip(names, row, strict=True))

    def holds_for_all(self, condition: str, expression: str) -> bool:
        """Return True if ``condition`` holds for all rows in which ``expression`` has a value.

        It is False if there is none.
        """
        query = f"SELECT coalesce(bool_and({condition}), false) {self._from}"
        where = f"{expression} IS NOT NULL"
        query += f" AND {where}" if self._where else f" WHERE {where}"
        return bool(self._value(query, self.parameters))

    def add_table(self, definition: str, blocks: Iterator[list[tuple[Any, ...]]]) -> None:
        """Fill a temporary table, which is joined to the results by its column ``line``.

        ``definition`` is its name and columns, the first of which is ``line``.
        """
        name, _, columns = definition.partition(" ")
        self.execute(f"CREATE TEMP TABLE {name} {columns}")
        for block in blocks:
            marks = ", ".join("?" * len(block[0]))
            self._cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", block)
        self._joins.append(f"LEFT JOIN {name} ON {name}.line = {self._reader.table}.line")

    @property
    def _from(self) -> str:
        table = self._reader.table
        if self.has_table_rows:
            relation = f"source FULL JOIN {table} ON {table}.source_row = source.row"
        elif self._reader.has_source:
            relation = f"{table} LEFT JOIN source ON source.row = {table}.source_row"
        else:
            relation = table
        return " ".join(["FROM", relation, *self._joins, self._where])

    def _value(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        (row,) = self.execute(query, parameters).fetchall()
        return row[0]

    def _add_long_answers(self) -> None:
        """Read the answers that the columns file has cut from storage."""
        table = self._reader.table
        rows = self.execute(f"SELECT line FROM {table} WHERE answer_length > {MAX_TEXT}")
        lines = [line for (line,) in rows.fetchall()]
        results = Result.objects.filter(batch=self.batch).order_by("line")
        blocks = (results.filter(line=line) for line in lines)
        self.add_table("long_answers (line INTEGER, answer VARCHAR)", self._answers(blocks))
        self._replaced["answer"] = f"coalesce(long_answers.answer, {table}.answer)"

    def _answers(self, blocks: Iterator["QuerySet[Result]"]) -> Iterator[list[tuple[Any, ...]]]:
        with ChunkFiles() as files:
            for positions in merge.positions(self.batch, blocks, own=self.is_own):
                files.load(row.chunk for row in positions if row.chunk)
                try:
                    yield [(row.line, answer_text(row.read(files))) for row in positions]
                except MalformedLine:  # its bytes were damaged after the harvest
                    continue


@contextmanager
def open_content(
    columns: ResultColumns, user: User, settings: ExportSettings
) -> Iterator[ExportContent | None]:
    """Open what an export has; None if the columns file is gone.

    Raises:
        NotAllowed: nothing was read.
        UnknownColumn: the settings name a column that is not there.
    """
    with open_columns(columns, user, own=settings.chosen.own) as reader:
        yield ExportContent(columns.batch, reader, settings) if reader else None
