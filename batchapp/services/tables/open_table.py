"""Read a table in a process of its own, which ends when it needs too much memory or time."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import msgspec
from django.conf import settings

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables.read_options import DETECT_ALL, ReadOptions
from batchapp.domain.tables.read_process import (
    MIB,
    OUT_OF_MEMORY,
    OUTPUT_BYTES,
    ReadLimits,
    TableHead,
    TableRefusal,
    TableTotals,
)

MODULE = "batchapp.domain.tables.read_process"
MEMORY_BYTES = 288 * MIB  # enough for all texts of the largest workbooks that are accepted

# Seconds of processor time. An ordinary workbook takes one second a MiB: as much again and more
# leaves room for slow machines, and ends a small file that was made to take minutes.
SECONDS, SECONDS_PER_MIB = 5, 4

# The process gets no other variable: the environment of the portal holds its secrets.
VARIABLES = ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SYSTEMROOT", "LD_LIBRARY_PATH")


class ReadingEnded(Exception):
    """The process ended for a reason outside the table, such as a shutdown; reading can retry."""


class OpenTable:
    """A table whose rows arrive from the process; they can be iterated once.

    ``totals`` are there when all rows were read.
    """

    def __init__(self, lines: Iterator[bytes], process: "_Process") -> None:
        self._lines = lines
        self._process = process
        self.totals = TableTotals(0, 0, 0, [])
        self.head = msgspec.json.decode(self._next_line(), type=TableHead)

    def json_rows(self) -> Iterator[bytes]:
        """Yield each row as a JSON list on a line of its own.

        Raises:
            Refused: the table cannot be read to its end.
            ReadingEnded: see there.
        """
        while (line := self._next_line()).startswith(b"["):
            yield line
        self.totals = msgspec.json.decode(line, type=TableTotals)

    def __iter__(self) -> Iterator[list[str]]:
        decode = msgspec.json.Decoder(list[str]).decode
        for line in self.json_rows():
            yield decode(line)

    def _next_line(self) -> bytes:
        line = next(self._lines, b"")
        if not line.endswith(b"\n"):
            raise self._process.reason_of_end()
        if line.startswith(b'{"refusal":'):
            refusal = msgspec.json.decode(line, type=TableRefusal)
            raise Refused(Refusal(refusal.refusal), **refusal.data)
        return line


@contextmanager
def open_table(source: IO[bytes], options: ReadOptions = DETECT_ALL) -> Iterator[OpenTable]:
    """Start to read the table in ``source``; the process is over when the context ends.

    Raises:
        Refused: there is no readable table.
        ReadingEnded: the process was ended from outside.
    """
    with _as_file(source) as file:
        process = _Process(file, options)
        try:
            yield OpenTable(iter(process.output), process)
        finally:
            process.end()


class _Process:
    def __init__(self, file: BinaryIO, options: ReadOptions) -> None:
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        self.seconds = SECONDS + SECONDS_PER_MIB * size // MIB
        limits = ReadLimits(MEMORY_BYTES, self.seconds)
        arguments = [msgspec.json.encode(value).decode() for value in (options, limits)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *arguments],
            bufsize=OUTPUT_BYTES,
            stdin=file.fileno(),
            stdout=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env={name: os.environ[name] for name in VARIABLES if name in os.environ},
        )

    @property
    def output(self) -> IO[bytes]:
        return self._process.stdout or io.BytesIO()

    def reason_of_end(self) -> Exception:
        """Return why the process ended before the last line: a limit, or something outside."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return Refused(Refusal.TABLE_TOOK_TOO_LONG, seconds=self.seconds)
        if code in {OUT_OF_MEMORY, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS}:
            return Refused(Refusal.TABLE_NEEDS_MEMORY)
        return ReadingEnded(f"the process that reads a table ended with {code}")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.output.close()


@contextmanager
def _as_file(source: IO[bytes]) -> Iterator[BinaryIO]:
    """Yield ``source`` as a file of the system, which a process can inherit."""
    try:
        source.fileno()
    except (OSError, AttributeError):
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
            source.seek(0)
            while chunk := source.read(MIB):
                copy.write(chunk)
            copy.flush()
            yield copy
    else:
        yield source  # type: ignore[misc]
