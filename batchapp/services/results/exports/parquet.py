"""Export as Parquet, with types: texts, whole and decimal numbers, and embeddings as lists."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from batchapp.domain.results.export_settings import unique_names
from batchapp.domain.results.outcome import MalformedLine, answer_embeddings
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.exports.content import ExportContent
from batchapp.services.results.exports.export_columns import ExportColumn

ROWS_PER_GROUP = 20_000  # a group is in memory as a whole
EMBEDDINGS = "/v1/embeddings"
# Types of numbers in fields of answers, in this order: the first that keeps every value. A number
# with more digits than a DOUBLE keeps stays a text.
WHOLE_TYPES = ("BIGINT", "DECIMAL(38, 0)")
MAX_DIGITS = 15


def write(content: ExportContent, file: BinaryIO, on_rows: Callable[[int], None]) -> None:
    columns = [(column.name, _typed(content, column)) for column in content.columns]
    if content.batch.endpoint == EMBEDDINGS:
        columns.append(_embeddings(content))
    names = unique_names([name for name, _ in columns], ignore_case=True)
    selected = [
        f"{expression} AS {_quoted(name)}"
        for name, (_, expression) in zip(names, columns, strict=True)
    ]
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder, "results.parquet")
        content.execute(
            f"COPY ({content.select(selected)}) TO '{_escaped(str(path))}' "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP})",
            content.parameters,
        )
        with path.open("rb") as written:
            shutil.copyfileobj(written, file)
    on_rows(content.total)


def _typed(content: ExportContent, column: ExportColumn) -> str:
    expression = content.expression(column)
    if column.key == "outcome":
        return f"CAST({expression} AS VARCHAR)"
    if column.kind == "boolean":
        return f"TRY_CAST({expression} AS BOOLEAN)"
    if column.kind != "number":
        return expression
    for kind in WHOLE_TYPES:
        if content.holds_for_all(
            f"regexp_full_match({expression}, '-?[0-9]+') AND "
            f"TRY_CAST({expression} AS {kind}) IS NOT NULL",
            expression,
        ):
            return f"CAST({expression} AS {kind})"
    digits = (
        f"ltrim(regexp_replace(split_part(lower({expression}), 'e', 1), '[-.]', '', 'g'), '0')"
    )
    if content.holds_for_all(
        f"length({digits}) <= {MAX_DIGITS} AND isfinite(TRY_CAST({expression} AS DOUBLE))",
        expression,
    ):
        return f"CAST({expression} AS DOUBLE)"
    return expression


def _embeddings(content: ExportContent) -> tuple[str, str]:
    """Return name and SQL of a column of embeddings: a list of numbers for each request.

    Where a request has several texts, the value is a list of such lists.
    """
    content.add_table("embeddings (line INTEGER, numbers DOUBLE[][])", _numbers(content))
    if content.holds_for_all("len(embeddings.numbers) = 1", "embeddings.numbers"):
        return "embedding", "embeddings.numbers[1]"
    return "embeddings", "embeddings.numbers"


def _numbers(content: ExportContent) -> Iterator[list[tuple[Any, ...]]]:
    with ChunkFiles() as files:
        for positions in content.positions():
            files.load(position.chunk for position in positions if position.chunk)
            for position in positions:
                with suppress(MalformedLine):  # its bytes were damaged after the harvest
                    if numbers := answer_embeddings(position.read(files)):
                        yield [(position.line, numbers)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "\N{REPLACEMENT CHARACTER}") + '"'


def _escaped(text: str) -> str:
    return text.replace("'", "''")
