"""Export the lines of the provider as they came, one for each ended request."""

from collections.abc import Callable
from typing import BinaryIO

from batchapp.services.results import merge
from batchapp.services.results.exports.content import ExportContent


def write(content: ExportContent, file: BinaryIO, on_rows: Callable[[int], None]) -> None:
    """Write the best answer to each request, or its newest error, in the order of the file."""
    lines = merge.lines_of(content.batch, content.result_blocks(), own=content.is_own)
    for written, line in enumerate(lines, 1):
        file.write(line)
        on_rows(written)
