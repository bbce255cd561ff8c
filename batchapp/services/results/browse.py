"""Read results for pages: one request with its answer, counts, and whole files to download.

Functions that return what was asked or answered raise ``NotAllowed`` before they read anything.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.core.files.base import File
from django.db.models import Count, Subquery, Sum

from batchapp import access
from batchapp.domain.money.unit_prices import cost
from batchapp.domain.results.best_attempt import ANSWERS
from batchapp.domain.results.conversation import last_question
from batchapp.domain.results.outcome import FAILED, Outcome, preview, storable_text
from batchapp.models import Batch, Result, ResultChunk, UnmatchedLine, User

CHUNK_BYTES = 256 * 1024
MAX_TEXT_BYTES = 256 * 1024  # of one request or answer on a page; the download has all bytes
EXCERPT_LENGTH = 200  # characters of an unmatched line that a list shows
MAX_QUESTION_BYTES = 64 * 1024  # of a request whose question a list shows; images are longer
MAX_SORTED_LINES = 10_000  # in the newest chunk; among more, its newest answers are not searched
COUNTED_FAILURES = 500  # failed requests among which the most common error is searched


@dataclass(frozen=True, slots=True)
class ResultTexts:
    """One request and its answer as sent and received, each cut after ``MAX_TEXT_BYTES``."""

    result: Result
    request: str
    answer: str
    is_cut: bool


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
    with result.batch.upload.blob.open("rb") as blob:
        request = _slice(blob, result.request_at, result.request_bytes)
    answer = b""
    if result.result_chunk and result.answer_at is not None and result.answer_bytes:
        with result.result_chunk.blob.open("rb") as blob:
            answer = _slice(blob, result.answer_at, result.answer_bytes)
    return ResultTexts(
        result,
        request=request.decode(errors="replace"),
        answer=answer.decode(errors="replace"),
        is_cut=max(result.request_bytes, result.answer_bytes or 0) > MAX_TEXT_BYTES,
    )


def read_questions(batch: Batch, user: User, results: Iterable[Result]) -> dict[int, str]:
    """Map the lines of ``results`` to the beginning of what was asked; long requests have none."""
    access.require_see(user, batch.project)
    questions = {}
    try:
        with batch.upload.blob.open("rb") as blob:
            for result in results:
                if result.request_bytes <= MAX_QUESTION_BYTES:
                    request = _slice(blob, result.request_at, result.request_bytes)
                    questions[result.line] = preview(last_question(request))
    except OSError:  # the file is gone; its results are here
        return {}
    return questions


def cost_of(result: Result) -> Decimal | None:
    """Return what the answer costs at the prices kept with its batch; None if it is not known.

    It is exact; the cost of the batch is that of all answers, rounded once.
    """
    tokens = result.input_tokens, result.output_tokens
    row = result.batch.model_costs.filter(model=result.model).first()
    price = row.unit_price if row and Outcome(result.outcome).is_answer else None
    if price is None or tokens[0] is None or tokens[1] is None:
        return None
    return cost(tokens[0], tokens[1], price)


def count_outcomes(batch: Batch, *, with_retries: bool) -> dict[Outcome, int]:
    """Count the requests of ``batch`` by outcome, or by that of the answer that counts."""
    rows, field = batch.results.order_by(), "outcome"
    if with_retries:
        rows, field = rows.with_retries(), "merged"
    counts = dict(rows.values_list(field).annotate(Count("pk")))
    return {outcome: counts[outcome] for outcome in Outcome if counts.get(outcome)}


def read_answers(batch: Batch, user: User, number: int) -> list[Answered]:
    """Return the first good answers of ``batch``, or while it runs the newest ones.

    A batch without a good answer has doubtful ones instead, all of one outcome.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    rows = batch.results.order_by("line")
    if not batch.is_over:
        chunks = ResultChunk.objects.filter(provider_batch__batch=batch)
        newest = chunks.filter(kind=ResultChunk.Kind.OUTPUT).order_by("-pk").first()
        if newest and newest.lines <= MAX_SORTED_LINES:
            rows = rows.filter(result_chunk=newest).order_by("-answer_at")
    # The index gives the first rows of one outcome; those of several would have to be sorted.
    found = (list(rows.filter(outcome=outcome)[:number]) for outcome in ANSWERS)
    results = next(filter(None, found), [])
    questions = read_questions(batch, user, results)
    return [Answered(row, questions.get(row.line, "")) for row in results]


def download(batch: Batch, user: User, kind: ResultChunk.Kind) -> Iterator[bytes]:
    """Return the output or error lines of ``batch`` in pieces; each line once."""
    access.require_see(user, batch.project)
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
    """Return kind of chunk -> lines for ``download``, and the unmatched lines; one query."""
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
    rows = UnmatchedLine.objects.filter(provider_batch__batch=batch, pk__gt=after)
    excerpts = []
    for line in rows.select_related("result_chunk", "provider_batch").order_by("pk")[:limit]:
        with line.result_chunk.blob.open("rb") as blob:
            # A character has 4 bytes at most.
            piece = _slice(blob, line.answer_at, min(line.answer_bytes, 4 * EXCERPT_LENGTH))
        text = storable_text(piece.decode(errors="replace"))
        excerpts.append(UnmatchedExcerpt(line, text[:EXCERPT_LENGTH]))
    return excerpts


def download_unmatched(batch: Batch, user: User) -> Iterator[bytes]:
    """Return the unmatched lines of ``batch`` as received, in pieces; each line once."""
    access.require_see(user, batch.project)
    return _unmatched_pieces(batch)


def _unmatched_pieces(batch: Batch) -> Iterator[bytes]:
    lines = UnmatchedLine.objects.filter(provider_batch__batch=batch)
    lines = lines.select_related("result_chunk").order_by("pk")
    for line in lines.iterator(chunk_size=500):
        with line.result_chunk.blob.open("rb") as blob:
            blob.seek(line.answer_at)
            remaining = line.answer_bytes + 1  # with the newline
            while piece := blob.read(min(CHUNK_BYTES, remaining)):
                remaining -= len(piece)
                yield piece


def _slice(blob: "File[bytes]", start: int, length: int) -> bytes:
    blob.seek(start)
    piece: bytes = blob.read(min(length, MAX_TEXT_BYTES))
    return piece
