"""Results for people: a request beside its answer, and whole files to download."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.core.files.base import File
from django.db.models import Count, Subquery, Sum

from batchapp.domain.results.outcome import FAILED, clean
from batchapp.models import Batch, Result, ResultChunk, UnmatchedLine

CHUNK = 256 * 1024
FAILURES_LOOKED_AT = 500
LONGEST_SHOWN = 256 * 1024
"""Bytes of one request or answer that a page shows; the download has all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request and its answer as they went over the wire; each may be cut at LONGEST_SHOWN."""

    result: Result
    request: str
    answer: str
    is_cut: bool


BEGINNING = 200
"""Characters of a line that was set aside which a list shows."""


@dataclass(frozen=True, slots=True)
class UnmatchedExcerpt:
    """A line that was set aside, and its first 200 characters."""

    unmatched_line: UnmatchedLine
    beginning: str


def read_row(result: Result) -> Row:
    """Read one request and its answer from storage."""
    with result.batch.upload.blob.open("rb") as blob:
        request = _slice(blob, result.request_at, result.request_bytes)
    answer = b""
    if result.result_chunk and result.answer_at is not None and result.answer_bytes:
        with result.result_chunk.blob.open("rb") as blob:
            answer = _slice(blob, result.answer_at, result.answer_bytes)
    return Row(
        result,
        request=request.decode(errors="replace"),
        answer=answer.decode(errors="replace"),
        is_cut=max(result.request_bytes, result.answer_bytes or 0) > LONGEST_SHOWN,
    )


def download(batch: Batch, kind: ResultChunk.Kind) -> Iterator[bytes]:
    """The harvested output or error lines of ``batch``, in pieces; each line once."""
    result_chunks = ResultChunk.objects.filter(provider_batch__batch=batch, kind=kind).order_by(
        "provider_batch__number", "pk"
    )
    return _pieces(result_chunks)


def common_failure(batch: Batch) -> str:
    """What the failed requests of ``batch`` say most often, judged by the first few hundred."""
    failed = batch.results.filter(outcome__in=FAILED).order_by()
    said = Counter(failed.values_list("error_code", "error_message")[:FAILURES_LOOKED_AT])
    ((code, message), _), *_ = said.most_common(1) or [(("", ""), 0)]
    return message or code


def count_stored(batch: Batch) -> tuple[dict[str, int], int]:
    """Kind of segment -> lines that ``download`` would give of it, and ``strays``; one query."""
    aside = (
        UnmatchedLine.objects.filter(provider_batch__batch=batch)
        .order_by()
        .values("provider_batch__batch")
    )
    number = Subquery(aside.annotate(number=Count("pk")).values("number"))
    rows = ResultChunk.objects.filter(provider_batch__batch=batch).order_by().values_list("kind")
    found = list(rows.annotate(Sum("lines"), unmatched_lines=number))
    return {kind: size for kind, size, _ in found}, max(
        (each or 0 for *_, each in found), default=0
    )


def unmatched_lines(batch: Batch) -> int:
    """How many result lines of ``batch`` are listed as no request's answer."""
    return UnmatchedLine.objects.filter(provider_batch__batch=batch).count()


def unmatched_excerpts(unmatched_lines: "Iterable[UnmatchedLine]") -> list[UnmatchedExcerpt]:
    """Each with the beginning of its line; ``segment`` should be at hand."""
    found = []
    for unmatched_line in unmatched_lines:
        with unmatched_line.result_chunk.blob.open("rb") as blob:
            piece = _slice(
                blob, unmatched_line.answer_at, min(unmatched_line.answer_bytes, 4 * BEGINNING)
            )
        found.append(
            UnmatchedExcerpt(unmatched_line, clean(piece.decode(errors="replace"))[:BEGINNING])
        )
    return found


def download_unmatched(batch: Batch) -> Iterator[bytes]:
    """The lines of ``batch`` that were set aside, as they came, each once."""
    unmatched_lines = (
        UnmatchedLine.objects.filter(provider_batch__batch=batch)
        .select_related("result_chunk")
        .order_by("pk")
    )
    for unmatched_line in unmatched_lines.iterator(chunk_size=500):
        with unmatched_line.result_chunk.blob.open("rb") as blob:
            blob.seek(unmatched_line.answer_at)
            left = unmatched_line.answer_bytes + 1  # with its end
            while piece := blob.read(min(CHUNK, left)):
                left -= len(piece)
                yield piece


def _pieces(result_chunks: Iterable[ResultChunk]) -> Iterator[bytes]:
    for result_chunk in result_chunks:
        with result_chunk.blob.open("rb") as blob:
            while piece := blob.read(CHUNK):
                yield piece


def _slice(blob: "File[bytes]", start: int, length: int) -> bytes:
    blob.seek(start)
    piece: bytes = blob.read(min(length, LONGEST_SHOWN))
    return piece
