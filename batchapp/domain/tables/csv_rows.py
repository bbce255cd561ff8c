"""Read the rows of CSV and TSV text exactly as they are written, or say where that fails."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables.csv_dialect import (
    MAX_CELL_LENGTH,
    Dialect,
    read_lines,
    reader_options,
)
from batchapp.domain.tables.header_row import Row

NEWLINE = re.compile(r"\r\n|\r|\n")


def read_rows(text: io.TextIOWrapper, dialect: Dialect) -> Iterator[Row]:
    """Yield all rows of ``text``, each with the number of its first line.

    Raises:
        Refused: a row cannot be read exactly.
    """
    lines = _Lines(read_lines(text, dialect), dialect.skipped)
    options = reader_options(dialect.separator, dialect.quoting)
    reader = csv.reader(lines, strict=True, **options)
    while True:
        lines.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as exc:  # the reader goes on with the next line
            cells = _read_leniently(lines, dialect, exc)
        if cells is None:
            return
        yield lines.first, cells


class _Lines:
    """The lines of a text, which remembers those of the row that is being read."""

    def __init__(self, lines: Iterable[str], skipped: int) -> None:
        self._lines = lines
        self.number = skipped
        self.first = 0
        self.row: list[str] = []
        self.is_over = False

    def begin_row(self) -> None:
        self.first = self.number + 1
        self.row = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            self.row.append(line)
            yield line
        self.is_over = True


def _read_leniently(lines: _Lines, dialect: Dialect, exc: csv.Error) -> list[str]:
    """Return the cells of one line whose quotation marks are text, not the marks of a cell.

    Raises:
        Refused: the row is of several lines, or splits into another number of cells than the
            header.
    """
    if "field larger" in str(exc):  # the library gives no other sign
        raise Refused(Refusal.TABLE_CELL_TOO_LONG, line=lines.first, limit=MAX_CELL_LENGTH)
    if lines.is_over:
        below = len(_lines_of(_last_cell(lines.row, dialect))) - 1
        raise Refused(Refusal.TABLE_QUOTE_OPEN, line=lines.number - below)
    if len(lines.row) > 1:
        raise Refused(Refusal.TABLE_QUOTE_SWALLOWS, line=lines.first, last=lines.number)
    (cells,) = csv.reader(lines.row, **reader_options(dialect.separator, "none"))
    if len(cells) != dialect.width:
        raise Refused(Refusal.TABLE_QUOTE_UNCLEAR, line=lines.first)
    return cells


def _last_cell(lines: Sequence[str], dialect: Dialect) -> str:
    options = reader_options(dialect.separator, dialect.quoting)
    rows: list[list[str]] = [*csv.reader(lines, **options)]
    return rows[-1][-1]


def _lines_of(cell: str) -> list[str]:
    lines = NEWLINE.split(cell)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines
