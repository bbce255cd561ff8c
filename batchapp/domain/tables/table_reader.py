"""Read tables of people, CSV, TSV or a workbook: named columns and rows of text."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables import csv_rows, encodings, workbooks

MAX_COLUMNS = workbooks.COLUMNS_READ - 1
MAX_ROWS = 1_000_000
MAX_BLANK_ROWS = 2_000_000  # more than any sheet has; reading more blank rows takes too long
MAX_NAME_LENGTH = 200  # characters
HEAD_BYTES = 64 * 1024  # of a file, to detect its kind

BRACES = str.maketrans({"{": "(", "}": ")"})
BLANKS = re.compile(r"\s+")

# The first bytes of files that are no table.
MAGICS = {
    b"\xd0\xcf\x11\xe0": Refusal.TABLE_IS_OLD_EXCEL,
    b"%PDF": Refusal.TABLE_IS_PDF,
    b"\x1f\x8b": Refusal.TABLE_IS_GZIP,
    b"\x89PNG": Refusal.TABLE_IS_PICTURE,
    b'{"': Refusal.TABLE_IS_REQUESTS,
}


class ReadOptions(NamedTuple):
    """Options for reading a table; an option that is "" is detected."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


DETECT_ALL = ReadOptions()


class Table:
    """Columns with unique names, and rows of as many cells; blank rows are left out.

    Rows can be iterated once. Iterating counts ``rows``, ``ragged`` (rows with text beyond the
    last column) and ``error_cells``. ``renamed`` has pairs of a column's name in the file and its
    name here, if the name had to change.
    """

    def __init__(
        self, cells: Iterable[Sequence[str]], read_as: ReadOptions, sheets: list[str]
    ) -> None:
        self._cells = _limit_blank_rows(cells)
        self.read_as = read_as
        self.sheets = sheets
        self.rows = self.ragged = self.error_cells = 0
        header = next((row for row in self._cells if any(row)), None)
        if header is None:
            raise Refused(Refusal.TABLE_EMPTY)
        self.columns, self.renamed = name_columns([cell.replace("\x00", "") for cell in header])

    def __iter__(self) -> Iterator[list[str]]:
        width = len(self.columns)
        for cells in self._cells:
            if not any(cell and not cell.isspace() for cell in cells):
                continue
            self.rows += 1
            if self.rows > MAX_ROWS:
                raise Refused(Refusal.TABLE_ROWS_TOO_MANY, limit=MAX_ROWS)
            self.ragged += any(cells[width:])
            row = [self._text(cell) for cell in cells[:width]]
            yield row + [""] * (width - len(row))

    def _text(self, cell: str) -> str:
        """Return a cell as text; a formula that failed or has no saved value becomes ""."""
        if self.sheets and (cell in workbooks.ERRORS or cell == workbooks.UNSAVED):
            self.error_cells += 1
            return ""
        return cell.replace("\x00", "") if "\x00" in cell else cell


def detect_kind(head: bytes) -> str:
    """Return "workbook" or "text" for a file that begins with ``head``.

    Raises:
        Refused: the file is neither.
    """
    if head.startswith(b"PK\x03\x04"):
        return "workbook"
    for magic, refusal in MAGICS.items():
        if head.startswith(magic):
            raise Refused(refusal)
    if b"\x00" in head and not encodings.detect_utf16(head):
        raise Refused(Refusal.TABLE_IS_BINARY)
    return "text"


def read_table(source: BinaryIO, options: ReadOptions = DETECT_ALL) -> Table:
    """Return the table in ``source``, which must stay open until all rows are read.

    Raises:
        Refused: there is no readable table, found here or while iterating.
    """
    head = source.read(HEAD_BYTES)
    source.seek(0)
    if detect_kind(head) == "workbook":
        sheet, sheets, cells = workbooks.read_sheet(source, options.sheet)
        return Table(cells, ReadOptions(sheet=sheet), sheets)
    encoding = options.encoding or encodings.detect_encoding(source)
    source.seek(0)
    try:
        text = io.TextIOWrapper(source, encoding=encoding, newline="")
    except LookupError as exc:
        raise Refused(Refusal.TABLE_ENCODING_UNKNOWN, encoding=presentable(encoding)) from exc
    delimiter, rows = csv_rows.read_csv(text, options.delimiter, encoding)
    return Table(rows, ReadOptions(encoding, delimiter), [])


def name_columns(header: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return a unique, not blank name for each column, without braces, and the renamed columns."""
    width = max((number for number, name in enumerate(header, 1) if name.strip()), default=0)
    if not width:
        raise Refused(Refusal.TABLE_HEADER_BLANK)
    if width > MAX_COLUMNS:
        raise Refused(Refusal.TABLE_COLUMNS_TOO_MANY, limit=MAX_COLUMNS)
    names: list[str] = []
    renamed = []
    uses: Counter[str] = Counter()
    for number, original in enumerate(header[:width], start=1):
        base = BLANKS.sub(" ", original.translate(BRACES)).strip()
        base = presentable(base, MAX_NAME_LENGTH) or f"column {number}"
        name = base
        while name in uses:
            uses[base] += 1
            name = f"{base} ({uses[base]})"
        uses[name] += 1
        names.append(name)
        if name != original.strip():
            renamed.append((presentable(BLANKS.sub(" ", original).strip(), MAX_NAME_LENGTH), name))
    return names, renamed


def _limit_blank_rows(cells: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield all rows.

    Raises:
        Refused: more than ``MAX_BLANK_ROWS`` are blank.
    """
    blank = 0
    for row in cells:
        if not any(cell and not cell.isspace() for cell in row):
            blank += 1
            if blank > MAX_BLANK_ROWS:
                raise Refused(Refusal.TABLE_ROWS_BLANK, limit=MAX_BLANK_ROWS)
        yield row
