"""Export as a workbook of Excel. All texts are texts, and never formulas or links."""

import re
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO

import xlsxwriter
from django.conf import settings

from batchapp.services.results.exports.content import ExportContent
from batchapp.services.results.exports.csv import plain_decimal
from batchapp.services.results.exports.export_columns import ExportColumn

# Source: https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3
MAX_ROWS = 1_048_576  # of a sheet, with the row of names
MAX_UNITS = 32_767  # of a cell, in UTF-16
CUT = " [cut]"
MAX_DIGITS = 15  # that a number of Excel keeps
DIGITS = re.compile(r"-?0*(\d*)\.?(\d*)")

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write(content: ExportContent, file: BinaryIO, on_rows: Callable[[int], None]) -> None:
    """Write one sheet, and another one of notes if not everything fits."""
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        workbook = xlsxwriter.Workbook(file, {**OPTIONS, "tmpdir": folder})
        try:
            _write_workbook(content, workbook, on_rows)
        except BaseException:  # the library leaves its files open when the writing is broken off
            for page in workbook.worksheets():
                page.row_data_fh.close()
            raise


def _write_workbook(content: ExportContent, workbook: Any, on_rows: Callable[[int], None]) -> None:
    total = content.total
    sheet = _Sheet(workbook, content.columns)
    room = MAX_ROWS - 1 if total < MAX_ROWS else MAX_ROWS - 2
    for rows in content.rows():
        sheet.write(rows[: room - sheet.rows])
        on_rows(sheet.rows)
        if sheet.rows == room:
            break
    notes = []
    if left_out := total - sheet.rows:
        notes.append(f"{left_out:,} more rows do not fit: a sheet of Excel ends here.")
        sheet.write_note(notes[0])
    if sheet.cut:
        notes.append(
            f"{sheet.cut:,} cells are cut after {MAX_UNITS:,} characters, the most that a cell "
            f"of Excel holds. They end with “{CUT.strip()}”."
        )
    if notes:
        page = workbook.add_worksheet("Notes")
        for number, note in enumerate([*notes, "An export as CSV or Parquet has everything."]):
            page.write_string(number, 0, note)
    workbook.close()


class _Sheet:
    def __init__(self, workbook: Any, columns: list[ExportColumn]) -> None:
        self._page = workbook.add_worksheet("Results")
        self._writers = [self._writer(column) for column in columns]
        self.rows = self.cut = 0
        bold = workbook.add_format({"bold": True})
        self._page.freeze_panes(1, 0)
        for number, column in enumerate(columns):
            self._page.write_string(0, number, self._fitting(column.name), bold)

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            self.rows += 1
            for number, value in enumerate(row):
                if value is not None:
                    self._writers[number](number, value)

    def write_note(self, text: str) -> None:
        self._page.write_string(self.rows + 1, 0, text)

    def _writer(self, column: ExportColumn) -> Callable[[int, Any], None]:
        writers: dict[str, Callable[[int, Any], None]] = {
            "integer": self._write_number,
            "decimal": lambda number, value: self._write_digits(number, plain_decimal(value)),
            "number": self._write_digits,
            "boolean": self._write_boolean,
        }
        return writers.get(column.kind, self._write_text)

    def _write_text(self, number: int, text: str) -> None:
        if text:
            self._page.write_string(self.rows, number, self._fitting(text))

    def _write_number(self, number: int, value: float) -> None:
        self._page.write_number(self.rows, number, value)

    def _write_digits(self, number: int, text: str) -> None:
        """Write a number as such if Excel keeps all of its digits, else as a text."""
        if is_exact_in_excel(text):
            self._write_number(number, float(text))
        else:
            self._write_text(number, text)

    def _write_boolean(self, number: int, text: str) -> None:
        self._page.write_boolean(self.rows, number, text == "true")

    def _fitting(self, text: str) -> str:
        if 2 * len(text) <= MAX_UNITS or utf16_units(text) <= MAX_UNITS:
            return text
        self.cut += 1
        units = text.encode("utf-16-le")[: 2 * (MAX_UNITS - len(CUT))]
        return units.decode("utf-16-le", "ignore") + CUT


def utf16_units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def is_exact_in_excel(text: str) -> bool:
    """Return True for a plain number whose digits Excel keeps all."""
    digits = DIGITS.fullmatch(text)
    return digits is not None and len(text) > 0 and len(digits[1] + digits[2]) <= MAX_DIGITS
