"""What a person is told of a table that was read: what its sheet hides, merges or shows."""

from collections.abc import Iterable, Sequence
from typing import Any

from batchapp.domain.tables.sheet_facts import NoticeCode
from batchapp.presenters.sentences import Data, Sentence, make_stored_sentence
from batchapp.templatetags.words import count


def notice_texts(notices: Iterable[Sequence[Any]]) -> list[str]:
    """Return a sentence for each notice of a table, as the reading process or a row has them."""
    return [make_stored_sentence(SENTENCES, code, data) for code, data in notices]


def _hidden_rows_sent(data: Data) -> str:
    verb = "is" if data["rows"] == 1 else "are"
    return f"{count(data['rows'], 'hidden row')} {verb} sent, too. You can leave them out."


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


SENTENCES: dict[NoticeCode, Sentence] = {
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
