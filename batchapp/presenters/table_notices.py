"""What a person is told of a table that was read: what its sheet hides, merges or shows."""

from collections.abc import Iterable, Sequence
from typing import Any

from batchapp.domain.tables.notices import NoticeCode
from batchapp.presenters.sentences import Data, Sentence, make_stored_sentence, named
from batchapp.templatetags.words import count


def notice_texts(notices: Iterable[Sequence[Any]]) -> list[str]:
    """Return a sentence for each notice of a table, as the reading process or a row has them."""
    return [make_stored_sentence(SENTENCES, code, data) for code, data in notices]


def _hidden_rows_sent(data: Data) -> str:
    verb = "is" if data["rows"] == 1 else "are"
    return (
        f"{count(data['rows'], 'hidden row')} {verb} sent, too. To leave them out, change how the "
        "table is read."
    )


def _hidden_rows_left_out(data: Data) -> str:
    verb = "is" if data["rows"] == 1 else "are"
    return f"{count(data['rows'], 'hidden row')} {verb} left out."


def _merged_cells(data: Data) -> str:
    merged, ranges = data["merged"], data["ranges"]
    more = f" and {merged - len(ranges):,} more" if merged > len(ranges) else ""
    return (
        f"The sheet merges cells: {', '.join(ranges)}{more}. Only the first cell of each has its "
        "text, the others are empty. If a prompt needs the text in each row, unmerge and fill "
        "the cells, and upload the table again."
    )


COLUMNS_LISTED = 5


def _words(data: Data, end: str) -> str:
    parts = []
    for column, cells, words in data["columns"][:COLUMNS_LISTED]:
        verb = "says" if cells == 1 else "say"
        parts.append(f"{count(cells, 'cell')} of {column} {verb} {' or '.join(words)}")
    more = len(data["columns"]) - COLUMNS_LISTED
    if more > 0:
        parts.append(f"so do cells of {count(more, 'more column')}")
    return f"{'; '.join(parts)}. {end}"


def _empty_words_sent(data: Data) -> str:
    return _words(data, "Such words are sent as they are; you can have them count as empty.")


def _empty_words_left_out(data: Data) -> str:
    return _words(data, "Such cells count as empty.")


def _numbers_shortened(data: Data) -> str:
    verb = "looks" if data["cells"] == 1 else "look"
    return (
        f"{count(data['cells'], 'cell')} of {named(data['columns'])} {verb} like a number that a "
        f"spreadsheet program shortened, such as {data['example']}: its last digits are lost. "
        "Format the column as text there, and save the table again."
    )


def _rows_short(data: Data) -> str:
    verb = "has" if data["rows"] == 1 else "have"
    return (
        f"{count(data['rows'], 'row')} {verb} fewer cells than the header, the first in line "
        f"{data['line']:,}. The missing cells are empty."
    )


SENTENCES: dict[NoticeCode, Sentence] = {
    NoticeCode.EMPTY_WORDS_LEFT_OUT: _empty_words_left_out,
    NoticeCode.EMPTY_WORDS_SENT: _empty_words_sent,
    NoticeCode.NULS_LEFT_OUT: (
        "{cells:count cell} had the character NUL, which no text needs. It is left out."
    ),
    NoticeCode.NUMBERS_SHORTENED: _numbers_shortened,
    NoticeCode.ROWS_SHORT: _rows_short,
    NoticeCode.HIDDEN_ROWS_LEFT_OUT: _hidden_rows_left_out,
    NoticeCode.HIDDEN_ROWS_SENT: _hidden_rows_sent,
    NoticeCode.HIDDEN_COLUMNS_SENT: (
        "The sheet hides {columns:count column}. A prompt can name hidden columns, too."
    ),
    NoticeCode.MERGED_CELLS: _merged_cells,
    NoticeCode.UNLIKE_SHOWN: (
        "{cells:count cell} may look different in your sheet, because the number format depends "
        "on your country or is not known here. Numbers are sent with all digits, dates as "
        "2025-01-31."
    ),
}
