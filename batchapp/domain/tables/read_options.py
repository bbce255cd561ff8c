"""The choice of how a table is read: one value for the page, the stored table and make_batch."""

from typing import NamedTuple


class ReadOptions(NamedTuple):
    """How a table is read; an option that is "" or 0 is detected.

    ``header_row`` is the number of the row that names the columns: the line of a text, the row
    of a sheet. ``separator`` and ``quoting`` are keys of ``SEPARATORS`` and ``QUOTINGS``.
    ``without_hidden`` is "1" to leave out the rows that a sheet hides, ``empty_words`` is "1" to
    read words for nothing, such as NULL, as empty cells.
    """

    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    header_row: int = 0
    quoting: str = ""
    without_hidden: str = ""
    empty_words: str = ""


DETECT_ALL = ReadOptions()

NO_SEPARATOR = "\x1f"  # in no text: the whole line is one cell, quoted or not
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
SEPARATORS[NO_SEPARATOR] = "none"

# How a quotation mark is written within a cell.
QUOTINGS = {
    "double": 'are doubled: ""',
    "backslash": 'have a backslash: \\"',
    "none": "are text like any other",
}
