"""Tables as people have them, CSV, TSV or a workbook: columns with names, and rows of text."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables import encodings, workbooks
from batchapp.domain.tables.workbooks import TableError

__all__ = ["DELIMITERS", "Asked", "Table", "TableError", "named", "read", "recognise"]

MAX_COLUMNS = workbooks.COLUMNS_READ - 1
MAX_ROWS = 1_000_000
MAX_BLANK_ROWS = 2_000_000
"""More than any sheet has; beyond, looking for the next row that is not blank takes too long."""

SEPARATOR = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)
"""A line that tells spreadsheet programs, and only them, what separates the cells."""

LONGEST_CELL = 10 * 1024 * 1024
"""Characters. More than any provider takes in one request; beyond, a quotation mark is open."""

NAME_LENGTH = 200

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", "\x1f": "none"}
"""The last is in no text: the whole line is one cell, quoted or not."""

ALONE = "\x1f"
SNIFFED = 64 * 1024
SNIFFED_ROWS = 50

BRACES = str.maketrans({"{": "(", "}": ")"})
BLANKS = re.compile(r"\s+")
NEWLINE = re.compile(r"\r\n|\r|\n")

MAGICS = {
    b"\xd0\xcf\x11\xe0": "This is an old Excel file (.xls), or one with a password. Save it as "
    ".xlsx without a password, or as CSV.",
    b"%PDF": "This is a PDF. Save the table as CSV or .xlsx.",
    b"\x1f\x8b": "This is a gzip archive. Unpack it first.",
    b"\x89PNG": "This is a picture. Save the table as CSV or .xlsx.",
    b'{"': "This looks like a file of requests (JSONL), not a table. Upload it under Files.",
}

csv.field_size_limit(LONGEST_CELL)


class Asked(NamedTuple):
    """How to read; what is "" is found out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


AS_FOUND = Asked()


class Table:
    """Columns with names of their own and rows of just as many cells; blank rows are left out.

    The rows are read once, by iterating; ``rows``, ``ragged`` (rows with text beyond the last
    column) and ``error_cells`` are counted on the way. ``renamed`` has columns that could not
    keep the name they have in the table: (there, here).
    """

    def __init__(self, cells: Iterable[Sequence[str]], read_as: Asked, sheets: list[str]) -> None:
        self._cells = _few_blanks(cells)
        self.read_as = read_as
        self.sheets = sheets
        self.rows = self.ragged = self.error_cells = 0
        header = next((row for row in self._cells if any(row)), None)
        if header is None:
            raise TableError("The table is empty. Its first row must name the columns.")
        self.columns, self.renamed = named([cell.replace("\x00", "") for cell in header])

    def __iter__(self) -> Iterator[list[str]]:
        width = len(self.columns)
        for cells in self._cells:
            if not any(cell and not cell.isspace() for cell in cells):
                continue
            self.rows += 1
            if self.rows > MAX_ROWS:
                raise TableError(
                    f"The table has more than {MAX_ROWS:,} rows. Split it into smaller ones."
                )
            self.ragged += any(cells[width:])
            row = [self._text(cell) for cell in cells[:width]]
            yield row + [""] * (width - len(row))

    def _text(self, cell: str) -> str:
        """A cell as text; a formula that failed, or has no value saved, counts as nothing."""
        if self.sheets and (cell in workbooks.ERRORS or cell == workbooks.UNSAVED):
            self.error_cells += 1
            return ""
        return cell.replace("\x00", "") if "\x00" in cell else cell


def recognise(head: bytes) -> str:
    """Whether a file that begins with ``head`` is a "workbook" or "text".

    Raises:
        TableFault: it is neither; the message is a sentence with the next step.
    """
    if head.startswith(b"PK\x03\x04"):
        return "workbook"
    for magic, sentence in MAGICS.items():
        if head.startswith(magic):
            raise TableError(sentence)
    if b"\x00" in head and not encodings.utf16_in(head):
        raise TableError("This is not a table but a binary file. Save the table as CSV or .xlsx.")
    return "text"


def read(source: BinaryIO, asked: Asked = AS_FOUND) -> Table:
    """The table in ``source``, which stays open until all rows are read.

    Raises:
        TableFault: there is no table in it that can be read, here or while iterating.
    """
    head = source.read(SNIFFED)
    source.seek(0)
    if recognise(head) == "workbook":
        sheet, sheets, cells = workbooks.read(source, asked.sheet)
        return Table(cells, Asked(sheet=sheet), sheets)
    encoding = asked.encoding or encodings.sniff(source)
    source.seek(0)
    try:
        text = io.TextIOWrapper(source, encoding=encoding, newline="")
    except LookupError as exc:
        raise TableError(f"There is no encoding called {presentable(encoding)}.") from exc
    records = _records(text, asked.delimiter, encoding)
    delimiter = next(records)[0]
    return Table(records, Asked(encoding, delimiter), [])


def named(header: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Names for the columns: none blank, none twice, each fit to stand between braces."""
    width = max((place for place, name in enumerate(header, 1) if name.strip()), default=0)
    if not width:
        raise TableError("The first row is blank. It must name the columns.")
    if width > MAX_COLUMNS:
        raise TableError(
            f"The table has more than {MAX_COLUMNS:,} columns. Leave out those that no prompt "
            "needs."
        )
    names: list[str] = []
    renamed = []
    seen: Counter[str] = Counter()
    for place, there in enumerate(header[:width], start=1):
        name = BLANKS.sub(" ", there.translate(BRACES)).strip()
        name = presentable(name, NAME_LENGTH) or f"column {place}"
        here = name
        while here in seen:
            seen[name] += 1
            here = f"{name} ({seen[name]})"
        seen[here] += 1
        names.append(here)
        if here != there.strip():
            renamed.append((presentable(BLANKS.sub(" ", there).strip(), NAME_LENGTH), here))
    return names, renamed


def _few_blanks(cells: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The same rows.

    Raises:
        TableFault: more of them are blank than ``MAX_BLANK_ROWS``.
    """
    blank = 0
    for row in cells:
        if not any(cell and not cell.isspace() for cell in row):
            blank += 1
            if blank > MAX_BLANK_ROWS:
                raise TableError(
                    f"The table has more than {MAX_BLANK_ROWS:,} blank rows. Take them out."
                )
        yield row


def _records(text: io.TextIOWrapper, delimiter: str, encoding: str) -> Iterator[list[str]]:
    """First the delimiter, as a row of its own, then the rows."""
    line = 0
    try:
        sample = text.read(SNIFFED)
        told = SEPARATOR.match(sample)
        if told and told[1] in DELIMITERS:
            delimiter = delimiter or told[1]
        delimiter = delimiter or _delimiter(sample[told.end() if told else 0 :])
        yield [delimiter]
        text.seek(0)
        lines = _Lines(text, skipped=1 if told else 0)
        for row in csv.reader(lines, delimiter=delimiter):
            lines.end_row(row, delimiter)
            line = lines.number
            if not lines.is_over:
                yield row
    except UnicodeError as exc:
        raise _unreadable(encoding, exc) from exc
    except csv.Error as exc:
        raise TableError(_trouble(exc, line + 1)) from exc
    finally:
        if not text.closed:
            text.detach()  # or it would close the file that it was given


class _Lines:
    """The lines of ``text``, and behind them an empty one that shows whether a cell is open."""

    def __init__(self, text: Iterable[str], skipped: int) -> None:
        self.number = 0
        self._skipped = skipped
        self._text = text
        self._row: list[str] = []
        self.is_over = False

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.number += 1
            if self.number <= self._skipped:
                continue
            self._row.append(line)
            yield line
        self.is_over = True
        yield ""

    def end_row(self, row: Sequence[str], delimiter: str) -> None:
        """Look at the lines that ``row`` took.

        Raises:
            TableFault: a quotation mark that is never closed made one cell of several rows.
        """
        lines, self._row = self._row, []
        if self.is_over and lines:
            below = len(_written_lines(row[-1])) - 1
            raise _open_quote(self.number - below)
        if len(lines) > 1 and not _is_strict(lines, delimiter):
            raise _open_quote(self.number - len(lines) + 1, self.number)


def _written_lines(cell: str) -> list[str]:
    lines = NEWLINE.split(cell)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _is_strict(lines: Sequence[str], delimiter: str) -> bool:
    """Whether nothing but a delimiter follows a closing quotation mark."""
    try:
        return bool([*csv.reader(lines, delimiter=delimiter, strict=True)])
    except csv.Error:
        return False


def _open_quote(line: int, last: int = 0) -> TableError:
    what = f"takes all up to line {last:,} into it" if last else "is never closed"
    return TableError(
        f"The cell that a quotation mark opens in line {line:,} {what}. Close it where the cell "
        "ends, and write a quotation mark within it twice."
    )


def _trouble(exc: csv.Error, line: int) -> str:
    if "field larger" not in str(exc):
        return f"The table cannot be read near line {line:,}: {exc}."
    return (
        f"The table cannot be read from line {line:,} on: a cell is longer than "
        f"{LONGEST_CELL:,} characters. Most often a quotation mark is never closed."
    )


def _unreadable(encoding: str, exc: UnicodeError) -> TableError:
    reason = exc.reason if isinstance(exc, UnicodeDecodeError) else str(exc)
    return TableError(
        f"This is not {encodings.NAMES.get(encoding, encoding)} text ({reason}). Save it as "
        "UTF-8, or name its encoding."
    )


def _delimiter(sample: str) -> str:
    """What splits the first rows into the same number of cells, the more the better."""
    best = (0.0, 1, ALONE)
    for delimiter in ",;\t|":
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        try:
            widths = [len(row) for row, _ in zip(reader, range(SNIFFED_ROWS), strict=False) if row]
        except csv.Error:
            continue
        if len(widths) > 2 and len(sample) == SNIFFED:
            widths.pop()  # the sample may end in the middle of it
        if widths and widths[0] > 1:
            share = sum(width == widths[0] for width in widths) / len(widths)
            best = max(best, (share, widths[0], delimiter))
    return best[2]
