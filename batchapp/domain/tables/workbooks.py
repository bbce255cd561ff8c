"""Sheets of .xlsx workbooks as rows of text, within bounds whatever the archive claims."""

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

MIB = 1024 * 1024

BOUNDS = [
    (re.compile(r"xl/worksheets/[^/]+\.xml"), 256 * MIB),
    (re.compile(r"xl/sharedStrings\.xml"), 128 * MIB),
    (re.compile(r".*"), 16 * MIB),
]
"""How large a part may be, unpacked. Sheets are read row by row, texts are held, and any other
part may be held as a tree that is many times as large."""

LONGEST_ELEMENT = 16 * MIB
"""Of one row, or of one text, before it is parsed."""

ENDS = {"xl/worksheets/": b"</row>", "xl/sharedStrings": b"</si>"}

MAX_PARTS = 10_000
CHUNK = MIB

ERRORS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}
    | {"#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#UNKNOWN!", "#CONNECT!"}
)
"""What a cell shows whose formula failed."""

UNSAVED = "\x00"
"""What stands for a formula whose value was not saved with it; no cell can hold it."""

COLUMNS_READ = 1_001
"""Of a row; what stands beyond is put into the last of them."""

ESCAPED = re.compile(r"_x00([01][0-9A-Fa-f])_")
"""How a workbook writes a control character."""

PLAIN_FROM, PLAIN_TO = 1e-7, 1e21
"""Numbers between are written without an exponent."""

NO_WORKBOOK = (
    "This is an archive, but not an Excel workbook that can be read. Save the table as .xlsx or "
    "CSV, and upload that."
)


class TableError(ValueError):
    """There is no table to read; the message is a sentence for the person."""


def read(source: BinaryIO, sheet: str = "") -> tuple[str, list[str], Iterator[list[str]]]:
    """The name of a sheet, those of all, and the rows of that one, of any widths.

    Formulas give the values that were saved with them; macros are never looked at. Without a
    name it is the first sheet that is not hidden.

    Raises:
        TableFault: here or while iterating.
    """
    try:
        _refuse_excess(source)
        source.seek(0)
        book = load_workbook(source, read_only=True, data_only=True, keep_links=False)
        sheets = [each.title for each in book.worksheets]
        shown = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    except TableError:
        raise
    except Exception as exc:  # whatever a damaged workbook makes the library raise
        raise TableError(NO_WORKBOOK) from exc
    if not sheets:
        raise TableError("The workbook has no sheet with cells.")
    if sheet and sheet not in sheets:
        raise TableError(f"The workbook has no sheet {sheet}. It has: {', '.join(sheets)}.")
    chosen = sheet or (shown or sheets)[0]
    return chosen, sheets, _rows(book, chosen)


def unpacked(source: BinaryIO) -> int:
    """Bytes of all parts of the workbook, once unpacked; as many as no machine has if it is none.

    ``source`` stands at its beginning afterwards.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return sys.maxsize
    finally:
        source.seek(0)


class _Parser(WorkSheetParser):
    """Tells a formula without a value from a blank cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and element.get("t") != "str":
            formula = element.find(FORMULA_TAG)
            cell["value"] = None if formula is None else UNSAVED
        return cell


def _rows(book: Workbook, sheet: str) -> Iterator[list[str]]:
    """Only the rows that are there: a number says nothing about how many come before it."""
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
            for _, cells in parser.parse():
                yield _row(cells)
    except TableError:
        raise
    except Exception as exc:  # as above: parts are parsed only now
        raise TableError(
            f"The sheet {sheet} is damaged and cannot be read to its end. Save it anew in your "
            "spreadsheet program, or as CSV."
        ) from exc


def _row(cells: list[dict[str, Any]]) -> list[str]:
    row: list[str] = []
    for cell in cells:
        if cell["value"] is not None:
            place = min(cell["column"], COLUMNS_READ)
            row += [""] * (place - len(row))
            row[place - 1] = _text(cell["value"])
    return row


def _text(value: object) -> str:
    """What a person would type for the value, dates as ISO 8601 has them."""
    if isinstance(value, str):
        return ESCAPED.sub(_control, value)
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


def _control(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _number(value: float) -> str:
    digits = f"{value:.15g}"  # as many as Excel keeps
    return f"{Decimal(digits):f}" if PLAIN_FROM <= abs(value) < PLAIN_TO else digits


def _duration(value: datetime.timedelta) -> str:
    """Hours beyond a day stay hours, as a sheet shows them."""
    minutes, seconds = divmod(round(abs(value.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if value < datetime.timedelta() else ""
    return f"{sign}{hours}:{minutes:02}:{seconds:02}"


def _refuse_excess(source: BinaryIO) -> None:
    """Unpack everything that will be read once, holding nothing, and stop at what is too large."""
    with zipfile.ZipFile(source) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS:
            raise TableError(NO_WORKBOOK)
        if not any(part.filename == "[Content_Types].xml" for part in parts):
            raise TableError(NO_WORKBOOK)
        for part in parts:
            bound = next(size for name, size in BOUNDS if name.fullmatch(part.filename))
            if part.file_size > bound:  # no more than this is ever unpacked of it
                raise TableError(
                    f"The workbook is too large to be read: {part.filename[:80]} has "
                    f"{part.file_size / MIB:,.0f} MiB unpacked. Save the sheet as CSV."
                )
            end = next((end for name, end in ENDS.items() if part.filename.startswith(name)), None)
            if end and part.file_size > LONGEST_ELEMENT:
                with archive.open(part) as content:
                    _refuse_long_elements(content, end)


def _refuse_long_elements(content: IO[bytes], end: bytes) -> None:
    length, tail = 0, b""
    while chunk := content.read(CHUNK):
        window = tail + chunk
        place = window.rfind(end)
        length = len(window) - place if place >= 0 else length + len(chunk)
        tail = window[-len(end) :]
        if length > LONGEST_ELEMENT:
            raise TableError(
                "The workbook holds a row that is too large to be read. Save the sheet as CSV."
            )
