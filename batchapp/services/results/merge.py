"""Merge the answers of a batch and its retries: the best answer to each request."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import msgspec
from django.core.files.base import File
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from batchapp import access
from batchapp.domain.results.best_attempt import ANSWERS, TIERS, outcomes_at_least_as_good
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Result, ResultChunk, User
from batchapp.models.batches import lineage

ROWS_AT_ONCE = 1_000  # small enough that no UPDATE blocks others long, and memory stays low
PIECE_BYTES = 256 * 1024  # smallest piece of a download
MAX_OPEN_FILES = 32  # result files of one download; it alternates between several batches


def merge_answers(batch: Batch) -> None:
    """Point the requests of every batch that ``batch`` retries to their best answers.

    The newest of the best attempts counts, and a failure replaces nothing. Merging again, or in
    another order, gives the same.

    Raises:
        StaleRow: another worker has the row now; the pointers written so far are right.
    """
    renew_lease, batches = batch.lease_renewer(), lineage.batch_and_retries(batch)
    for ancestor in lineage.ancestors(batch, batches):
        attempts = [retry.pk for retry in lineage.descendants(ancestor, batches)]
        for rows in Result.objects.filter(batch=batch).blocks(ROWS_AT_ONCE):
            answered = rows.filter(outcome__in=ANSWERS).values_list("custom_id", flat=True)
            _point(ancestor.results.filter(custom_id__in=list(answered)), attempts)
            renew_lease(0)
    if attempts := [retry.pk for retry in lineage.descendants(batch, batches)]:
        # The batch may have received answers of its own after its retries began.
        _point(batch.results.filter(retried__isnull=False), attempts)


def count_recovered(batch: Batch) -> int:
    """Return how many requests of ``batch`` have an answer from a retry alone."""
    return batch.results.filter(retried__isnull=False).exclude(outcome__in=ANSWERS).count()


def list_attempts(
    batch: Batch, user: User, custom_id: str, retries: Iterable[UUID]
) -> list[Result]:
    """Return the results of one request in the batches ``retries``, the oldest first.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    rows = Result.objects.filter(batch__in=list(retries), custom_id=custom_id)
    rows = rows.filter(batch__project=batch.project_id).order_by("batch__created_at")
    return list(rows.select_related("result_chunk", "batch__upload", "batch__project"))


def download(batch: Batch, user: User) -> Iterator[bytes]:
    """Return the best answer to each request of ``batch`` that has ended, in order, one a line.

    A request without an answer gets its newest error line; without an error line either, a line
    with its outcome.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    return _pieces(batch)


def _pieces(batch: Batch) -> Iterator[bytes]:
    retries = [retry.pk for retry in lineage.descendants(batch, lineage.batch_and_retries(batch))]
    piece = bytearray()
    with _ChunkFiles() as files:
        for positions in _positions(batch, retries):
            files.load(position.chunk for position in positions if position.chunk)
            for position in positions:
                piece += files.line(position) if position.chunk else _outcome_line(position)
                piece += b"\n"
                if len(piece) >= PIECE_BYTES:
                    yield bytes(piece)
                    piece.clear()
    yield bytes(piece)


class _Position(NamedTuple):
    """The position of a result line in the chunk with primary key ``chunk``, None without one."""

    custom_id: str
    outcome: str
    chunk: int | None
    start: int
    length: int


class _ChunkFiles:
    """Read lines of several result files in any order, with few files open at a time."""

    def __init__(self) -> None:
        self._chunks: dict[int, ResultChunk] = {}
        self._open: OrderedDict[int, File[bytes]] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        for blob in self._open.values():
            blob.close()

    def load(self, pks: Iterable[int]) -> None:
        """Load the rows of these chunks with one query, before their lines are read."""
        if missing := set(pks) - self._chunks.keys():
            self._chunks |= ResultChunk.objects.in_bulk(missing)

    def line(self, position: _Position) -> bytes:
        assert position.chunk  # noqa: S101  # the caller's promise
        blob = self._open.pop(position.chunk, None)
        if blob is None:
            blob = self._chunks[position.chunk].blob.open("rb")
        self._open[position.chunk] = blob
        if len(self._open) > MAX_OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        blob.seek(position.start)
        line: bytes = blob.read(position.length)
        return line


def _positions(batch: Batch, retries: list[UUID]) -> Iterator[list[_Position]]:
    rows = Result.objects.filter(batch=batch)
    columns = ("custom_id", "outcome", "result_chunk_id", "answer_at", "answer_bytes")
    both = [*columns, *(f"retried__{name}" for name in columns)]
    rows = rows.select_related("retried").only("line", *both)
    for block in rows.blocks(ROWS_AT_ONCE):
        ended = [row for row in block if row.best.outcome != Outcome.PENDING]
        failed = [row.custom_id for row in ended if row.best.outcome not in ANSWERS]
        errors = _newest_errors(retries, failed)
        yield [_position(errors.get(row.custom_id, row.best), row.custom_id) for row in ended]


def _newest_errors(retries: list[UUID], custom_ids: list[str]) -> dict[str, Result]:
    """Return custom_id -> newest result of a retry that has a line."""
    if not retries or not custom_ids:
        return {}
    rows = Result.objects.filter(batch__in=retries, custom_id__in=custom_ids)
    rows = rows.filter(result_chunk__isnull=False).order_by("batch__created_at", "pk")
    return {row.custom_id: row for row in rows}


def _position(row: Result, custom_id: str) -> _Position:
    chunk = row.result_chunk_id if row.answer_bytes else None
    return _Position(custom_id, row.outcome, chunk, row.answer_at or 0, row.answer_bytes or 0)


def _outcome_line(position: _Position) -> bytes:
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
