"""Read sheets of .xlsx workbooks as rows of text, within a memory limit for any archive."""

import datetime
import re
import sys
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any, BinaryIO

from openpyxl import load_workbook
from openpyxl.workbook import Workbook
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables.header_row import Row

MIB = 1024 * 1024

# Largest unpacked size of a file in the archive, by its name. Sheets are read row by row, texts
# are kept in memory, and any other file may become a tree that is many times as large.
MAX_FILE_BYTES = [
    (re.compile(r"xl/worksheets/[^/]+\.xml"), 256 * MIB),
    (re.compile(r"xl/sharedStrings\.xml"), 128 * MIB),
    (re.compile(r".*"), 16 * MIB),
]
MAX_ELEMENT_BYTES = 16 * MIB  # of one row, or of one text, before it is parsed
ELEMENT_ENDS = {"xl/worksheets/": b"</row>", "xl/sharedStrings": b"</si>"}
MAX_FILES = 10_000  # in the archive

# Values that a cell shows if its formula failed.
ERRORS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#UNKNOWN!", "#CONNECT!"}
)
UNSAVED = "\x00"  # a formula whose value was not saved with it; no cell can hold this character
COLUMNS_READ = 1_001  # of a row; a cell beyond is put into the last of these columns
ESCAPED = re.compile(r"_x00([01][0-9A-Fa-f])_")  # a control character, as a workbook writes it
PLAIN_FROM, PLAIN_TO = 1e-7, 1e21  # numbers between these are written without an exponent


def read_sheet(source: BinaryIO, sheet: str = "") -> tuple[str, list[str], Iterator[Row]]:
    """Return the name of a sheet, the names of all sheets, and the rows of that sheet.

    Rows have their number in the sheet, and any width. Formulas give the values that were saved
    with them; macros are ignored. Without a name, the first sheet that is not hidden is read.

    Raises:
        Refused: the workbook cannot be read, found here or while iterating.
    """
    try:
        _refuse_excess(source)
        source.seek(0)
        book = load_workbook(source, read_only=True, data_only=True, keep_links=False)
        states = [(worksheet.title, worksheet.sheet_state) for worksheet in book.worksheets]
        sheets = [title for title, _ in states]
        visible = [title for title, state in states if state == "visible"]
    except Refused:
        raise
    except Exception as exc:  # a damaged workbook makes the library raise anything
        raise Refused(Refusal.TABLE_IS_ARCHIVE) from exc
    if not sheets:
        raise Refused(Refusal.WORKBOOK_WITHOUT_SHEETS)
    if sheet and sheet not in sheets:
        raise Refused(Refusal.WORKBOOK_SHEET_MISSING, sheet=sheet, sheets=sheets)
    chosen = sheet or (visible or sheets)[0]
    return chosen, sheets, _rows(book, chosen)


def unpacked_size(source: BinaryIO) -> int:
    """Return the bytes of all files in a workbook, unpacked; ``sys.maxsize`` if it is none.

    ``source`` is at its beginning afterwards.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return sum(file.file_size for file in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return sys.maxsize
    finally:
        source.seek(0)


class _Parser(WorkSheetParser):
    """A parser that tells a formula without a value from a blank cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and element.get("t") != "str":
            formula = element.find(FORMULA_TAG)
            cell["value"] = None if formula is None else UNSAVED
        return cell


def _rows(book: Workbook, sheet: str) -> Iterator[Row]:
    """Yield only rows that exist: a row number may claim any count of blank rows before it."""
    worksheet: Any = book[sheet]
    try:
        with worksheet._get_source() as content:  # iter_rows pads rows
            parser = _Parser(
                content,
                worksheet._shared_strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=book._date_formats,  # type: ignore[attr-defined]
                timedelta_formats=book._timedelta_formats,  # type: ignore[attr-defined]
            )
            for number, cells in parser.parse():
                yield number, _row(cells)
    except Refused:
        raise
    except Exception as exc:  # as above: the sheet is parsed only now
        raise Refused(Refusal.WORKBOOK_SHEET_DAMAGED, sheet=sheet) from exc


def _row(cells: list[dict[str, Any]]) -> list[str]:
    row: list[str] = []
    for cell in cells:
        if cell["value"] is not None:
            column = min(cell["column"], COLUMNS_READ)
            row += [""] * (column - len(row))
            row[column - 1] = _text(cell["value"])
    return row


def _text(value: object) -> str:
    """Return the value as a person would type it; dates follow ISO 8601."""
    if isinstance(value, str):
        return ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime.datetime):
        moment = (value + datetime.timedelta(microseconds=500_000)).replace(microsecond=0)
        return (
            moment.date().isoformat() if moment.time() == datetime.time() else moment.isoformat()
        )
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value).upper() if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    digits = f"{value:.15g}"  # as many as Excel keeps
    return f"{Decimal(digits):f}" if PLAIN_FROM <= abs(value) < PLAIN_TO else digits


def _duration(value: datetime.timedelta) -> str:
    """Return a duration as "hours:minutes:seconds"; days count as hours, as in a sheet."""
    minutes, seconds = divmod(round(abs(value.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if value < datetime.timedelta() else ""
    return f"{sign}{hours}:{minutes:02}:{seconds:02}"


def _refuse_excess(source: BinaryIO) -> None:
    """Unpack the files to be read without keeping them, and stop at a file that is too large.

    Raises:
        Refused: a file or a row is too large, or the archive is no workbook.
    """
    with zipfile.ZipFile(source) as archive:
        files = archive.infolist()
        names = {file.filename for file in files}
        if len(files) > MAX_FILES or "[Content_Types].xml" not in names:
            raise Refused(Refusal.TABLE_IS_ARCHIVE)
        for file in files:
            name, size = file.filename, file.file_size
            # The archive's own size can be trusted: no more than this is ever unpacked.
            if size > next(limit for path, limit in MAX_FILE_BYTES if path.fullmatch(name)):
                raise Refused(Refusal.WORKBOOK_FILE_TOO_LARGE, file=name[:80], bytes=size)
            end = next((end for path, end in ELEMENT_ENDS.items() if name.startswith(path)), None)
            if end and size > MAX_ELEMENT_BYTES:
                with archive.open(file) as content:
                    _refuse_long_elements(content, end)


def _refuse_long_elements(content: IO[bytes], end: bytes) -> None:
    length, tail = 0, b""
    while chunk := content.read(MIB):
        window = tail + chunk
        index = window.rfind(end)
        length = len(window) - index if index >= 0 else length + len(chunk)
        tail = window[-len(end) :]
        if length > MAX_ELEMENT_BYTES:
            raise Refused(Refusal.WORKBOOK_ROW_TOO_LARGE)
