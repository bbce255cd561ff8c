"""Read results for pages: one request with its answer, counts, and whole files to download.

Functions that return what was asked or answered raise ``NotAllowed`` before they read anything,
and ``Refused`` if it was deleted.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from django.db.models import Count, Subquery, Sum
from django.db.models.fields.files import FieldFile

from batchapp import access
from batchapp.domain.money.unit_prices import cost
from batchapp.domain.results.best_attempt import ANSWERS
from batchapp.domain.results.conversation import last_question
from batchapp.domain.results.outcome import FAILED, Outcome, preview, storable_text
from batchapp.models import Batch, Result, ResultChunk, UnmatchedLine, User
from batchapp.models.row_blocks import by_key
from batchapp.storage import blobs
from batchapp.storage.blob_storage import ByteRange

CHUNK_BYTES = 256 * 1024
MAX_TEXT_BYTES = 256 * 1024  # of one request or answer on a page; the download has all bytes
MAX_WHOLE_BYTES = 16 * 1024 * 1024  # of a request whose messages and images are shown
EXCERPT_LENGTH = 200  # characters of an unmatched line that a list shows
MAX_QUESTION_BYTES = 64 * 1024  # of a request whose question a list shows; images are longer
MAX_SORTED_LINES = 10_000  # in the newest chunk; among more, its newest answers are not searched
COUNTED_FAILURES = 500  # failed requests among which the most common error is searched


@dataclass(frozen=True, slots=True)
class ResultTexts:
    """One request and its answer as sent and received, each cut after ``MAX_TEXT_BYTES``.

    If a stored file is gone, the text that was in it is "" and ``is_lost`` is set.
    """

    result: Result
    request: str
    answer: str
    is_cut: bool
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered request; ``question`` is the start of its last message, "" if unreadable."""

    result: Result
    question: str


@dataclass(frozen=True, slots=True)
class UnmatchedExcerpt:
    """An unmatched line and its first ``EXCERPT_LENGTH`` characters."""

    unmatched_line: UnmatchedLine
    beginning: str


def read_texts(result: Result, user: User) -> ResultTexts:
    """Read one request and its answer from storage."""
    access.require_see(user, result.batch.project)
    result.batch.require_content()
    length = min(result.request_bytes, MAX_TEXT_BYTES)
    request = _read_if_stored(result.batch.upload.blob, result.request_at, length)
    answer: bytes | None = b""
    if result.result_chunk and result.answer_at is not None and result.answer_bytes:
        length = min(result.answer_bytes, MAX_TEXT_BYTES)
        answer = _read_if_stored(result.result_chunk.blob, result.answer_at, length)
    return ResultTexts(
        result,
        request=(request or b"").decode(errors="replace"),
        answer=(answer or b"").decode(errors="replace"),
        is_cut=max(result.request_bytes, result.answer_bytes or 0) > MAX_TEXT_BYTES,
        is_lost=request is None or answer is None,
    )


def _read_if_stored(blob: FieldFile, start: int, length: int) -> bytes | None:
    """Return ``length`` bytes from ``start`` on, None if the file is gone."""
    try:
        return blobs.read_range(blob, start, length)
    except FileNotFoundError:
        return None


def read_request(result: Result, user: User) -> bytes:
    """Return one request as sent, b"" if it is lost or longer than ``MAX_WHOLE_BYTES``."""
    access.require_see(user, result.batch.project)
    result.batch.require_content()
    if result.request_bytes > MAX_WHOLE_BYTES:
        return b""
    blob = result.batch.upload.blob
    return _read_if_stored(blob, result.request_at, result.request_bytes) or b""


def read_questions(batch: Batch, user: User, results: Iterable[Result]) -> dict[int, str]:
    """Map the lines of ``results`` to the beginning of what was asked; long requests have none.

    A request that was not sent is read where its answer is. ``results`` are those of one page: the
    requests of all of them are in memory at once.
    """
    access.require_see(user, batch.project)
    line_rows = [(result.line, _request_of(result)) for result in results]
    line_rows = [(line, row) for line, row in line_rows if row.request_bytes <= MAX_QUESTION_BYTES]
    uploads = {batch.pk: batch.upload}
    if others := {row.batch_id for _, row in line_rows} - uploads.keys():
        rows = Batch.objects.filter(project=batch.project_id).select_related("upload")
        uploads |= {pk: other.upload for pk, other in rows.in_bulk(others).items()}
    questions: dict[int, str] = {}
    for pk, upload in uploads.items():
        shown = [(line, row) for line, row in line_rows if row.batch_id == pk]
        ranges = [ByteRange(row.request_at, row.request_bytes) for _, row in shown]
        with contextlib.suppress(OSError):  # the file may be gone; its results are here
            requests = blobs.read_ranges(upload.blob, ranges)
            for (line, _), request in zip(shown, requests, strict=True):
                questions[line] = preview(last_question(request))
    return questions


def _request_of(result: Result) -> Result:
    """Return the result whose bytes are those of the request of ``result``."""
    return result.best if result.outcome == Outcome.REUSED else result


def cost_of(result: Result) -> Decimal | None:
    """Return what the answer costs at the prices kept with its batch; None if it is not known.

    It is exact; the cost of the batch is that of all answers, rounded once.
    """
    row = result.batch.model_costs.filter(model=result.model).first()
    price = row.unit_price if row and Outcome(result.outcome).is_answer else None
    if price and price.cached_until and result.provider_batch:
        price = price.at(result.provider_batch.submitted_at)
    return cost(result.usage, price) if price and result.usage else None


def read_answers(batch: Batch, user: User, number: int) -> list[Answered]:
    """Return the first good answers of ``batch``, or while it runs the newest ones.

    A batch without a good answer has doubtful ones instead, all of one outcome.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers were deleted.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    rows = batch.results.order_by("line")
    if not batch.is_over:
        chunks = ResultChunk.objects.filter(provider_batch__batch=batch)
        newest = chunks.filter(kind=ResultChunk.Kind.OUTPUT).order_by("-pk").first()
        if newest and newest.lines <= MAX_SORTED_LINES:
            rows = rows.filter(result_chunk=newest).order_by("-answer_at")
    # The index gives the first rows of one outcome; those of several would have to be sorted.
    candidates = (list(rows.filter(outcome=outcome)[:number]) for outcome in ANSWERS)
    results = next(filter(None, candidates), [])
    questions = read_questions(batch, user, results)
    return [Answered(row, questions.get(row.line, "")) for row in results]


def download(batch: Batch, user: User, kind: ResultChunk.Kind) -> Iterator[bytes]:
    """Return the output or error lines of ``batch`` in pieces; each line once."""
    access.require_see(user, batch.project)
    batch.require_content()
    return _pieces(batch, kind)


def _pieces(batch: Batch, kind: ResultChunk.Kind) -> Iterator[bytes]:
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch, kind=kind)
    for chunk in chunks.order_by("provider_batch__number", "pk"):
        with chunk.blob.open("rb") as blob:
            while piece := blob.read(CHUNK_BYTES):
                yield piece


def most_common_error(batch: Batch, user: User, outcomes: Iterable[Outcome] = FAILED) -> str:
    """Return the most common error message, or code, of the first requests of ``outcomes``."""
    access.require_see(user, batch.project)
    failed = batch.results.filter(outcome__in=outcomes).order_by()
    errors = Counter(failed.values_list("error_code", "error_message")[:COUNTED_FAILURES])
    ((code, message), _), *_ = errors.most_common(1) or [(("", ""), 0)]
    return message or code


def count_stored(batch: Batch) -> tuple[dict[str, int], int]:
    """Return kind of chunk -> lines for ``download``, and the unmatched lines; one query.

    Once they are deleted, there are none.
    """
    if batch.purged_at:
        return {}, 0
    unmatched = UnmatchedLine.objects.filter(provider_batch__batch=batch).order_by()
    number = unmatched.values("provider_batch__batch").annotate(number=Count("pk"))
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch).order_by()
    rows = chunks.values_list("kind").annotate(
        Sum("lines"), number=Subquery(number.values("number"))
    )
    counts = list(rows)
    lines = {kind: lines for kind, lines, _ in counts}
    return lines, max((number or 0 for *_, number in counts), default=0)


def count_unmatched(batch: Batch) -> int:
    return UnmatchedLine.objects.filter(provider_batch__batch=batch).count()


def read_unmatched_excerpts(
    batch: Batch, user: User, *, after: int = 0, limit: int
) -> list[UnmatchedExcerpt]:
    """Read the beginning of up to ``limit`` unmatched lines with a primary key above ``after``."""
    access.require_see(user, batch.project)
    batch.require_content()
    rows = UnmatchedLine.objects.filter(provider_batch__batch=batch, pk__gt=after)
    rows = rows.select_related("result_chunk", "provider_batch").order_by("pk")[:limit]
    excerpts: list[UnmatchedExcerpt] = []
    for result_chunk, group in groupby(rows, key=lambda line: line.result_chunk):
        lines = list(group)
        # A character has 4 bytes at most.
        pieces = blobs.read_ranges(
            result_chunk.blob,
            [
                ByteRange(line.answer_at, min(line.answer_bytes, 4 * EXCERPT_LENGTH))
                for line in lines
            ],
        )
        texts = [storable_text(piece.decode(errors="replace")) for piece in pieces]
        excerpts += map(UnmatchedExcerpt, lines, (text[:EXCERPT_LENGTH] for text in texts))
    return excerpts


def download_unmatched(batch: Batch, user: User) -> Iterator[bytes]:
    """Return the unmatched lines of ``batch`` as received, in pieces; each line once."""
    access.require_see(user, batch.project)
    batch.require_content()
    return _unmatched_pieces(batch)


def _unmatched_pieces(batch: Batch) -> Iterator[bytes]:
    lines = UnmatchedLine.objects.filter(provider_batch__batch=batch)
    rows = by_key(lines.select_related("result_chunk"))
    for result_chunk, group in groupby(rows, key=lambda line: line.result_chunk):
        with result_chunk.blob.open("rb") as blob:
            for line in group:
                blob.seek(line.answer_at)
                remaining = line.answer_bytes + 1  # with the newline
                while piece := blob.read(min(CHUNK_BYTES, remaining)):
                    remaining -= len(piece)
                    yield piece
