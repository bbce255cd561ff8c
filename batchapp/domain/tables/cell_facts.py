"""Count cells that may not be meant as they are: words for nothing, and shortened numbers."""

import re
from collections import Counter
from collections.abc import Sequence

from batchapp.domain.tables.notices import NoticeCode, TableNotice

# What programs write for a value that is missing.
EMPTY_WORDS = frozenset(
    {"NULL", "Null", "null", "NaN", "nan", "NAN", "N/A", "n/a", "#N/A", "NA", "<NA>", "NaT"}
    | {"None", "\\N", "(null)", "(NULL)"}
)
# A number of many digits as a spreadsheet program shows it, and then saves it.
SHORTENED = re.compile(r"\d[.,]\d+E\+\d{2}")
NUL = "\x00"


class CellFacts:
    """Counts of the cells of a table; complete when all its rows were read.

    ``are_words_empty`` makes words for nothing empty cells.
    """

    def __init__(self, columns: Sequence[str], *, are_words_empty: bool) -> None:
        self._columns = columns
        self._are_words_empty = are_words_empty
        self._words: dict[int, Counter[str]] = {}
        self._shortened: Counter[int] = Counter()
        self._example = ""
        self._nuls = self._short_rows = self._first_short = 0

    def count_short_row(self, number: int) -> None:
        """Count a row with fewer cells than the header."""
        self._short_rows += 1
        self._first_short = self._first_short or number

    def read_row(self, row: list[str]) -> list[str]:
        """Count the cells of ``row``, and return them as they are sent."""
        text = "".join(row)
        if NUL in text:
            self._nuls += sum(NUL in cell for cell in row)
            row = [cell.replace(NUL, "") for cell in row]
        if "E+" in text:
            self._count_shortened(row)
        return row if EMPTY_WORDS.isdisjoint(row) else self._read_words(row)

    def _count_shortened(self, row: Sequence[str]) -> None:
        for index, cell in enumerate(row):
            if SHORTENED.fullmatch(cell):
                self._shortened[index] += 1
                self._example = self._example or cell

    def _read_words(self, row: list[str]) -> list[str]:
        for index, cell in enumerate(row):
            if cell in EMPTY_WORDS:
                self._words.setdefault(index, Counter())[cell] += 1
        if not self._are_words_empty:
            return row
        return ["" if cell in EMPTY_WORDS else cell for cell in row]

    def notices(self) -> list[TableNotice]:
        notices = []
        if self._words:
            sent, left_out = NoticeCode.EMPTY_WORDS_SENT, NoticeCode.EMPTY_WORDS_LEFT_OUT
            columns = [
                [self._columns[index], words.total(), [word for word, _ in words.most_common(3)]]
                for index, words in sorted(self._words.items())
            ]
            code = left_out if self._are_words_empty else sent
            notices.append(TableNotice(code, {"columns": columns}))
        if self._shortened:
            names = [self._columns[index] for index in sorted(self._shortened)]
            data = {"cells": self._shortened.total(), "columns": names, "example": self._example}
            notices.append(TableNotice(NoticeCode.NUMBERS_SHORTENED, data))
        if self._short_rows:
            data = {"rows": self._short_rows, "line": self._first_short}
            notices.append(TableNotice(NoticeCode.ROWS_SHORT, data))
        if self._nuls:
            notices.append(TableNotice(NoticeCode.NULS_LEFT_OUT, {"cells": self._nuls}))
        return notices
