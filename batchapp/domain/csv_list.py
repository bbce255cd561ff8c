"""Lists that administrators exchange as CSV: their rows, and the quoting of formulas."""

import csv
import io
from collections.abc import Iterator, Sequence

import msgspec

MAX_LINES = 5000
# Spreadsheets in Chinese and Japanese read the full-width signs, the last four, as the others.
FORMULA_STARTS = (
    *("=", "+", "-", "@", "\t", "\r", "\n"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)
QUOTE = "'"


class UnreadableList(Exception):
    """The text as a whole is not the list it should be; the message is a sentence for people."""


class BadLine(msgspec.Struct, frozen=True):
    number: int
    reason: str


def escape_formula(text: str) -> str:
    """Return ``text`` with a quote before it if a spreadsheet could take it for a formula."""
    return f"{QUOTE}{text}" if text.startswith((*FORMULA_STARTS, QUOTE)) else text


def unescape_formula(text: str) -> str:
    """Undo ``escape_formula``."""
    inner = text.removeprefix(QUOTE)
    return inner if inner.startswith((*FORMULA_STARTS, QUOTE)) else text


def read_cells(row: dict[str, str], lengths: dict[str, int]) -> dict[str, str]:
    """Return the cells named in ``lengths``, each "" if absent, trimmed and without escapes.

    Raises:
        ValueError: a cell has more characters than its length, or odd ones.
    """
    cells = {name: unescape_formula(row.get(name, "").strip()) for name in lengths}
    for name, length in lengths.items():
        if "\0" in cells[name] or len(cells[name]) > length:
            raise ValueError(f"The {name} has more than {length} characters, or odd ones.")
    return cells


def read_rows(text: str, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row that is not blank, by column name, with the number of its first line.

    Raises:
        UnreadableList: the text is no CSV, lacks a ``required`` column, or is too long.
    """
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in required if name not in names]:
            raise UnreadableList(
                f"The first line must name the columns, and lacks {', '.join(missing)}. "
                "Download the CSV of this page to see how a list looks."
            )
        first_line = reader.line_num + 1
        for count, cells in enumerate(reader, 1):
            if count > MAX_LINES:
                raise UnreadableList(f"The list has more than {MAX_LINES:,} lines. Split it.")
            if any(cell.strip() for cell in cells):
                yield first_line, dict(zip(names, cells, strict=False))
            first_line = reader.line_num + 1
    except csv.Error as exc:
        raise UnreadableList(f"Line {reader.line_num} is no CSV: {exc}.") from exc
