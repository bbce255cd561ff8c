"""Read the rows of CSV and TSV text, and refuse text whose quotation marks are broken."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables import encodings

NO_DELIMITER = "\x1f"  # in no text: the whole line is one cell, quoted or not
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
DELIMITERS[NO_DELIMITER] = "none"

# A line that names the delimiter for spreadsheet programs, and only for them.
SEPARATOR = re.compile(r'"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)
NEWLINE = re.compile(r"\r\n|\r|\n")

SAMPLE_LENGTH = 64 * 1024  # characters
SAMPLE_ROWS = 50
# Characters, more than any provider accepts in one request; in a longer cell a quote is left open.
MAX_CELL_LENGTH = 10 * 1024 * 1024

csv.field_size_limit(MAX_CELL_LENGTH)


def read_csv(
    text: io.TextIOWrapper, delimiter: str, encoding: str
) -> tuple[str, Iterator[list[str]]]:
    """Return the delimiter and the rows; ``delimiter`` "" is detected.

    Raises:
        Refused: the text cannot be read, found here or while iterating.
    """
    rows = _records(text, delimiter, encoding)
    return next(rows)[0], rows


def _records(text: io.TextIOWrapper, delimiter: str, encoding: str) -> Iterator[list[str]]:
    """Yield the delimiter, as a row of its own, and then the rows."""
    line = 0
    try:
        sample = text.read(SAMPLE_LENGTH)
        separator = SEPARATOR.match(sample)
        if separator and separator[1] in DELIMITERS:
            delimiter = delimiter or separator[1]
        delimiter = delimiter or _detect_delimiter(sample[separator.end() if separator else 0 :])
        yield [delimiter]
        text.seek(0)
        lines = _Lines(text, skipped=1 if separator else 0)
        for row in csv.reader(lines, delimiter=delimiter):
            lines.end_row(row, delimiter)
            line = lines.number
            if not lines.is_over:
                yield row
    except UnicodeError as exc:
        raise _decoding_error(encoding, exc) from exc
    except csv.Error as exc:
        raise _csv_refusal(exc, line + 1) from exc
    finally:
        if not text.closed:
            text.detach()  # otherwise the wrapper would close the caller's file


class _Lines:
    """The lines of ``text``, followed by an empty line that shows whether a cell is still open."""

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
        """Check the lines that were read for ``row``.

        Raises:
            Refused: a quotation mark that is never closed made one cell of several rows.
        """
        lines, self._row = self._row, []
        if self.is_over and lines:
            below = len(_lines_of(row[-1])) - 1
            raise Refused(Refusal.TABLE_QUOTE_OPEN, line=self.number - below)
        if len(lines) > 1 and not _is_strict(lines, delimiter):
            first = self.number - len(lines) + 1
            raise Refused(Refusal.TABLE_QUOTE_SWALLOWS, line=first, last=self.number)


def _lines_of(cell: str) -> list[str]:
    lines = NEWLINE.split(cell)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _is_strict(lines: Sequence[str], delimiter: str) -> bool:
    """Return True if only a delimiter follows a closing quotation mark."""
    try:
        return bool([*csv.reader(lines, delimiter=delimiter, strict=True)])
    except csv.Error:
        return False


def _csv_refusal(exc: csv.Error, line: int) -> Refused:
    if "field larger" not in str(exc):  # the library gives no other sign
        return Refused(Refusal.TABLE_NOT_CSV, line=line, reason=str(exc))
    return Refused(Refusal.TABLE_CELL_TOO_LONG, line=line, limit=MAX_CELL_LENGTH)


def _decoding_error(encoding: str, exc: UnicodeError) -> Refused:
    reason = exc.reason if isinstance(exc, UnicodeDecodeError) else str(exc)
    name = encodings.ENCODING_NAMES.get(encoding, encoding)
    return Refused(Refusal.TABLE_NOT_TEXT, encoding=name, reason=reason)


def _detect_delimiter(sample: str) -> str:
    """Return the delimiter that splits most rows alike, into as many cells as possible."""
    best = (0.0, 1, NO_DELIMITER)
    for delimiter in ",;\t|":
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        try:
            widths = [len(row) for row, _ in zip(reader, range(SAMPLE_ROWS), strict=False) if row]
        except csv.Error:
            continue
        if len(widths) > 2 and len(sample) == SAMPLE_LENGTH:
            widths.pop()  # the sample may end in the middle of the last row
        if widths and widths[0] > 1:
            share = sum(width == widths[0] for width in widths) / len(widths)
            best = max(best, (share, widths[0], delimiter))
    return best[2]
