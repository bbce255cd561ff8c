"""Sort a block of result lines into new results, repetitions and unmatched lines."""

from batchapp.domain.results.outcome import (
    SUCCEEDED,
    UNTRIED_CODES,
    Answer,
    MalformedLine,
    Outcome,
    read_answer,
)
from batchapp.models import ProviderBatch, Result, UnmatchedLine
from batchapp.services.lifecycle.harvest.schema_check import SchemaChecker
from batchapp.services.lifecycle.harvest.unmatched_lines import UnmatchedLines

MAX_CUSTOM_ID_LENGTH = 64  # characters; no request with a longer ``custom_id`` was sent


class SortedLines:
    """The new lines of a block, and the results and unmatched lines they make, unsaved.

    A success replaces an error, and an error replaces a request that was never tried; nothing else
    is replaced. ``lines`` include the lines of ``unmatched_lines``.
    """

    def __init__(
        self,
        provider_batch: ProviderBatch,
        block: list[bytes],
        stored: UnmatchedLines,
        schema_checker: SchemaChecker,
    ) -> None:
        self.lines: list[bytes] = []
        self.unmatched_lines: list[UnmatchedLine] = []
        self._provider_batch = provider_batch
        self._stored = stored
        self._position = 0
        self._changed: dict[int, tuple[Result, bytes]] = {}
        answers = [_read(line) for line in block]
        results = self._results_for(answers)
        for line, answer in zip(block, answers, strict=True):
            self._sort(line, answer, results.get(answer.custom_id) if answer else None)
        schema_checker.check(self._changed.values())

    @property
    def results(self) -> list[Result]:
        return [result for result, _ in self._changed.values()]

    def _results_for(self, answers: list[Answer | None]) -> dict[str, Result]:
        custom_ids = {answer.custom_id for answer in answers if answer}
        results = Result.objects.filter(
            batch_id=self._provider_batch.batch_id,
            provider_batch=self._provider_batch,
            custom_id__in=[name for name in custom_ids if len(name) <= MAX_CUSTOM_ID_LENGTH],
        )
        return {result.custom_id: result for result in results}

    def _sort(self, line: bytes, answer: Answer | None, result: Result | None) -> None:
        if answer is None:
            self._add_unmatched(line, UnmatchedLine.Reason.UNREADABLE)
        elif result is None:
            self._add_unmatched(line, UnmatchedLine.Reason.UNKNOWN, answer.custom_id)
        elif result.answer_at is None or _rank(answer.outcome) > _rank(result.outcome):
            _apply_answer(result, answer, self._position, len(line))
            self._changed[result.pk] = result, line
            self._add_line(line)
        elif not answer.line_id or answer.line_id[:100] != result.line_id:
            self._add_unmatched(line, UnmatchedLine.Reason.SECOND, answer.custom_id)

    def _add_unmatched(
        self, line: bytes, reason: UnmatchedLine.Reason, custom_id: str = ""
    ) -> None:
        if not self._stored.is_new(line, self.lines):
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
        self._stored.remember(line)
        self._position += len(line) + 1


def _read(line: bytes) -> Answer | None:
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


def _apply_answer(result: Result, answer: Answer, position: int, length: int) -> None:
    result.outcome = answer.outcome
    result.line_id = answer.line_id[:100]
    result.status_code = answer.status_code
    result.finish_reason = answer.finish_reason[:40]
    result.answer_model = answer.model[:200]
    result.input_tokens = answer.input_tokens
    result.output_tokens = answer.output_tokens
    result.error_code = answer.error_code[:100]
    result.error_message = answer.error_message
    result.preview = answer.preview[:200]
    result.answer_at = position
    result.answer_bytes = length
