"""Read tables of people, CSV, TSV, JSON or a workbook: named columns and rows of text."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.reading import table_kind
from batchapp.domain.request_files.reading.utf16 import detect_utf16
from batchapp.domain.tables import text_tables, workbooks
from batchapp.domain.tables.cell_facts import CellFacts
from batchapp.domain.tables.header_row import HEAD_ROWS, Row, guess_header, is_blank
from batchapp.domain.tables.notices import TableNotice
from batchapp.domain.tables.read_options import DETECT_ALL, ReadOptions
from batchapp.domain.tables.sheet_facts import SheetFacts, sheet_notices

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
    b"PAR1": Refusal.TABLE_IS_PARQUET,
}
# Web pages and XML, which programs save under the names of workbooks.
MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?P<page>!doctype html|html|head|body|meta|style|table|div)?"
    rb"(?:(?(page)|[!?])|[a-z][a-z0-9:]*[\s>])",
    re.IGNORECASE,
)


class Table:
    """Columns with unique names, and rows of as many cells; blank rows are left out.

    ``keys`` name the columns of rows without a header.

    Rows can be iterated once. Iterating counts ``rows``, ``ragged`` (rows of a sheet with text
    beyond the last column) and ``error_cells``. A text with such a row is refused at its end: a
    cell was cut in two there, and nobody can tell which. ``renamed`` has pairs of a column's name
    in the file and its name here, if the name had to change.
    """

    def __init__(
        self,
        read_as: ReadOptions,
        rows: Iterable[Row],
        sheets: list[str],
        keys: Sequence[str] | None = None,
        sheet_facts: SheetFacts | None = None,
    ) -> None:
        self._rows = _limit_blank_rows(rows)
        self.sheets = sheets
        self._sheet_facts = sheet_facts
        self.rows = self.ragged = self.error_cells = 0
        number, header = (0, keys) if keys is not None else self._take_header(read_as.header_row)
        self.read_as = read_as._replace(header_row=number)
        self.columns, self.renamed = name_columns([cell.replace("\x00", "") for cell in header])
        self._width = len(header)
        self._is_text = keys is None and not sheets
        are_words_empty = bool(read_as.empty_words)
        self._cell_facts = CellFacts(self.columns, are_words_empty=are_words_empty)
        self._first_ragged: Row | None = None

    def _take_header(self, chosen: int) -> Row:
        """Return the header, and leave the rows below it in ``_rows``."""
        head: list[Row] = []
        filled = 0
        for row in self._rows:
            head.append(row)
            filled += not is_blank(row[1])
            if row[0] >= chosen if chosen else filled > HEAD_ROWS:
                break
        if chosen:
            header = next((row for row in head if row[0] == chosen), None)
        else:
            header = guess_header(head)
        if header is None and filled:
            raise Refused(Refusal.TABLE_HEADER_MISSING, row=chosen)
        if header is None:
            raise Refused(Refusal.TABLE_EMPTY)
        self._rows = chain([row for row in head if row[0] > header[0]], self._rows)
        return header

    @property
    def notices(self) -> list[TableNotice]:
        """What a person must know of the rows; complete when all rows were read."""
        notices = self._cell_facts.notices()
        if facts := self._sheet_facts:
            notices += sheet_notices(facts, was_left_out=bool(self.read_as.without_hidden))
        return notices

    def __iter__(self) -> Iterator[list[str]]:
        width = len(self.columns)
        for number, cells in self._rows:
            if is_blank(cells):
                continue
            self.rows += 1
            if self.rows > MAX_ROWS:
                raise Refused(Refusal.TABLE_ROWS_TOO_MANY, limit=MAX_ROWS)
            if len(cells) > width and not is_blank(cells[width:]):
                self.ragged += 1
                self._first_ragged = self._first_ragged or (number, cells)
            elif len(cells) < self._width and self._is_text:
                self._cell_facts.count_short_row(number)
            row = [self._text(cell) for cell in cells[:width]] if self.sheets else [*cells[:width]]
            yield self._cell_facts.read_row(row + [""] * (width - len(row)))
        if self._first_ragged and not self.sheets:
            raise self._ragged_refusal(*self._first_ragged)

    def _ragged_refusal(self, line: int, cells: Sequence[str]) -> Refused:
        facts = {"line": line, "header": self.read_as.header_row, "others": self.ragged - 1}
        if len(cells) <= self._width:
            unnamed = len(self.columns)
            column = next(at for at, cell in enumerate(cells, 1) if at > unnamed and cell.strip())
            return Refused(Refusal.TABLE_CELL_UNNAMED, column=column, **facts)
        names = len(self.columns)
        return Refused(Refusal.TABLE_ROW_TOO_WIDE, cells=len(cells), columns=names, **facts)

    def _text(self, cell: str) -> str:
        """Return a cell of a sheet; a formula that failed or has no saved value becomes ""."""
        if cell in workbooks.ERRORS or cell == workbooks.UNSAVED:
            self.error_cells += 1
            return ""
        return cell


def detect_kind(head: bytes) -> str:
    """Return "workbook", "text" or "json" for a file that begins with ``head``.

    Raises:
        Refused: the file is neither.
    """
    if head.startswith(b"PK\x03\x04"):
        return "workbook"
    if match := MARKUP.match(head):
        raise Refused(Refusal.TABLE_IS_WEB_PAGE if match["page"] else Refusal.TABLE_IS_XML)
    for magic, refusal in MAGICS.items():
        if head.startswith(magic):
            raise Refused(refusal)
    if b"\x00" in head and not detect_utf16(head):
        raise Refused(Refusal.TABLE_IS_BINARY)
    text = table_kind.decode_head(head).lstrip()
    if not table_kind.JSON_START.match(text):
        return "text"
    if table_kind.has_requests(text):
        raise Refused(Refusal.TABLE_IS_REQUESTS)
    if not table_kind.looks_like_table(head):
        raise Refused(Refusal.TABLE_WITHOUT_OBJECTS)
    return "json"


def read_table(source: BinaryIO, options: ReadOptions = DETECT_ALL) -> Table:
    """Return the table in ``source``, which must stay open until all rows are read.

    Raises:
        Refused: there is no readable table, found here or while iterating.
    """
    head = source.read(HEAD_BYTES)
    source.seek(0)
    kind = detect_kind(head)
    if kind == "workbook":
        sheet = workbooks.read_sheet(
            source, options.sheet, without_hidden=bool(options.without_hidden)
        )
        read_as = ReadOptions(
            sheet=sheet.name,
            header_row=options.header_row,
            without_hidden=options.without_hidden,
            empty_words=options.empty_words,
        )
        try:
            return Table(read_as, sheet.rows, sheet.sheets, sheet_facts=sheet.facts)
        except Refused as exc:
            exc.data["sheets"] = sheet.sheets  # of which a person may choose another
            raise
    if kind == "json":
        read_as, rows, keys = text_tables.read_json(source, options)
        return Table(read_as, rows, [], keys)
    return Table(*text_tables.read_csv(source, options), [])


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


def _limit_blank_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield all rows.

    Raises:
        Refused: more than ``MAX_BLANK_ROWS`` are blank.
    """
    blank = 0
    for row in rows:
        if is_blank(row[1]):
            blank += 1
            if blank > MAX_BLANK_ROWS:
                raise Refused(Refusal.TABLE_ROWS_BLANK, limit=MAX_BLANK_ROWS)
        yield row
