"""Detect how CSV and TSV text is written: its separator, its quotation marks and its header."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables.header_row import HEAD_ROWS, Row, guess_header, is_blank
from batchapp.domain.tables.read_options import NO_SEPARATOR, SEPARATORS, ReadOptions

# A line that names the separator for spreadsheet programs, and only for them.
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)

SAMPLE_LENGTH = 64 * 1024  # characters
CHUNK_LENGTH = 1024 * 1024  # characters
# Characters, more than any provider accepts in one request; in a longer cell a quote is left open.
MAX_CELL_LENGTH = 10 * 1024 * 1024
MAX_LINE_LENGTH = 4 * MAX_CELL_LENGTH

csv.field_size_limit(MAX_CELL_LENGTH)


class Dialect(NamedTuple):
    """How a text is written; ``width`` is the number of cells of its header, 0 if unknown.

    ``skipped`` is the number of lines before the table that are no part of it.
    """

    separator: str
    quoting: str
    header_row: int = 0
    width: int = 0
    skipped: int = 0


def reader_options(separator: str, quoting: str) -> dict[str, Any]:
    """Return the arguments of ``csv.reader``."""
    if quoting == "none":
        return {"delimiter": separator, "quoting": csv.QUOTE_NONE}
    return {"delimiter": separator, "escapechar": "\\" if quoting == "backslash" else None}


def detect_dialect(text: io.TextIOWrapper, options: ReadOptions) -> Dialect:
    """Detect what ``options`` leave open; ``text`` is at its beginning afterwards.

    The separator and the header are found in the first lines. The whole text is read to find
    out how quotation marks are written, because one cell far below may decide.
    """
    sample = text.read(SAMPLE_LENGTH)
    is_whole = len(sample) < SAMPLE_LENGTH
    line = SEPARATOR_LINE.match(sample)
    skipped = 1 if line else 0
    separator = options.separator
    if line and line[1] in SEPARATORS:
        separator = separator or line[1]
    head = _Head(sample[line.end() if line else 0 :], skipped, is_whole, options)
    separator = separator or _detect_separator(head)
    number, names = head.header(separator) or (0, [])
    header_row = options.header_row or number
    width = len(names) if header_row == number else 0
    dialect = Dialect(separator, options.quoting, header_row, width, skipped)
    if not dialect.quoting:
        dialect = dialect._replace(quoting=_detect_quoting(text, dialect))
    text.seek(0)
    return dialect


class _Head:
    """The first lines of a text, as rows by any separator."""

    def __init__(self, sample: str, skipped: int, is_whole: bool, options: ReadOptions) -> None:  # noqa: FBT001
        self._sample = sample
        self._skipped = skipped
        self._is_whole = is_whole
        self._options = options

    def rows(self, separator: str) -> list[Row]:
        """Return the first rows with text; a row that the end of the sample cuts is left out."""
        lines = io.StringIO(self._sample, newline="")
        settings = reader_options(separator, self._options.quoting or "double")
        reader = csv.reader(lines, **settings)
        rows: list[Row] = []
        first = self._skipped + 1
        try:
            for cells in reader:
                if not is_blank(cells):
                    rows.append((first, cells))
                first = self._skipped + reader.line_num + 1
                if len(rows) > HEAD_ROWS and first > self._options.header_row:
                    break
        except csv.Error:  # a cell without end: the rows before it are enough to guess by
            pass
        if not self._is_whole and 1 < len(rows) <= HEAD_ROWS:
            rows.pop()
        return rows

    def header(self, separator: str) -> Row | None:
        """Return the header that was chosen, if it is in the sample, else the guess."""
        rows = self.rows(separator)
        chosen = (row for row in rows if row[0] == self._options.header_row)
        return next(chosen, None) or guess_header(rows)


def _detect_separator(head: _Head) -> str:
    """Return the separator that splits most rows alike, into as many cells as possible."""
    best = (0.0, 1, NO_SEPARATOR)
    for separator in ",;\t|":
        rows, header = head.rows(separator), head.header(separator)
        if header is None:
            continue
        width = len(header[1])
        below = [len(cells) for number, cells in rows if number > header[0]]
        is_split = width > 1 and below.count(1) * 2 <= len(below)
        if is_split and _is_sure(rows, header):
            share = (1 + below.count(width)) / (1 + len(below))
            best = max(best, (share, width, separator))
    return best[2]


def _is_sure(rows: Sequence[Row], header: Row) -> bool:
    """Return True unless the rows may be lines of prose that a separator happens to split.

    Titles that end with separators were written by a spreadsheet program. Other titles need a
    blank line below them, or a table of several columns whose rows all have the same width.
    """
    number, names = header
    titles = [row for row in rows if row[0] < number]
    if all(len(cells) == len(names) for _, cells in titles):
        return True
    if any(name.startswith(" ") for name in names):
        return False
    widths = [len(cells) for at, cells in rows if at >= number]
    has_gap = titles[-1][0] + 1 < number
    return has_gap or (len(names) > 2 and len(widths) > 2 and {*widths} == {len(names)})


def _detect_quoting(text: io.TextIOWrapper, dialect: Dialect) -> str:
    """Return the first quoting by which every row can be read strictly; else "double"."""
    escapes = ('\\"', "\\" + dialect.separator)
    quoting = ["backslash"] if _has_any(text, escapes) else []
    if dialect.separator == "\t" and _has_any(text, ('"',)):
        quoting.append("none")  # programs that write tabs often quote nothing
    for name in ["double", *quoting] if quoting else []:
        if _fits(text, dialect._replace(quoting=name)):
            return name
    return "double"


def _has_any(text: io.TextIOWrapper, needles: Sequence[str]) -> bool:
    text.seek(0)
    last = ""
    for chunk in iter(partial(text.read, CHUNK_LENGTH), ""):
        piece = last + chunk
        if any(needle in piece for needle in needles):
            return True
        last = chunk[-1]
    return False


def _fits(text: io.TextIOWrapper, dialect: Dialect) -> bool:
    """Return True if all rows below the header can be read strictly and none is too wide."""
    text.seek(0)
    lines = read_lines(text, dialect)
    reader = csv.reader(lines, strict=True, **reader_options(dialect.separator, dialect.quoting))
    first = dialect.skipped + 1
    try:
        for cells in reader:
            if first > dialect.header_row and not _has_width(cells, dialect):
                return False
            first = dialect.skipped + reader.line_num + 1
    except csv.Error:
        return False
    return True


def _has_width(cells: Sequence[str], dialect: Dialect) -> bool:
    if is_blank(cells) or not dialect.width:
        return True
    # Where every line is a row, a short row is a sign of a cell that was cut in two.
    is_short = dialect.quoting == "none" and len(cells) < dialect.width
    return not is_short and is_blank(cells[dialect.width :])


def read_lines(text: io.TextIOWrapper, dialect: Dialect) -> Iterator[str]:
    """Yield the lines of the table, without those that ``dialect`` skips.

    Raises:
        Refused: a line is too long to be held in memory.
    """
    keep_escapes = None
    if dialect.quoting == "backslash":
        # Only these characters are escaped; a backslash before any other is text.
        special = re.escape(f'"\\{dialect.separator}\r\n')
        keep_escapes = re.compile(rf"(\\[{special}])|\\")
    for number, line in enumerate(iter(partial(text.readline, MAX_LINE_LENGTH), ""), start=1):
        if len(line) == MAX_LINE_LENGTH:
            raise Refused(Refusal.TABLE_LINE_TOO_LONG, line=number, limit=MAX_LINE_LENGTH)
        if number <= dialect.skipped:
            continue
        yield keep_escapes.sub(_keep_escape, line) if keep_escapes else line


def _keep_escape(match: re.Match[str]) -> str:
    return match[1] or "\\\\"
