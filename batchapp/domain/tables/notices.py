"""What a person must know of a table that was read."""

from enum import StrEnum, unique
from typing import Any, NamedTuple


@unique
class NoticeCode(StrEnum):
    """The codes of all notices."""

    # Cells
    EMPTY_WORDS_LEFT_OUT = "empty_words_left_out"
    EMPTY_WORDS_SENT = "empty_words_sent"
    NULS_LEFT_OUT = "nuls_left_out"
    NUMBERS_SHORTENED = "numbers_shortened"
    ROWS_SHORT = "rows_short"

    # Sheets
    HIDDEN_ROWS_LEFT_OUT = "hidden_rows_left_out"
    HIDDEN_ROWS_SENT = "hidden_rows_sent"
    HIDDEN_COLUMNS_SENT = "hidden_columns_sent"
    MERGED_CELLS = "merged_cells"
    UNLIKE_SHOWN = "unlike_shown"


class TableNotice(NamedTuple):
    """A notice as a row keeps it; ``data`` has the facts of its sentence, as JSON."""

    code: str
    data: dict[str, Any]
