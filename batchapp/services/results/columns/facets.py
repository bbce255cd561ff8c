"""Describe what a column holds among the chosen results: its values, or their distribution."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import duckdb

from batchapp.domain.results.histogram_bins import Bin, narrow_width, round_bins
from batchapp.domain.results.result_filter import BY_LINE, ResultFilter, Sorting
from batchapp.services.results.columns.columns_reader import ColumnsReader

VALUES_SHOWN = 3
LARGEST = 1e100  # number that is drawn; a float of the size of its range may be infinite
# Texts of many different values are described by the lengths that the file has for them.
LENGTHS = {"question": "question_length", "answer": "answer_length"}


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """The most frequent values of a column with their counts.

    ``others`` is the number of further values, and ``missing`` of results without a value.
    """

    counts: list[tuple[str, int]]
    others: int
    missing: int
    total: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """The numbers of ``column`` in ranges, but for enormous ones; ``missing`` results have none.

    ``column`` is that of the lengths where a text is described by them. ``highest`` may lie above
    the last range, which takes it.
    """

    column: str
    bins: list[Bin]
    lowest: Decimal
    highest: Decimal
    missing: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class DistinctTexts:
    """About how many different texts a column holds; None if only all results were counted."""

    number: int | None


Facet = ValueCounts | Histogram | DistinctTexts


def read_facets(
    reader: ColumnsReader, chosen: ResultFilter, names: Sequence[str]
) -> dict[str, Facet]:
    """Return a description of each of the columns ``names`` among the chosen results.

    Raises:
        KeyError: the filter or ``names`` have a column that is not there.
    """
    with _relation(reader, chosen) as facets:
        return {name: facets.read(name) for name in names}


def are_kept(reader: ColumnsReader, chosen: ResultFilter, names: Sequence[str]) -> bool:
    """Return True if ``read_facets`` needs no query."""
    return all((reader.table, chosen, name) in reader.cache.facets for name in names)


class _Facets:
    """Describes columns of one relation, which holds the chosen results."""

    def __init__(
        self,
        reader: ColumnsReader,
        chosen: ResultFilter,
        cursor: duckdb.DuckDBPyConnection,
        *,
        total: int,
    ) -> None:
        self._reader = reader
        self._chosen = chosen
        self._cursor = cursor
        self._total = total

    def read(self, name: str) -> Facet:
        key = self._reader.table, self._chosen, name
        facet: Facet = self._reader.cache.facets.get(key, lambda: self._read(name))
        return facet

    def _read(self, name: str) -> Facet:
        reader = self._reader
        if reader.is_number(name) and name != "status_code":
            return self._histogram(name)
        if reader.has_few_values(name):
            return self._values(name)
        if length := LENGTHS.get(name):
            return self._histogram(length)
        return DistinctTexts(reader.distinct_texts(name) if self._chosen.is_empty else None)

    def _values(self, name: str) -> ValueCounts:
        column = self._reader.expression(name)
        groups = self._query(
            f"SELECT CAST({column} AS VARCHAR) AS value, count(*) AS number", name, "GROUP BY 1"
        )
        counts = [(value, number) for value, number in groups if value not in {None, ""}]
        counts.sort(key=lambda pair: (-pair[1], pair[0]))
        missing = sum(number for value, number in groups if value in {None, ""})
        others = max(0, len(counts) - VALUES_SHOWN)
        return ValueCounts(counts[:VALUES_SHOWN], others, missing, self._total)

    def _histogram(self, name: str) -> Histogram:
        number = f"CAST({self._reader.number(name)} AS DOUBLE)"
        is_drawn = f"abs({number}) <= {LARGEST!r}"
        facts = self._query(
            f"SELECT min({number}), max({number}), count(*), "
            f"count(*) FILTER ({number} <> floor({number}))",
            name,
            condition=is_drawn,
        )
        low, high, drawn, fractions = facts[0]
        missing = self._total - drawn and self._count_missing(name)
        if not drawn:
            return Histogram(name, [], Decimal(0), Decimal(0), missing, is_whole=True)
        lowest, highest = Decimal(repr(low)), Decimal(repr(high))
        width = narrow_width(lowest, highest, is_whole=not fractions)
        base = (lowest / width).to_integral_value(ROUND_FLOOR) * width
        groups = self._query(
            f"SELECT CAST(floor(({number} - {float(base)!r}) / {float(width)!r}) AS BIGINT), "
            "count(*)",
            name,
            "GROUP BY 1",
            condition=is_drawn,
        )
        bins = round_bins(base, width, {max(0, index): number for index, number in groups})
        return Histogram(name, bins, lowest, highest, missing, is_whole=not fractions)

    def _count_missing(self, name: str) -> int:
        condition = self._reader.is_missing(name)
        return int(self._query("SELECT count(*)", name, condition=condition)[0][0])

    def _query(self, select: str, name: str, group: str = "", *, condition: str = "") -> list[Any]:
        reader = self._reader
        relation = reader.relation(ResultFilter(), Sorting(name))
        if not self._chosen.is_empty:
            relation += f" SEMI JOIN chosen ON {reader.table}.rowid = chosen.position"
        where = f"WHERE {condition}" if condition else ""
        return self._cursor.execute(f"{select} FROM {relation} {where} {group}").fetchall()


@contextmanager
def _relation(reader: ColumnsReader, chosen: ResultFilter) -> Iterator[_Facets]:
    """Give the positions of the chosen results to the queries, which so search them only once."""
    cursor = reader.cursor()
    positions = reader.positions(chosen, BY_LINE)
    if not isinstance(positions, range):
        cursor.register("chosen", {"position": positions})
    yield _Facets(reader, chosen, cursor, total=len(positions))
