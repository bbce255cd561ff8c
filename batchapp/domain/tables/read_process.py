"""The process that reads one table: ``python -m batchapp.domain.tables.read_process``.

A table of a stranger may unpack to gigabytes, or take minutes to parse. This process reads such a
table from its standard input within the limits of memory and of processor time that its arguments
give, and knows neither Django nor any secret of the portal. It writes JSON, one value a line: the
head of the table, each row as a list, and at the end the totals or the refusal.
"""

import os
import resource
import signal
import sys
from typing import Any, BinaryIO

import msgspec

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables import table_reader
from batchapp.domain.tables.notices import TableNotice
from batchapp.domain.tables.read_options import ReadOptions

MIB = 1024 * 1024
MAX_ROWS_BYTES = 512 * MIB  # of all rows, as they are written; a small workbook may repeat a text
OUTPUT_BYTES = 256 * 1024
OUT_OF_MEMORY = 3  # the exit code if not even the refusal could be written


class ReadLimits(msgspec.Struct, frozen=True):
    """What a reading process may use: bytes of memory, and seconds of processor time."""

    memory_bytes: int
    seconds: int


class TableHead(msgspec.Struct, frozen=True):
    """What is known of a table before its rows are read."""

    read_as: ReadOptions
    sheets: list[str]
    columns: list[str]
    renamed: list[tuple[str, str]]


class TableTotals(msgspec.Struct, frozen=True):
    """What is known of a table when all its rows were read."""

    rows: int
    ragged: int
    error_cells: int
    notices: list[TableNotice]


class TableRefusal(msgspec.Struct, frozen=True):
    """The reason why a table cannot be read, or not to its end."""

    refusal: str
    data: dict[str, Any]


def main(arguments: list[str], source: BinaryIO, target: BinaryIO) -> None:
    """Read the table in ``source`` with the options and limits in ``arguments``, both as JSON."""
    options = msgspec.json.decode(arguments[0], type=ReadOptions)
    _limit(msgspec.json.decode(arguments[1], type=ReadLimits))
    try:
        _write_table(table_reader.read_table(source, options), target)
    except Refused as exc:
        refusal = TableRefusal(exc.code, exc.data)
    except MemoryError:
        refusal = TableRefusal(Refusal.TABLE_NEEDS_MEMORY, {})
    else:
        return
    target.write(msgspec.json.encode(refusal) + b"\n")


def _limit(limits: ReadLimits) -> None:
    """Let the system end this process beyond the limits, and write no file and no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))


def _write_table(table: table_reader.Table, target: BinaryIO) -> None:
    encode = msgspec.json.encode
    head = TableHead(table.read_as, table.sheets, table.columns, table.renamed)
    target.write(encode(head) + b"\n")
    written = 0
    for row in table:
        line = encode(row)
        written += len(line)
        if written > MAX_ROWS_BYTES:
            raise Refused(Refusal.TABLE_TEXT_TOO_MUCH, limit_mib=MAX_ROWS_BYTES // MIB)
        target.write(line + b"\n")
    totals = TableTotals(table.rows, table.ragged, table.error_cells, table.notices)
    target.write(encode(totals) + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    try:
        with open(0, "rb") as standard_input, open(1, "wb", OUTPUT_BYTES) as standard_output:
            main(sys.argv[1:], standard_input, standard_output)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
