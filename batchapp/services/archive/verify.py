"""Prove every stored file against its checksum, and every result against its files."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, NamedTuple

import msgspec
from django.db.models.fields.files import FieldFile

from batchapp.domain.results.outcome import (
    AnswerEnd,
    MalformedLine,
    Outcome,
    read_end,
    storable_text,
)
from batchapp.models import Batch, Project, Result, ResultChunk, UnmatchedLine
from batchapp.services.archive.result_counts import differing_counts
from batchapp.services.archive.stored_files import (
    StoredFile,
    blocks_of,
    orphans,
    read_content,
    stored_files,
    stored_files_of,
)
from batchapp.storage import blobs
from batchapp.storage.blob_storage import StorageUnavailable
from batchapp.storage.local_reader import LocalReader

LINES_AT_ONCE = 2_000
MAX_REFUSED = 3  # files in a row; the others would be refused as well, each after long waits
MAX_ROWS_NAMED = 5  # of one batch and one kind of difference; the others are counted


@unique
class DifferenceCode(StrEnum):
    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    FILE_CHANGED = "file_changed"
    LINES_DIFFER = "lines_differ"
    REQUEST_DIFFERS = "request_differs"
    ANSWER_DIFFERS = "answer_differs"
    RESULTS_DIFFER = "results_differ"
    ORPHAN = "orphan"


class Difference(NamedTuple):
    """Something that is not as the rows say; ``data`` names it, as JSON."""

    code: DifferenceCode
    data: dict[str, Any]


@dataclass
class Progress:
    """The counts so far; ``unrecorded`` counts the files whose rows have no checksum."""

    files: int = 0
    bytes: int = 0
    batches: int = 0
    results: int = 0
    unrecorded: int = 0
    recorded: int = 0
    on_change: Callable[["Progress"], None] = field(default=lambda _: None, repr=False)


def verify_files(
    project: Project | None, progress: Progress, *, record: bool = False
) -> Iterator[Difference]:
    """Read every stored file once, and yield those that differ from what their rows say.

    With ``record``, the checksums of files whose rows have none are written down.

    Raises:
        StorageUnavailable: the storage did not give several files in a row; verify again later.
    """
    refused = 0
    for stored in stored_files(project):
        try:
            difference = _file_difference(stored, progress, record=record)
            refused = 0
        except StorageUnavailable as exc:
            refused += 1
            if refused == MAX_REFUSED:
                raise
            difference = _unreadable(stored, exc)
        if difference and stored.is_current():
            yield difference
        progress.files += 1
        progress.on_change(progress)


def verify_files_of(batch: Batch) -> Iterator[Difference]:
    """Do as ``verify_files`` for the files that the results of ``batch`` are read from."""
    for stored in stored_files_of(batch):
        if difference := _file_difference(stored, Progress(), record=False):
            yield difference


def _unreadable(stored: StoredFile, exc: OSError) -> Difference:
    facts = {**_file_facts(stored), "reason": exc.strerror or str(exc)}
    return Difference(DifferenceCode.FILE_UNREADABLE, facts)


def _file_difference(stored: StoredFile, progress: Progress, *, record: bool) -> Difference | None:
    facts = _file_facts(stored)
    try:
        content = read_content(stored.blob)
    except FileNotFoundError:
        return Difference(DifferenceCode.FILE_MISSING, facts)
    except StorageUnavailable:
        raise
    except OSError as exc:
        return _unreadable(stored, exc)
    progress.bytes += content.size
    has_other_size = stored.size not in {None, content.size}
    if has_other_size or stored.checksum not in {"", content.checksum}:
        sizes = {"size": stored.size, "found_size": content.size}
        return Difference(DifferenceCode.FILE_CHANGED, {**facts, **sizes})
    if isinstance(stored.row, ResultChunk) and stored.row.lines != content.lines:
        counts = {"lines": stored.row.lines, "found_lines": content.lines}
        return Difference(DifferenceCode.LINES_DIFFER, {**facts, **counts})
    if not stored.checksum and record:
        stored.record_checksum(content.checksum)
        progress.recorded += 1
    elif not stored.checksum:
        progress.unrecorded += 1
    return None


def _file_facts(stored: StoredFile) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": stored.name, "kind": stored.row._meta.verbose_name}
    if isinstance(stored.row, ResultChunk):
        return {**facts, "batch": str(stored.row.provider_batch.batch_id)}
    return {**facts, "id": str(stored.row.pk), "title": str(stored.row)}


def verify_results(project: Project | None, progress: Progress) -> Iterator[Difference]:
    """Compare every result with the bytes of its request and of its answer.

    Files that are missing are left out here: ``verify_files`` names them.
    """
    batches = Batch.objects.select_related("upload")
    batches = batches.filter(project=project) if project else batches
    for block in blocks_of(batches):
        for batch in block:
            yield from verify_results_of(batch)
            progress.batches += 1
            progress.results += batch.requests
            progress.on_change(progress)


def verify_results_of(batch: Batch) -> Iterator[Difference]:
    """Do as ``verify_results`` for one batch; one whose content was deleted has none."""
    if batch.purged_at:
        return
    yield from _few_of_each(batch, _request_differences(batch))
    yield from _few_of_each(batch, _answer_differences(batch))
    yield from _count_differences(batch)


def _few_of_each(batch: Batch, differences: Iterator[Difference]) -> Iterator[Difference]:
    """Yield the first differences of each code, and how many more there are."""
    numbers: Counter[DifferenceCode] = Counter()
    for difference in differences:
        numbers[difference.code] += 1
        if numbers[difference.code] <= MAX_ROWS_NAMED:
            yield difference
    for code, number in numbers.items():
        if more := max(0, number - MAX_ROWS_NAMED):
            yield Difference(code, {"batch": str(batch.pk), "more": more})


class _Request(msgspec.Struct):
    custom_id: str


_decode_request = msgspec.json.Decoder(_Request).decode


def _request_differences(batch: Batch) -> Iterator[Difference]:
    columns = ("line", "custom_id", "request_at", "request_bytes")
    with _opened(batch.upload.blob) as file:
        if file is None:
            return
        for block in batch.results.sent().blocks(LINES_AT_ONCE):
            for line, custom_id, start, length in list(block.values_list(*columns)):
                if _custom_id_of(file.read(start, length)) != custom_id:
                    yield _row_difference(
                        DifferenceCode.REQUEST_DIFFERS,
                        batch,
                        *(line, custom_id),
                        where=(batch.upload.blob.name, start, length),
                    )


def _custom_id_of(request: bytes) -> str | None:
    try:
        return _decode_request(request).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _ResultRow(NamedTuple):
    """What a row says of its answer; the names are those of the columns."""

    line: int
    custom_id: str
    outcome: str
    input_tokens: int | None
    output_tokens: int | None
    answer_at: int
    answer_bytes: int | None


def _answer_differences(batch: Batch) -> Iterator[Difference]:
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch)
    for block in blocks_of(chunks):
        for chunk in block:
            with _opened(chunk.blob) as file:
                if file is not None:
                    yield from _differing_answers(file, chunk, batch)
                    yield from _differing_unmatched(file, chunk, batch)
    unstored = batch.results.filter(answer_at__isnull=False, result_chunk=None)
    for line, custom_id in unstored.values_list("line", "custom_id"):
        yield _row_difference(DifferenceCode.ANSWER_DIFFERS, batch, line, custom_id)


def _differing_answers(
    file: LocalReader, chunk: ResultChunk, batch: Batch
) -> Iterator[Difference]:
    # Without model instances, whose making takes most of the time of a run.
    rows = Result.objects.filter(result_chunk=chunk).order_by("answer_at")
    for result in map(_ResultRow._make, rows.values_list(*_ResultRow._fields)):
        length = result.answer_bytes or 0
        end = _end_of(file.read(result.answer_at or 0, length))
        if end is None or not _agrees(result, end):
            where = chunk.blob.name, result.answer_at, length
            yield _row_difference(
                DifferenceCode.ANSWER_DIFFERS, batch, result.line, result.custom_id, where=where
            )


def _end_of(line: bytes) -> AnswerEnd | None:
    try:
        return read_end(line)
    except MalformedLine:
        return None


def _agrees(result: _ResultRow, end: AnswerEnd) -> bool:
    """Return True if the row says what the line says: whose answer it is, its end and tokens."""
    is_same_end = end.outcome == result.outcome or (
        end.outcome == Outcome.OK and result.outcome == Outcome.INVALID_SCHEMA
    )
    tokens = end.input_tokens, end.output_tokens
    return (
        is_same_end
        and end.custom_id == storable_text(result.custom_id)
        and tokens == (result.input_tokens, result.output_tokens)
    )


def _differing_unmatched(
    file: LocalReader, chunk: ResultChunk, batch: Batch
) -> Iterator[Difference]:
    lines = UnmatchedLine.objects.filter(result_chunk=chunk).order_by("answer_at")
    for custom_id, start, length in lines.values_list("custom_id", "answer_at", "answer_bytes"):
        stored = file.read(start, length + 1)
        if len(stored) != length + 1 or stored.find(b"\n") != length:
            yield _row_difference(
                DifferenceCode.ANSWER_DIFFERS,
                batch,
                None,
                custom_id,
                where=(chunk.blob.name, start, length),
            )


def _row_difference(
    code: DifferenceCode,
    batch: Batch,
    line: int | None,
    custom_id: str,
    *,
    where: tuple[str | None, int | None, int | None] = (None, None, None),
) -> Difference:
    """Name a result by its ``line``, None for an unmatched line.

    ``where`` are the file, the position and the length of its bytes, as far as the row says them.
    """
    file, at, length = where
    facts = {"line": line, "custom_id": custom_id, "file": file, "at": at, "bytes": length}
    return Difference(code, {"batch": str(batch.pk), **facts})


def _count_differences(batch: Batch) -> Iterator[Difference]:
    if differing := differing_counts(batch):
        data = {"batch": str(batch.pk), "name": batch.name, "counts": differing}
        yield Difference(DifferenceCode.RESULTS_DIFFER, data)


@contextmanager
def _opened(blob: FieldFile) -> Iterator[LocalReader | None]:
    """Open a local file with the bytes of ``blob``, None if it is missing, which is named once."""
    with ExitStack() as stack:
        try:
            path = stack.enter_context(blobs.local_path(blob))
            file = stack.enter_context(path.open("rb"))
        except OSError:
            yield None
            return
        yield LocalReader(file)


def verify_orphans() -> Iterator[Difference]:
    """Yield each file in storage that no row refers to."""
    for name, size in orphans():
        yield Difference(DifferenceCode.ORPHAN, {"file": name, "bytes": size})
