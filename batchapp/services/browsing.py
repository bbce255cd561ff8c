"""Results for people: a request beside its answer, and whole files to download."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.core.files.base import File
from django.db.models import Sum

from batchapp.models import Batch, Result, Segment

CHUNK = 256 * 1024
LONGEST_SHOWN = 256 * 1024
"""Bytes of one request or answer that a page shows; the download has all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request and its answer as they went over the wire; each may be cut at LONGEST_SHOWN."""

    result: Result
    request: str
    answer: str
    is_cut: bool


def row(result: Result) -> Row:
    """Read one request and its answer from storage."""
    with result.batch.upload.blob.open("rb") as blob:
        request = _slice(blob, result.request_at, result.request_bytes)
    answer = b""
    if result.segment and result.answer_at is not None and result.answer_bytes:
        with result.segment.blob.open("rb") as blob:
            answer = _slice(blob, result.answer_at, result.answer_bytes)
    return Row(
        result,
        request=request.decode(errors="replace"),
        answer=answer.decode(errors="replace"),
        is_cut=max(result.request_bytes, result.answer_bytes or 0) > LONGEST_SHOWN,
    )


def download(batch: Batch, kind: Segment.Kind) -> Iterator[bytes]:
    """The harvested output or error lines of ``batch``, in pieces; each line once."""
    segments = Segment.objects.filter(part__batch=batch, kind=kind).order_by("part__number", "pk")
    return _pieces(segments)


def lines(batch: Batch) -> dict[str, int]:
    """Kind of segment -> how many lines ``download`` would give of it."""
    rows = Segment.objects.filter(part__batch=batch).order_by().values_list("kind")
    return dict(rows.annotate(Sum("lines")))


def _pieces(segments: Iterable[Segment]) -> Iterator[bytes]:
    for segment in segments:
        with segment.blob.open("rb") as blob:
            while piece := blob.read(CHUNK):
                yield piece


def _slice(blob: "File[bytes]", start: int, length: int) -> bytes:
    blob.seek(start)
    piece: bytes = blob.read(min(length, LONGEST_SHOWN))
    return piece
