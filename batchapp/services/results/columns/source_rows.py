"""Read the rows of the table that a batch was made from, each with the id of its request."""

from collections.abc import Iterator
from itertools import islice

from batchapp.domain.tables.row_requests import build_requests
from batchapp.models import FileOrigin, SourceTable, Upload

ROWS_PER_BLOCK = 2_000
MAX_VERSIONS = 100  # corrections of corrections that lie between a file and its origin

# The number of the row from 1, its custom_id ("" for a row without a request), and its cells.
SourceRow = tuple[int, str, list[str]]


def source_table(upload: Upload) -> SourceTable | None:
    """Return the table of ``upload`` if its rows are still here."""
    table = upload.table
    return table if table and table.cells.name and table.columns else None


def read_source_blocks(upload: Upload, table: SourceTable) -> Iterator[list[SourceRow]]:
    """Yield the rows of ``table`` in order, with the ids that the file of ``upload`` has."""
    origin = _origin(upload)
    if origin is None:
        return
    ids = (row.custom_id for row in build_requests(table.open_rows(), origin.prompt_settings))
    rows = (
        (number, custom_id, list(cells.values()))
        for number, (custom_id, cells) in enumerate(zip(ids, table.open_rows(), strict=True), 1)
    )
    while block := list(islice(rows, ROWS_PER_BLOCK)):
        yield block


def _origin(upload: Upload) -> FileOrigin | None:
    """Return what the file, or the file that it was corrected or retried from, was made by."""
    current: Upload | None = upload
    for _ in range(MAX_VERSIONS):
        if current is None:
            return None
        if origin := FileOrigin.objects.filter(upload=current).first():
            return origin
        current = current.made_from
    return None
