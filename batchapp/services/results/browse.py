"""Results for people: a request beside its answer, and whole files to download."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.core.files.base import File
from django.db.models import Count, Subquery, Sum

from batchapp.domain.results.outcome import FAILED, clean
from batchapp.models import Batch, Result, Segment, Stray

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
class Aside:
    """A line that was set aside, and its first 200 characters."""

    stray: Stray
    beginning: str


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


def common_failure(batch: Batch) -> str:
    """What the failed requests of ``batch`` say most often, judged by the first few hundred."""
    failed = batch.results.filter(outcome__in=FAILED).order_by()
    said = Counter(failed.values_list("error_code", "error_message")[:FAILURES_LOOKED_AT])
    ((code, message), _), *_ = said.most_common(1) or [(("", ""), 0)]
    return message or code


def stored(batch: Batch) -> tuple[dict[str, int], int]:
    """Kind of segment -> lines that ``download`` would give of it, and ``strays``; one query."""
    aside = Stray.objects.filter(part__batch=batch).order_by().values("part__batch")
    number = Subquery(aside.annotate(number=Count("pk")).values("number"))
    rows = Segment.objects.filter(part__batch=batch).order_by().values_list("kind")
    found = list(rows.annotate(Sum("lines"), strays=number))
    return {kind: size for kind, size, _ in found}, max(
        (each or 0 for *_, each in found), default=0
    )


def strays(batch: Batch) -> int:
    """How many result lines of ``batch`` are listed as no request's answer."""
    return Stray.objects.filter(part__batch=batch).count()


def set_aside(strays: "Iterable[Stray]") -> list[Aside]:
    """Each with the beginning of its line; ``segment`` should be at hand."""
    found = []
    for stray in strays:
        with stray.segment.blob.open("rb") as blob:
            piece = _slice(blob, stray.answer_at, min(stray.answer_bytes, 4 * BEGINNING))
        found.append(Aside(stray, clean(piece.decode(errors="replace"))[:BEGINNING]))
    return found


def download_set_aside(batch: Batch) -> Iterator[bytes]:
    """The lines of ``batch`` that were set aside, as they came, each once."""
    strays = Stray.objects.filter(part__batch=batch).select_related("segment").order_by("pk")
    for stray in strays.iterator(chunk_size=500):
        with stray.segment.blob.open("rb") as blob:
            blob.seek(stray.answer_at)
            left = stray.answer_bytes + 1  # with its end
            while piece := blob.read(min(CHUNK, left)):
                left -= len(piece)
                yield piece


def _pieces(segments: Iterable[Segment]) -> Iterator[bytes]:
    for segment in segments:
        with segment.blob.open("rb") as blob:
            while piece := blob.read(CHUNK):
                yield piece


def _slice(blob: "File[bytes]", start: int, length: int) -> bytes:
    blob.seek(start)
    piece: bytes = blob.read(min(length, LONGEST_SHOWN))
    return piece
