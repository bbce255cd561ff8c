"""The formats of exports: each writes the rows of an export to a file, in a module of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from batchapp.services.results.exports import csv, joined_jsonl, parquet, raw_jsonl, xlsx
from batchapp.services.results.exports.content import ExportContent

# Writes all rows to the file, which need not be seekable, and reports how many are written.
Write = Callable[[ExportContent, BinaryIO, Callable[[int], None]], None]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format by its ``code``.

    ``has_columns`` says that the chosen columns are written, and not stored lines as a whole.
    """

    code: str
    write: Write
    ending: str
    content_type: str
    has_columns: bool = True


FORMATS = {
    export_format.code: export_format
    for export_format in (
        ExportFormat("csv", csv.write, ".csv", "text/csv; charset=utf-8"),
        ExportFormat(
            "xlsx",
            xlsx.write,
            ".xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        ExportFormat("parquet", parquet.write, ".parquet", "application/vnd.apache.parquet"),
        ExportFormat(
            "joined", joined_jsonl.write, ".jsonl", "application/jsonl", has_columns=False
        ),
        ExportFormat("raw", raw_jsonl.write, ".jsonl", "application/jsonl", has_columns=False),
    )
}
