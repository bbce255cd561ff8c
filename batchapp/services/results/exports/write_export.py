"""Write the chosen results of a batch to a file, in one of the formats."""

from collections.abc import Callable
from typing import BinaryIO

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.models import ResultColumns, User
from batchapp.services.results.exports.content import open_content
from batchapp.services.results.exports.formats import FORMATS


def write_export(
    columns: ResultColumns,
    user: User,
    code: str,
    settings: ExportSettings,
    file: BinaryIO,
    *,
    on_rows: Callable[[int, int], None] = lambda _written, _total: None,
) -> int | None:
    """Write to ``file``, and return the number of rows; None if the columns file is gone.

    ``on_rows`` is called with the rows written so far, and with all.

    Raises:
        NotAllowed: nothing was written.
        UnknownColumn: nothing was written.
        OSError: a stored file is gone, or the disk is full; ``file`` has a part of the export.
    """
    export_format = FORMATS[code]
    with open_content(columns, user, settings) as content:
        if content is None:
            return None
        total = content.total if export_format.has_columns else content.results
        written = 0

        def report(rows: int) -> None:
            nonlocal written
            written = rows
            on_rows(rows, total)

        export_format.write(content, file, report)
    return written
