"""Sort a block of result lines into new answers, repetitions and unmatched lines."""

from collections.abc import Iterable

import msgspec

from batchapp.domain.results.outcome import (
    SUCCEEDED,
    UNTRIED_CODES,
    Answer,
    MalformedLine,
    Outcome,
    read_answer,
)
from batchapp.models import ProviderBatch, Result, ResultChunk, UnmatchedLine, bulk_rows
from batchapp.services.lifecycle.harvest.stored_results import StoredResult, StoredResults
from batchapp.services.lifecycle.harvest.unmatched_lines import UnmatchedLines

# What a line tells of its result, in the order of ``NewAnswer.row``.
ANSWER_FIELDS = (
    *("outcome", "line_id", "status_code", "finish_reason", "answer_model", "input_tokens"),
    *("output_tokens", "error_code", "error_message", "preview", "answer_at", "answer_bytes"),
)
# What only lines with cached tokens tell, in the order of ``CacheTokens``.
CACHE_FIELDS = (
    *("cached_tokens", "written_5m_tokens", "written_1h_tokens", "written_24h_tokens"),
)


class NewAnswer(msgspec.Struct, gc=False):
    """The answer that a line gives to the result ``pk``; ``position`` is the line's in its chunk.

    ``outcome`` and ``error_message`` are those of the answer, unless a check finds worse.
    """

    pk: int
    answer: Answer
    line: bytes
    position: int
    outcome: str
    error_message: str

    def row(self) -> bulk_rows.Row:
        """Return the primary key and the ``ANSWER_FIELDS`` of the result."""
        answer = self.answer
        return (
            self.pk,
            self.outcome,
            answer.line_id[:100],
            answer.status_code,
            answer.finish_reason[:40],
            answer.model[:200],
            answer.input_tokens,
            answer.output_tokens,
            answer.error_code[:100],
            self.error_message,
            answer.preview[:200],
            self.position,
            len(self.line),
        )


def write_answers(answers: Iterable[NewAnswer], result_chunk: ResultChunk) -> None:
    """Write ``answers``, whose lines are in ``result_chunk``, to their results.

    Call this in a transaction. Most lines have no cached tokens, and four columns less to write.
    """
    plain, cached = [], []
    for new_answer in answers:
        if cache := new_answer.answer.cache:
            cached.append((*new_answer.row(), *cache))
        else:
            plain.append(new_answer.row())
    # In the order of their keys, so that neighbours are written together.
    same = {"result_chunk": result_chunk.pk}
    if plain:
        bulk_rows.update(Result, ANSWER_FIELDS, sorted(plain), same)
    if cached:
        bulk_rows.update(Result, ANSWER_FIELDS + CACHE_FIELDS, sorted(cached), same)


class SortedLines:
    """The new lines of a block, and the answers and unmatched lines they make, unsaved.

    A success replaces an error, and an error replaces a request that was never tried; nothing else
    is replaced. ``lines`` include the lines of ``unmatched_lines``.
    """

    def __init__(
        self,
        provider_batch: ProviderBatch,
        block: list[bytes],
        stored_results: StoredResults,
        stored_unmatched: UnmatchedLines,
    ) -> None:
        self.lines: list[bytes] = []
        self.unmatched_lines: list[UnmatchedLine] = []
        self._provider_batch = provider_batch
        self._stored_unmatched = stored_unmatched
        self._position = 0
        self._answers: dict[int, NewAnswer] = {}
        answers = [read_line(line) for line in block]
        results = stored_results.find({answer.custom_id for answer in answers if answer})
        for line, answer in zip(block, answers, strict=True):
            self._sort(line, answer, results.get(answer.custom_id) if answer else None)

    @property
    def answers(self) -> list[NewAnswer]:
        return list(self._answers.values())

    def _sort(self, line: bytes, answer: Answer | None, result: StoredResult | None) -> None:
        if answer is None:
            self._add_unmatched(line, UnmatchedLine.Reason.UNREADABLE)
        elif result is None:
            self._add_unmatched(line, UnmatchedLine.Reason.UNKNOWN, answer.custom_id)
        elif is_better(answer, result):
            new_answer = apply_answer(result, answer, line, self._position)
            self._answers[result.pk] = new_answer
            self._add_line(line)
        elif not answer.line_id or answer.line_id[:100] != result.line_id:
            self._add_unmatched(line, UnmatchedLine.Reason.SECOND, answer.custom_id)

    def _add_unmatched(
        self, line: bytes, reason: UnmatchedLine.Reason, custom_id: str = ""
    ) -> None:
        if not self._stored_unmatched.is_new(line, self.lines):
            return
        unmatched_line = UnmatchedLine(
            provider_batch=self._provider_batch,
            reason=reason,
            custom_id=custom_id[:100],
            answer_at=self._position,
            answer_bytes=len(line),
        )
        self.unmatched_lines.append(unmatched_line)
        self._add_line(line)

    def _add_line(self, line: bytes) -> None:
        self.lines.append(line)
        self._stored_unmatched.remember(line)
        self._position += len(line) + 1


def read_line(line: bytes) -> Answer | None:
    """Return the content of a result line; None if it names no request."""
    try:
        return read_answer(line)
    except MalformedLine:
        return None


def _rank(outcome: str) -> int:
    """Rank an outcome: success 3, error 2, never tried 1, no line yet 0."""
    if outcome in SUCCEEDED:
        return 3
    if outcome in {Outcome.PENDING, Outcome.MISSING}:
        return 0
    return 1 if outcome in UNTRIED_CODES.values() else 2


def is_better(answer: Answer, result: StoredResult) -> bool:
    """Return True if the answer replaces what ``result`` has."""
    return not result.has_line or _rank(answer.outcome) > _rank(result.outcome)


def apply_answer(result: StoredResult, answer: Answer, line: bytes, position: int) -> NewAnswer:
    """Return what to write, and note it in ``result``, which a later line is compared with."""
    outcome = answer.outcome.value
    result.outcome, result.line_id, result.has_line = outcome, answer.line_id[:100], True
    return NewAnswer(result.pk, answer, line, position, outcome, answer.error_message)
