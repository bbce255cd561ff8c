"""Read tables that are text, in any encoding."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables import csv_rows, encodings, json_rows
from batchapp.domain.tables.csv_dialect import Dialect, detect_dialect
from batchapp.domain.tables.header_row import Row
from batchapp.domain.tables.read_options import ReadOptions


def read_csv(source: BinaryIO, options: ReadOptions) -> tuple[ReadOptions, Iterator[Row]]:
    """Return how CSV or TSV in ``source`` is read, and its rows.

    Raises:
        Refused: the text cannot be read, found here or while iterating.
    """
    encoding = options.encoding or encodings.detect_encoding(source)
    with _open_text(source, encoding) as text:
        dialect = detect_dialect(text, options)
    read_as = options._replace(
        encoding=encoding,
        separator=dialect.separator,
        header_row=dialect.header_row,
        quoting=dialect.quoting,
    )
    return read_as, _csv_rows(source, encoding, dialect)


def _csv_rows(source: BinaryIO, encoding: str, dialect: Dialect) -> Iterator[Row]:
    with _open_text(source, encoding) as text:
        yield from csv_rows.read_rows(text, dialect)


def read_json(
    source: BinaryIO, options: ReadOptions
) -> tuple[ReadOptions, Iterator[Row], list[str]]:
    """Return how the JSON objects in ``source`` are read, their rows, and their columns.

    Raises:
        Refused: the text cannot be read, found here or while iterating.
    """
    encoding = options.encoding or encodings.detect_encoding(source)
    with _open_text(source, encoding) as text:
        paths = json_rows.read_paths(text)
    names = [path.name.strip() or f"column {number}" for number, path in enumerate(paths, 1)]
    read_as = ReadOptions(encoding=encoding, empty_words=options.empty_words)
    return read_as, _json_rows(source, encoding, paths), names


def _json_rows(source: BinaryIO, encoding: str, paths: list[json_rows.Path]) -> Iterator[Row]:
    with _open_text(source, encoding) as text:
        yield from json_rows.read_rows(text, paths)


@contextmanager
def _open_text(source: BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Open ``source`` as text from its beginning, and leave it open at the end."""
    source.seek(0)
    try:
        text = io.TextIOWrapper(source, encoding=encoding, newline="")
    except LookupError as exc:
        raise Refused(Refusal.TABLE_ENCODING_UNKNOWN, encoding=presentable(encoding)) from exc
    try:
        yield text
    except UnicodeError as exc:
        reason = exc.reason if isinstance(exc, UnicodeDecodeError) else str(exc)
        name = encodings.ENCODING_NAMES.get(encoding, encoding)
        raise Refused(Refusal.TABLE_NOT_TEXT, encoding=name, reason=reason) from exc
    finally:
        if not text.closed:
            text.detach()  # otherwise the wrapper would close the caller's file
