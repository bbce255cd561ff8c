"""Export as CSV, as RFC 4180 describes it, in UTF-8.

Source: https://www.rfc-editor.org/rfc/rfc4180
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, BinaryIO

from batchapp.domain.results.export_settings import guard_formula
from batchapp.services.results.exports.content import ExportContent
from batchapp.services.results.exports.export_columns import ExportColumn

BOM = b"\xef\xbb\xbf"
# Values that are written as they are: no spreadsheet takes them for a formula.
FIGURES = frozenset({"integer", "decimal", "number", "boolean", "null"})


def write(content: ExportContent, file: BinaryIO, on_rows: Callable[[int], None]) -> None:
    """Write a line of names, and one for each row."""
    has_guard = content.settings.has_guard
    write_text = _guarded if has_guard else _quoted
    if content.settings.has_bom:
        file.write(BOM)
    file.write(_lines([tuple(write_text(column.name) for column in content.columns)]))
    writers = [_writer(column, write_text) for column in content.columns]
    written = 0
    for rows in content.rows():
        # Column by column: each has one way to be written, and no row needs a loop of its own.
        columns = [
            [write_value(value) for value in values]
            for write_value, values in zip(writers, zip(*rows, strict=True), strict=True)
        ]
        file.write(_lines(list(zip(*columns, strict=True))))
        written += len(rows)
        on_rows(written)


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    lines = [",".join(row) for row in rows]
    # A lone empty cell would be an empty line, which readers skip.
    return "".join([f"{line}\r\n" if line else '""\r\n' for line in lines]).encode()


def _writer(column: ExportColumn, write_text: Callable[[str], str]) -> Callable[[Any], str]:
    if column.kind == "decimal":
        return plain_decimal
    if column.kind in FIGURES:
        return lambda value: "" if value is None else str(value)
    return lambda value: write_text(value) if value else ""


def plain_decimal(value: Decimal | None) -> str:
    """Return all digits of ``value`` without zeros behind them, "" for None."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoted(text: str) -> str:
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    if "," in text or "\n" in text or "\r" in text:
        return f'"{text}"'
    return text


def _guarded(text: str) -> str:
    return _quoted(guard_formula(text))
