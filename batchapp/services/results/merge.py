"""Merge the answers of a batch and its retries: the best answer to each request."""

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from batchapp import access
from batchapp.domain.results.best_attempt import ANSWERS, TIERS, outcomes_at_least_as_good
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Result, User
from batchapp.models.batches import lineage
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.reused_answers import (
    Source,
    follow_first_results,
    relabelled,
    source_of,
)

ROWS_AT_ONCE = 1_000  # small enough that no UPDATE blocks others long, and memory stays low
PIECE_BYTES = 256 * 1024  # smallest piece of a download

Blocks = Iterable["QuerySet[Result]"]  # of the results of one batch


def merge_answers(batch: Batch, renew_lease: Callable[[int], None] | None = None) -> None:
    """Point the requests of every batch that ``batch`` retries to their best answers.

    The newest of the best attempts counts, and a failure replaces nothing. Merging again, or in
    another order, gives the same. ``renew_lease`` is that of ``batch`` unless it is given.

    Raises:
        StaleRow: another worker has the row now; the pointers written so far are right.
    """
    renew_lease = renew_lease or batch.lease_renewer()
    batches = lineage.batch_and_retries(batch)
    for ancestor in lineage.ancestors(batch, batches):
        attempts = [retry.pk for retry in lineage.descendants(ancestor, batches)]
        for rows in Result.objects.filter(batch=batch).blocks(ROWS_AT_ONCE):
            answered = rows.filter(outcome__in=ANSWERS).values_list("custom_id", flat=True)
            _point(ancestor.results.filter(custom_id__in=list(answered)), attempts)
            renew_lease(0)
        follow_first_results(ancestor, attempts)
    if attempts := [retry.pk for retry in lineage.descendants(batch, batches)]:
        # The batch may have received answers of its own after its retries began.
        _point(batch.results.sent().filter(retried__isnull=False), attempts)
        follow_first_results(batch, attempts)


def count_recovered(batch: Batch) -> int:
    """Return how many requests of ``batch`` have a usable answer from a retry alone."""
    usable = batch.results.sent().filter(retried__outcome=Outcome.OK)
    return usable.exclude(outcome=Outcome.OK).count()


def list_attempts(
    batch: Batch, user: User, custom_id: str, retries: Iterable[UUID]
) -> list[Result]:
    """Return the results of one request in the batches ``retries``, the oldest first.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers were deleted.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    rows = Result.objects.filter(batch__in=list(retries), custom_id=custom_id)
    rows = rows.filter(batch__project=batch.project_id).order_by("batch__created_at")
    return list(rows.select_related("result_chunk", "batch__upload", "batch__project"))


def download(batch: Batch, user: User) -> Iterator[bytes]:
    """Return the best answer to each request of ``batch`` that has ended, in order, one a line.

    A request without an answer gets its newest error line; without an error line either, a line
    with its outcome. That of a request that was not sent has its own custom_id, and the field
    ``reused``, see ``relabelled``.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers were deleted.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    return _pieces(batch)


def lines_of(batch: Batch, blocks: Blocks, *, own: bool = False) -> Iterator[bytes]:
    """Yield the line of each ended request in ``blocks``, with its line end."""
    with ChunkFiles() as files:
        for block in positions(batch, blocks, own=own):
            ended = [position for position in block if position.outcome != Outcome.PENDING]
            files.load(position.chunk for position in ended if position.chunk)
            for position in ended:
                yield b"%s\n" % position.read(files)


def _pieces(batch: Batch) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines_of(batch, Result.objects.filter(batch=batch).blocks(ROWS_AT_ONCE)):
        piece += line
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


class Position(NamedTuple):
    """The positions of a request and of its result line.

    The request is in the file of the batch ``asked_in``; without bytes if it was deleted. The
    result line is in the chunk with primary key ``chunk``, None without one. ``source`` says whose
    answer it is if the request was not sent.
    """

    line: int
    custom_id: str
    asked_in: UUID
    request_at: int
    request_bytes: int
    outcome: str
    chunk: int | None
    start: int
    length: int
    source: Source | None

    def read(self, files: ChunkFiles) -> bytes:
        """Return the result line, or one made of the outcome; its chunk must be loaded.

        Raises:
            OSError: the stored file ends before the line does.
        """
        if not self.chunk:
            return _outcome_line(self)
        line = files.line(self.chunk, self.start, self.length)
        if len(line) < self.length:
            raise OSError(errno.EIO, f"The stored answer to {self.custom_id} is cut off")
        return relabelled(line, self.custom_id, self.source) if self.source else line


def positions(batch: Batch, blocks: Blocks, *, own: bool = False) -> Iterator[list[Position]]:
    """Yield the positions of the results in ``blocks``: of the best answer, or the newest error.

    With ``own``, those of ``batch`` alone count, without its retries.
    """
    retries = [] if own else _retries_of(batch)
    for block in blocks:
        rows = list(_read_rows(batch, block, own=own))
        failed = [row.custom_id for row in rows if row.attempt.outcome not in ANSWERS]
        errors = _newest_errors(retries, failed)
        yield [_position(row, errors.get(row.custom_id, row.attempt)) for row in rows]


class _Attempt(NamedTuple):
    """A result that may count for a request; the names are those of the columns."""

    batch_id: UUID
    request_at: int
    request_bytes: int
    outcome: str
    result_chunk_id: int | None
    answer_at: int | None
    answer_bytes: int | None


class _Row(NamedTuple):
    """A request of a batch with the result that counts, and its own position in the file."""

    line: int
    custom_id: str
    own: _Attempt
    attempt: _Attempt
    source: Source | None


OWN = ("line", "custom_id", *_Attempt._fields[1:])
RETRIED = (
    "retried__line",
    "retried__batch__name",
    *(f"retried__{name}" for name in _Attempt._fields),
)


def _read_rows(batch: Batch, block: "QuerySet[Result]", *, own: bool) -> Iterator[_Row]:
    """Read rows without model instances, whose making takes most of the time of an export."""
    batch_pk = batch.pk
    for line, custom_id, *values in block.values_list(*OWN, *(() if own else RETRIED)):
        attempt = _Attempt(batch_pk, *values[:6])
        if own or values[8] is None:
            yield _Row(line, custom_id, attempt, attempt, None)
            continue
        retried_line, batch_name, *retried = values[6:]
        answer, source = _Attempt(*retried), None
        if attempt.outcome == Outcome.REUSED:
            source = source_of(batch_pk, answer.batch_id, batch_name, retried_line)
        yield _Row(line, custom_id, attempt, answer, source)


def _retries_of(batch: Batch) -> list[UUID]:
    return [retry.pk for retry in lineage.descendants(batch, lineage.batch_and_retries(batch))]


def _newest_errors(retries: list[UUID], custom_ids: list[str]) -> dict[str, _Attempt]:
    """Return custom_id -> newest result of a retry that has a line."""
    if not retries or not custom_ids:
        return {}
    rows = Result.objects.filter(batch__in=retries, custom_id__in=custom_ids)
    rows = rows.filter(result_chunk__isnull=False).order_by("batch__created_at", "pk")
    columns = rows.values_list("custom_id", *_Attempt._fields)
    return {custom_id: _Attempt(*values) for custom_id, *values in columns}


def _position(row: _Row, answer: _Attempt) -> Position:
    request = answer if row.source else row.own
    return Position(
        row.line,
        row.custom_id,
        request.batch_id,
        request.request_at,
        request.request_bytes,
        answer.outcome,
        answer.result_chunk_id if answer.answer_bytes else None,
        answer.answer_at or 0,
        answer.answer_bytes or 0,
        row.source,
    )


def _outcome_line(position: Position) -> bytes:
    error = {"code": position.outcome, "message": f"{Outcome(position.outcome).label}."}
    line = {"id": None, "custom_id": position.custom_id, "response": None, "error": error}
    return msgspec.json.encode(line)


def _point(rows: "QuerySet[Result]", attempts: list[UUID]) -> None:
    """Set ``retried`` of ``rows`` to the best result of the batches ``attempts``, or to None."""
    # Update by primary keys: for a larger condition the database's plan depends on its
    # statistics, which do not know rows that were written just now.
    by_outcomes: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for pk, outcome in rows.order_by().values_list("pk", "outcome"):
        by_outcomes[outcomes_at_least_as_good(outcome)].append(pk)
    for outcomes, pks in by_outcomes.items():
        for start in range(0, len(pks), ROWS_AT_ONCE):
            block = Result.objects.filter(pk__in=pks[start : start + ROWS_AT_ONCE])
            block.update(retried=_best(attempts, outcomes))


def _best(attempts: list[UUID], outcomes: tuple[str, ...]) -> Subquery:
    tiers = [When(outcome__in=tier, then=Value(rank)) for rank, tier in enumerate(TIERS)]
    same = Result.objects.filter(custom_id=OuterRef("custom_id"), batch__in=attempts)
    candidates = same.filter(outcome__in=outcomes).annotate(tier=Case(*tiers, default=len(TIERS)))
    return Subquery(candidates.order_by("tier", "-batch__created_at", "-pk").values("pk")[:1])
