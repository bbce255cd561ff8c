"""A batch and its retries as one: the best answer to each request, wherever it came from."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import msgspec
from django.core.files.base import File
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from batchapp.domain.results.best_attempt import ANSWERS, TIERS, at_least_as_good_as
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Result, ResultChunk
from batchapp.models.batches import lineage

ROWS_AT_ONCE = 1_000
"""So that no UPDATE keeps others waiting, and no page of a download fills the memory."""

PIECE = 256 * 1024
"""Bytes that a download hands on together."""

FILES_OPEN = 32
"""Of the results that a download goes through; of several batches they are read in turns."""


def merge(batch: Batch) -> None:
    """Let every batch that ``batch`` retries point to its answers, where they are the best.

    The newest of the best attempts counts, and no failure takes the place of anything. Doing it
    again, or in another order, comes to the same.

    Raises:
        StaleRow: another worker has it now; what was written is right.
    """
    alive, family = batch.lease_renewer(), lineage.family(batch)
    for ancestor in lineage.ancestors(batch, family):
        attempts = [each.pk for each in lineage.descendants(ancestor, family)]
        for rows in Result.objects.filter(batch=batch).stretches(ROWS_AT_ONCE):
            answered = rows.filter(outcome__in=ANSWERS).values_list("custom_id", flat=True)
            _point(ancestor.results.filter(custom_id__in=list(answered)), attempts)
            alive(0)
    if attempts := [each.pk for each in lineage.descendants(batch, family)]:
        # It went on after it was retried, and may have answers of its own by now.
        _point(batch.results.filter(retried__isnull=False), attempts)


def recovered(batch: Batch) -> int:
    """How many requests of ``batch`` have an answer from a retry alone."""
    return batch.results.filter(retried__isnull=False).exclude(outcome__in=ANSWERS).count()


def attempts(custom_id: str, retries: Iterable[UUID]) -> list[Result]:
    """What became of one request in these batches, the oldest first."""
    rows = Result.objects.filter(batch__in=list(retries), custom_id=custom_id)
    return list(rows.select_related("result_chunk", "batch__upload").order_by("batch__created_at"))


def download(batch: Batch) -> Iterator[bytes]:
    """One line for each request of ``batch`` that has ended, in order: its best answer.

    Of a request without an answer it is the newest error line; if there is none either, a line
    that says why.
    """
    retries = [each.pk for each in lineage.descendants(batch, lineage.family(batch))]
    held: list[bytes] = []
    size = 0
    with _ChunkFiles() as result_chunks:
        for places in _places(batch, retries):
            result_chunks.learn(place.result_chunk for place in places if place.result_chunk)
            for place in places:
                line = result_chunks.line(place) if place.result_chunk else _nothing(place)
                held.append(line + b"\n")
                size += len(line) + 1
                if size >= PIECE:
                    yield b"".join(held)
                    held, size = [], 0
    yield b"".join(held)


class _Place(NamedTuple):
    """Where the line of one request is; ``segment`` is None if none came."""

    custom_id: str
    outcome: str
    result_chunk: int | None
    at: int
    length: int


class _ChunkFiles:
    """Result files that lines are read from in any order; few are open at a time."""

    def __init__(self) -> None:
        self._known: dict[int, ResultChunk] = {}
        self._open: OrderedDict[int, File[bytes]] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        for blob in self._open.values():
            blob.close()

    def learn(self, pks: Iterable[int]) -> None:
        """Look up in one query what is read from next."""
        if unknown := set(pks) - self._known.keys():
            self._known |= ResultChunk.objects.in_bulk(unknown)

    def line(self, place: _Place) -> bytes:
        assert place.result_chunk  # noqa: S101  # the caller's promise
        blob = self._open.pop(place.result_chunk, None)
        if blob is None:
            blob = self._known[place.result_chunk].blob.open("rb")
        self._open[place.result_chunk] = blob
        if len(self._open) > FILES_OPEN:
            self._open.popitem(last=False)[1].close()
        blob.seek(place.at)
        line: bytes = blob.read(place.length)
        return line


def _places(batch: Batch, retries: list[UUID]) -> Iterator[list[_Place]]:
    rows = Result.objects.filter(batch=batch)
    columns = ("custom_id", "outcome", "result_chunk_id", "answer_at", "answer_bytes")
    both = [*columns, *(f"retried__{name}" for name in columns)]
    rows = rows.select_related("retried").only("line", *both)
    for stretch in rows.stretches(ROWS_AT_ONCE):
        found = [row for row in stretch if row.best.outcome != Outcome.PENDING]
        errors = _errors(retries, [row.custom_id for row in found if not _is_answered(row.best)])
        yield [_place(errors.get(row.custom_id, row.best), row.custom_id) for row in found]


def _is_answered(row: Result) -> bool:
    return row.outcome in ANSWERS


def _errors(retries: list[UUID], custom_ids: list[str]) -> dict[str, Result]:
    """Of requests without an answer, the newest line that came of a retry."""
    if not retries or not custom_ids:
        return {}
    rows = Result.objects.filter(batch__in=retries, custom_id__in=custom_ids)
    found = rows.filter(result_chunk__isnull=False).order_by("batch__created_at", "pk")
    return {row.custom_id: row for row in found}


def _place(row: Result, custom_id: str) -> _Place:
    result_chunk = row.result_chunk_id if row.answer_bytes else None
    return _Place(custom_id, row.outcome, result_chunk, row.answer_at or 0, row.answer_bytes or 0)


def _nothing(place: _Place) -> bytes:
    error = {"code": place.outcome, "message": f"{Outcome(place.outcome).label}."}
    line = {"id": None, "custom_id": place.custom_id, "response": None, "error": error}
    return msgspec.json.encode(line)


def _point(rows: "QuerySet[Result]", attempts: list[UUID]) -> None:
    """Set ``retried`` of ``rows`` to the best of ``attempts``, and to nothing where none is.

    The rows are told by their keys: what a database makes of a larger question depends on its
    statistics, which are behind where rows were written just now.
    """
    by_choice: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for pk, outcome in rows.order_by().values_list("pk", "outcome"):
        by_choice[at_least_as_good_as(outcome)].append(pk)
    for outcomes, pks in by_choice.items():
        for start in range(0, len(pks), ROWS_AT_ONCE):
            some = Result.objects.filter(pk__in=pks[start : start + ROWS_AT_ONCE])
            some.update(retried=_best(attempts, outcomes))


def _best(attempts: list[UUID], outcomes: tuple[str, ...]) -> Subquery:
    tiers = [When(outcome__in=tier, then=Value(place)) for place, tier in enumerate(TIERS)]
    same = Result.objects.filter(custom_id=OuterRef("custom_id"), batch__in=attempts)
    fit = same.filter(outcome__in=outcomes).annotate(tier=Case(*tiers, default=len(TIERS)))
    return Subquery(fit.order_by("tier", "-batch__created_at", "-pk").values("pk")[:1])
