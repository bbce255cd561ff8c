"""Compare the results of several batches: coverage, agreement, totals, and the rows behind."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import duckdb

from batchapp import access
from batchapp.domain.results.comparison import Agreement, ComparisonFilter
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, ResultColumns, User
from batchapp.models.batches import lineage
from batchapp.services.results.columns import freshness
from batchapp.services.results.columns.compare_index import (
    ANSWERED,
    ComparedField,
    ComparisonIndex,
    build_index,
)
from batchapp.storage.blob_storage import StorageUnavailable

MAX_OPEN = 2  # comparisons that one process keeps open
SHOWN_LENGTH = 20_000  # characters of an answer that a page looks at
QUESTION_LENGTH = 1_000  # characters of a question that a page shows
MAX_COMBINATIONS = 30  # of outcomes, the most common ones
ROWS_AT_ONCE = 500  # of a download


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """The sums over all results of one batch; ``length`` is the mean of its answers."""

    requests: int
    answers: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    length: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The numbers of custom_ids; ``only`` has for each batch those that it has alone.

    ``counts`` are those of each kind of agreement about the whole answer. ``other_questions`` are
    the custom_ids with different questions.
    """

    total: int
    in_all: int
    only: list[int]
    counts: dict[Agreement, int]
    other_questions: int


@dataclass(frozen=True, slots=True)
class FieldAgreement:
    label: str
    agree: int
    disagree: int


@dataclass(frozen=True, slots=True)
class ComparedResult:
    """One result; ``text`` is the answer, or the field of it that is compared, or the error."""

    line: int
    outcome: Outcome
    text: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    fields: list[str | None]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One custom_id; ``results`` has None for a batch that lacks the custom_id."""

    custom_id: str
    agreement: Agreement
    same_question: bool
    question: str
    results: list[ComparedResult | None]


class Comparison:
    """The comparison of two to four batches of one project, in their order.

    Several threads may ask at once. Counts are asked of the files once and kept.
    """

    def __init__(self, index: ComparisonIndex) -> None:
        self.index = index
        self.kept: dict[object, Any] = {}  # what other modules have measured, by their own keys
        self._batches = range(len(index.tables))

    @property
    def fields(self) -> list[ComparedField]:
        return self.index.fields

    @cached_property
    def coverage(self) -> Coverage:
        only = [f"count(*) FILTER ({self._only(number)})" for number in self._batches]
        counts = [f"count(*) FILTER (agreement = '{kind}')" for kind in Agreement]
        row = self._one(
            f"SELECT count(*), count(*) FILTER (NOT same_question), {', '.join(only)}, "
            f"{', '.join(counts)} FROM joined"
        )
        total, other_questions, *numbers = row
        by_kind = dict(zip(Agreement, numbers[len(only) :], strict=True))
        return Coverage(
            total,
            total - by_kind[Agreement.PARTIAL],
            numbers[: len(only)],
            by_kind,
            other_questions,
        )

    @cached_property
    def field_agreements(self) -> list[FieldAgreement]:
        counts = [
            f"count(*) FILTER (s{number}), count(*) FILTER (NOT s{number})"
            for number in range(len(self.fields))
        ]
        if not counts:
            return []
        numbers = self._one(f"SELECT {', '.join(counts)} FROM joined")
        return [
            FieldAgreement(field.label, *numbers[2 * position : 2 * position + 2])
            for position, field in enumerate(self.fields)
        ]

    @cached_property
    def totals(self) -> list[BatchTotals]:
        return [
            BatchTotals(
                *self._one(
                    f"SELECT count(*), count(*) FILTER (outcome IN ({ANSWERED})), "
                    "coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), "
                    f"sum(cost_usd), avg(answer_length) FROM {table}"
                )
            )
            for table in self.index.tables
        ]

    @cached_property
    def outcomes(self) -> list[tuple[tuple[str, ...], int]]:
        """Return how often the batches ended in each combination of outcomes, "" for no result."""
        names = [f"coalesce(o{number}::VARCHAR, '')" for number in self._batches]
        rows = self._execute(
            f"SELECT {', '.join(names)}, count(*) AS number FROM joined "
            f"GROUP BY ALL ORDER BY number DESC, 1, 2 LIMIT {MAX_COMBINATIONS}"
        ).fetchall()
        return [(tuple(row[:-1]), row[-1]) for row in rows]

    def count(self, chosen: ComparisonFilter) -> int:
        where, parameters = self._condition(chosen)
        return int(self._one(f"SELECT count(*) FROM joined {where}", parameters)[0])

    def page(self, chosen: ComparisonFilter, *, start: int, size: int) -> list[ComparedRow]:
        """Return the rows from position ``start`` on, with the beginning of long texts."""
        where, parameters = self._condition(chosen)
        rows = self._execute(
            f"SELECT * FROM joined {where} ORDER BY rowid LIMIT ? OFFSET ?",
            [*parameters, size, start],
        ).fetchall()
        return self._read(rows, self._field(chosen), SHOWN_LENGTH, QUESTION_LENGTH)

    def iterate(self, chosen: ComparisonFilter) -> Iterator[ComparedRow]:
        """Yield all rows with their whole texts; few are in memory at a time."""
        where, parameters = self._condition(chosen)
        cursor = self._execute(f"SELECT * FROM joined {where} ORDER BY rowid", parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from self._read(rows, None)

    def _field(self, chosen: ComparisonFilter) -> ComparedField | None:
        return next((field for field in self.fields if field.label == chosen.field), None)

    def _read(
        self,
        rows: Sequence[tuple[Any, ...]],
        field: ComparedField | None,
        length: int | None = None,
        question_length: int | None = None,
    ) -> list[ComparedRow]:
        answers = [
            self._results(number, [row[1 + 2 * number] for row in rows], field, length)
            for number in self._batches
        ]
        compared = []
        for row in rows:
            results = [answers[number].get(row[1 + 2 * number]) for number in self._batches]
            question = next((result[0] for result in results if result), "")
            agreement, same_question = row[1 + 2 * len(answers) :][:2]
            compared.append(
                ComparedRow(
                    row[0],
                    Agreement(agreement),
                    same_question,
                    question[:question_length],
                    [result[1] if result else None for result in results],
                )
            )
        return compared

    def _results(
        self,
        number: int,
        rowids: list[int | None],
        field: ComparedField | None,
        length: int | None,
    ) -> dict[int, tuple[str, ComparedResult]]:
        """Return rowid -> question and result, of those rows of one batch that are given."""
        columns = [compared.columns[number].name for compared in self.fields]
        text = field.columns[number].name if field else "answer"
        text = (
            f"coalesce({text}, '')" if length is None else f"left(coalesce({text}, ''), {length})"
        )
        cursor = self._execute(
            f"SELECT rowid, question, line, outcome, CASE WHEN outcome IN ({ANSWERED}) "
            f"THEN {text} ELSE error_message END, input_tokens, output_tokens, cost_usd"
            f"{''.join(f', {name}' for name in columns)} FROM {self.index.tables[number]} "
            "WHERE rowid IN (SELECT unnest(?))",
            [[rowid for rowid in rowids if rowid is not None]],
        )
        answers = {}
        for rowid, question, line, outcome, shown, *rest in cursor.fetchall():
            tokens_in, tokens_out, cost, *fields = rest
            answers[rowid] = (
                question or "",
                ComparedResult(
                    line, Outcome(outcome), shown or "", tokens_in, tokens_out, cost, fields
                ),
            )
        return answers

    def _condition(self, chosen: ComparisonFilter) -> tuple[str, list[Any]]:
        """Return a WHERE clause, or "", and its parameters."""
        parts, parameters = [], list[Any]()
        field = self._field(chosen)
        if chosen.agreement in {Agreement.AGREE, Agreement.DISAGREE} and field:
            is_equal = f"s{self.fields.index(field)}"
            parts.append(is_equal if chosen.agreement == Agreement.AGREE else f"NOT {is_equal}")
        elif chosen.agreement:
            parts.append("agreement = ?")
            parameters.append(chosen.agreement.value)
        if chosen.only is not None:
            parts.append(self._only(chosen.only))
        for number, outcome in zip(self._batches, chosen.outcomes, strict=False):
            parts.append(f"coalesce(o{number}::VARCHAR, '') = ?")
            parameters.append(outcome)
        return (f"WHERE {' AND '.join(parts)}" if parts else ""), parameters

    def _only(self, number: int) -> str:
        others = [f"r{other} IS NULL" for other in self._batches if other != number]
        return " AND ".join([f"r{number} IS NOT NULL", *others])

    def _one(self, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        return self._execute(query, parameters).fetchall()[0]

    def _execute(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        return self.index.connection.cursor().execute(query, list(parameters))


@contextmanager
def open_comparison(
    columns: Sequence[ResultColumns], user: User, *, loose: bool = False
) -> Iterator[Comparison | None]:
    """Open the comparison of the batches of ``columns``; None if a columns file is not there.

    ``loose`` takes no notice of upper and lower case and of white space. A batch counts with the
    answers of its retries, unless it is compared with one of them.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers of one were deleted.
        ValueError: the batches are not of one project.
    """
    batches = [row.batch for row in columns]
    for batch in batches:
        access.require_see(user, batch.project)
        batch.require_content()
    if len({batch.project_id for batch in batches}) > 1:
        raise ValueError("batches of several projects are not compared")
    try:
        comparison = _comparisons.open(columns, _with_own_answers(batches), loose=loose)
    except StorageUnavailable:
        yield None
        return
    except (duckdb.Error, OSError):
        for row in columns:  # one of them is damaged or gone
            freshness.discard_columns(row)
        yield None
        return
    yield comparison


def _with_own_answers(batches: Sequence[Batch]) -> list[bool]:
    """Return for each batch whether one of the others is its retry."""
    return [
        any(
            batch in lineage.ancestors(other, lineage.batch_and_retries(other)) for other in others
        )
        for batch, others in (
            (batch, [row for row in batches if row != batch]) for batch in batches
        )
    ]


class _OpenComparisons:
    """The comparisons that this process has open; a columns file never changes under its name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[object, ...], Comparison] = OrderedDict()

    def open(
        self, columns: Sequence[ResultColumns], own: Sequence[bool], *, loose: bool
    ) -> Comparison:
        key = (*(row.blob.name for row in columns), *own, loose)
        # One comparison is built at a time, which bounds the memory that building takes.
        with self._lock:
            comparison = self._open.pop(key, None)
            if comparison is None:
                comparison = Comparison(build_index(columns, own, loose=loose))
            self._open[key] = comparison
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        return comparison


_comparisons = _OpenComparisons()
