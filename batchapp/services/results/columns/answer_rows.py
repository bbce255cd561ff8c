"""Read the results of a batch as the rows of a table."""

from collections.abc import Iterator

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE, ColumnsReader

FIRST = ("custom_id", "question", "answer")
LAST = "outcome"


def read_rows(
    reader: ColumnsReader, chosen: ResultFilter
) -> tuple[list[str], Iterator[list[str]]]:
    """Return the header, and the chosen results in the order of their lines.

    Behind id, question and answer stand the fields of JSON answers and the columns of the table
    that the batch was made from, as they were; a cell without a value is "". The outcome is last.

    Raises:
        KeyError: the filter names a column that is not there.
    """
    further = [
        column
        for origin in (FIELD, SOURCE)
        for column in reader.columns.values()
        if column.origin == origin
    ]
    reader.condition(chosen)
    names = [*FIRST, *(column.name for column in further), LAST]
    header = [*FIRST, *(column.label for column in further), LAST]
    return header, (_cells(row) for row in reader.iterate(chosen, names))


def _cells(row: tuple[str | None, ...]) -> list[str]:
    *texts, outcome = row
    return [*(text or "" for text in texts), Outcome(outcome or "").label]
