"""Read sheets of .xlsx workbooks as rows of text, as a person sees them, one row at a time."""

import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO
from xml.parsers import expat

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables.date_formats import serial_of
from batchapp.domain.tables.header_row import Row
from batchapp.domain.tables.number_formats import GENERAL, NumberFormat
from batchapp.domain.tables.sheet_facts import SheetFacts
from batchapp.domain.tables.workbook_archive import (
    MAX_SHEET_BYTES,
    MAX_TEXT_LENGTH,
    Attributes,
    SheetEntry,
    TextCollector,
    WorkbookArchive,
    parse_xml,
)

# Values that a cell shows if its formula failed.
ERRORS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#UNKNOWN!", "#CONNECT!"}
)
UNSAVED = "\x00"  # a formula whose value was not saved with it; no cell can hold this character
COLUMNS_READ = 1_001  # of a row; a cell beyond is put into the last of these columns
ESCAPED = re.compile(r"_x00([01][0-9A-Fa-f])_")  # a control character, as a workbook writes it
REFERENCE = re.compile(r"[A-Za-z]{1,3}")
MAX_NUMBER_LENGTH = 400  # characters; a longer "number" is sent as it is

GUESS_ROWS = 50  # of a sheet, to see whether it has a table
GUESS_SHEETS = 20
TABLE_RANK = 2  # of a sheet with a table; the sheets with less have 1 or 0
MERGED_SHOWN = 3  # ranges that are named
GENERAL_FORMAT = NumberFormat(GENERAL)

# Errors of damaged archives and documents: zipfile raises RuntimeError for an encrypted file and
# NotImplementedError for a compression that it does not know; the others come from cells and parts
# that are not as the format says.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, OSError, UnicodeError),
    *(RuntimeError, NotImplementedError, KeyError, ValueError, OverflowError),
)


@dataclass(slots=True)
class SheetReading:
    """A sheet that is being read; ``rows`` have their number in the sheet, and any width."""

    name: str
    sheets: list[str]
    rows: Iterator[Row]
    facts: SheetFacts


def read_sheet(source: BinaryIO, sheet: str = "", *, without_hidden: bool = False) -> SheetReading:
    """Return the rows of a sheet; without a name, of the first that is visible and has a table.

    Formulas give the values that were saved with them; macros are ignored. ``without_hidden``
    leaves out the rows that the sheet hides.

    Raises:
        Refused: the workbook cannot be read, found here or while iterating.
    """
    try:
        archive = WorkbookArchive(source)
        names = [entry.name for entry in archive.sheets]
        if not names:
            raise Refused(Refusal.WORKBOOK_WITHOUT_SHEETS)
        if sheet and sheet not in names:
            raise Refused(Refusal.WORKBOOK_SHEET_MISSING, sheet=sheet, sheets=names)
        reader = _Reader(archive, archive.texts(), archive.formats())
        number = names.index(sheet) if sheet else reader.guess()
    except DAMAGE as exc:
        raise Refused(Refusal.TABLE_IS_ARCHIVE) from exc
    facts = SheetFacts()
    rows = reader.rows(archive.sheets[number], facts, without_hidden=without_hidden)
    return SheetReading(names[number], names, rows, facts)


class _Reader:
    """Reads the sheets of one workbook."""

    def __init__(
        self, archive: WorkbookArchive, texts: list[str], formats: list[NumberFormat]
    ) -> None:
        self._archive = archive
        self._texts = texts
        self._formats = formats

    def guess(self) -> int:
        """Return the number of the first visible sheet with a table.

        A table has two rows with two cells or more. If no sheet has, a sheet with two rows is
        taken, or else the first: a cover sheet often has one cell, or one column of them.
        """
        sheets = self._archive.sheets
        visible = [number for number, entry in enumerate(sheets) if entry.is_visible]
        best = (0, (visible or [0])[0])
        for number in visible[:GUESS_SHEETS]:
            rank = self._rank(sheets[number])
            if rank > best[0]:
                best = (rank, number)
            if rank == TABLE_RANK:
                break
        return best[1]

    def _rank(self, entry: SheetEntry) -> int:
        """Return how much the first rows of a sheet look like a table."""
        widths = []
        with suppress(Refused):  # a damaged sheet is refused when it is read
            rows = islice(self.rows(entry, SheetFacts()), GUESS_ROWS)
            widths = [width for _, row in rows if (width := sum(map(bool, row)))]
        has_table = sum(width > 1 for width in widths) > 1
        return TABLE_RANK if has_table else int(len(widths) > 1)

    def rows(
        self, entry: SheetEntry, facts: SheetFacts, *, without_hidden: bool = False
    ) -> Iterator[Row]:
        """Yield only rows that exist: a number may claim any count of blank rows before it."""
        parser = _SheetParser(self._texts, self._formats, facts)
        parser.without_hidden = without_hidden
        try:
            with self._archive.open(entry.path, MAX_SHEET_BYTES) as content:
                for _ in parse_xml(content, parser.start, parser.end, parser.add_text):
                    yield from parser.take_rows()
        except DAMAGE as exc:
            raise Refused(Refusal.WORKBOOK_SHEET_DAMAGED, sheet=entry.name) from exc


class _SheetParser:
    """Builds rows from the elements of a sheet."""

    def __init__(self, texts: list[str], formats: list[NumberFormat], facts: SheetFacts) -> None:
        self.without_hidden = False
        self._texts = texts
        self._formats = {str(number): each for number, each in enumerate(formats)}
        self._facts = facts
        self._rows: list[Row] = []
        self._row: list[str] = []
        self._row_number = 0
        self._is_hidden = False
        self._column = 0
        self._columns: dict[str, int] = {}
        self._type = self._style = self._raw = ""
        self._has_formula = self._in_value = False
        self._pieces: list[str] = []
        self._inline = TextCollector()

    def take_rows(self) -> list[Row]:
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "v":
            self._in_value = True
        elif name == "c":
            get = attributes.get
            self._column = self._column_of(get("r", "")) or self._column + 1
            self._type, self._style, self._raw = get("t", "n"), get("s", ""), ""
            self._has_formula = False
        elif name == "row":
            self._start_row(attributes)
        elif name == "f":
            self._has_formula = True
        elif name in {"t", "rPh"}:
            self._inline.start(name)
        elif name == "mergeCell":
            self._facts.merged += 1
            if len(self._facts.merged_ranges) < MERGED_SHOWN:
                self._facts.merged_ranges.append(presentable(attributes.get("ref", ""), 20))
        elif name == "col" and attributes.get("hidden") in {"1", "true"}:
            first, last = (_whole(attributes.get(side, "")) for side in ("min", "max"))
            self._facts.hidden_columns += max(0, min(last, COLUMNS_READ) - first + 1)

    def end(self, name: str) -> None:
        if name == "v":
            self._raw, self._in_value = "".join(self._pieces), False
            self._pieces.clear()
            if len(self._raw) > MAX_TEXT_LENGTH:
                raise Refused(Refusal.WORKBOOK_CELL_TOO_LONG, limit=MAX_TEXT_LENGTH)
        elif name == "c":
            is_inline = self._type == "inlineStr"
            text = self._shown_text(self._inline.take()) if is_inline else self._cell_text()
            if text:
                column = min(self._column, COLUMNS_READ)
                row = self._row
                if len(row) < column:
                    row += [""] * (column - len(row))
                row[column - 1] = text
        elif name == "row":
            if self._is_hidden and any(self._row):
                self._facts.hidden_rows += 1
            if not (self._is_hidden and self.without_hidden):
                self._rows.append((self._row_number, self._row))
        elif name in {"t", "rPh"}:
            self._inline.end(name)

    def add_text(self, text: str) -> None:
        if self._in_value:
            self._pieces.append(text)
        else:
            self._inline.add(text)

    def _start_row(self, attributes: Attributes) -> None:
        self._row_number = _whole(attributes.get("r", "")) or self._row_number + 1
        self._is_hidden = attributes.get("hidden") in {"1", "true"}
        self._row, self._column = [], 0

    def _column_of(self, reference: str) -> int:
        """Return the number of the column that a reference such as "BC12" begins with."""
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper() if REFERENCE.fullmatch(letters) else "":
                column = column * 26 + ord(letter) - ord("A") + 1
            if len(self._columns) < COLUMNS_READ:
                self._columns[letters] = column
        return column

    def _cell_text(self) -> str:
        """Return the value of the cell as the sheet shows it."""
        raw, kind = self._raw, self._type
        if not raw:
            return UNSAVED if self._has_formula and kind != "str" else ""
        if kind == "s":
            number = _whole(raw)
            return self._shown_text(self._texts[number] if number < len(self._texts) else "")
        if kind == "n":
            return self._number_text(raw)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw)
        if kind == "d":
            serial = serial_of(raw)
            return raw if serial is None else self._shown_number(serial)
        return self._shown_text(raw)

    def _shown_text(self, text: str) -> str:
        if "_x00" in text:
            text = ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
        return self._format.show_text(text)

    def _number_text(self, raw: str) -> str:
        try:
            value = float(raw) if len(raw) <= MAX_NUMBER_LENGTH else math.inf
        except ValueError:
            return raw
        return self._shown_number(value) if math.isfinite(value) else raw

    def _shown_number(self, value: float) -> str:
        shown = self._format.show(value)
        if shown is None:
            self._facts.unlike_shown += 1
            return self._format.plain(value)
        return shown

    @property
    def _format(self) -> NumberFormat:
        return self._formats.get(self._style, GENERAL_FORMAT)


def _whole(text: str) -> int:
    """Return a whole number of the document; 0 if it is none."""
    return int(text) if text.isdecimal() and len(text) <= 10 else 0
