"""What a sheet hides, merges or shows in a form of its own, and what a person is told of that."""

from dataclasses import dataclass, field

from batchapp.domain.tables.notices import NoticeCode, TableNotice


@dataclass(slots=True)
class SheetFacts:
    """Counts of a sheet; complete when all its rows were read.

    ``unlike_shown`` counts the cells whose number format is not known, or depends on the country
    of the person who looks at the sheet.
    """

    hidden_rows: int = 0
    hidden_columns: int = 0
    merged: int = 0
    merged_ranges: list[str] = field(default_factory=list)
    unlike_shown: int = 0


def sheet_notices(facts: SheetFacts, *, was_left_out: bool) -> list[TableNotice]:
    """Return what a person must know; ``was_left_out`` tells where the hidden rows went."""
    notices = []
    if rows := facts.hidden_rows:
        code = NoticeCode.HIDDEN_ROWS_LEFT_OUT if was_left_out else NoticeCode.HIDDEN_ROWS_SENT
        notices.append(TableNotice(code, {"rows": rows}))
    if columns := facts.hidden_columns:
        notices.append(TableNotice(NoticeCode.HIDDEN_COLUMNS_SENT, {"columns": columns}))
    if facts.merged:
        data = {"merged": facts.merged, "ranges": facts.merged_ranges}
        notices.append(TableNotice(NoticeCode.MERGED_CELLS, data))
    if cells := facts.unlike_shown:
        notices.append(TableNotice(NoticeCode.UNLIKE_SHOWN, {"cells": cells}))
    return notices
