"""What each line of a block is: an answer, a repeat, or one to be set aside."""

from batchapp.domain.results.outcome import (
    SUCCEEDED,
    UNTRIED,
    Answer,
    MalformedLine,
    Outcome,
    read_answer,
)
from batchapp.models import ProviderBatch, Result, UnmatchedLine
from batchapp.services.lifecycle.harvest.schema_check import SchemaChecker
from batchapp.services.lifecycle.harvest.unmatched_lines import UnmatchedLines

LONGEST_ID = 64
"""Characters of a ``custom_id`` that can have been sent."""


class SortedLines:
    """The lines of a block that say something new, and the rows they change, unsaved.

    A success supersedes an error, and an error what nobody tried; nothing else supersedes
    anything. ``strays`` are those of ``lines`` that are no request's answer.
    """

    def __init__(
        self,
        provider_batch: ProviderBatch,
        block: list[bytes],
        aside: UnmatchedLines,
        judge: SchemaChecker,
    ) -> None:
        self.lines: list[bytes] = []
        self.unmatched_lines: list[UnmatchedLine] = []
        self._part = provider_batch
        self._aside = aside
        self._position = 0
        self._changed: dict[int, tuple[Result, bytes]] = {}
        answers = [_read(line) for line in block]
        known = self._known(answers)
        for line, answer in zip(block, answers, strict=True):
            self._sort(line, answer, known.get(answer.custom_id) if answer else None)
        judge.judge(self._changed.values())

    @property
    def results(self) -> list[Result]:
        return [result for result, _ in self._changed.values()]

    def _known(self, answers: list[Answer | None]) -> dict[str, Result]:
        custom_ids = {answer.custom_id for answer in answers if answer}
        rows = Result.objects.filter(batch_id=self._part.batch_id, provider_batch=self._part)
        found = rows.filter(custom_id__in=[each for each in custom_ids if len(each) <= LONGEST_ID])
        return {row.custom_id: row for row in found}

    def _sort(self, line: bytes, answer: Answer | None, result: Result | None) -> None:
        if answer is None:
            self._set_aside(line, UnmatchedLine.Reason.UNREADABLE)
        elif result is None:
            self._set_aside(line, UnmatchedLine.Reason.UNKNOWN, answer.custom_id)
        elif result.answer_at is None or _rank(answer.outcome) > _rank(result.outcome):
            _enter_result(result, answer, self._position, len(line))
            self._changed[result.pk] = result, line
            self._keep(line)
        elif not answer.line_id or answer.line_id[:100] != result.line_id:
            self._set_aside(line, UnmatchedLine.Reason.SECOND, answer.custom_id)

    def _set_aside(self, line: bytes, reason: UnmatchedLine.Reason, custom_id: str = "") -> None:
        if not self._aside.is_new(line, self.lines):
            return
        unmatched_line = UnmatchedLine(
            provider_batch=self._part,
            reason=reason,
            custom_id=custom_id[:100],
            answer_at=self._position,
            answer_bytes=len(line),
        )
        self.unmatched_lines.append(unmatched_line)
        self._keep(line)

    def _keep(self, line: bytes) -> None:
        self.lines.append(line)
        self._aside.remember(line)
        self._position += len(line) + 1


def _read(line: bytes) -> Answer | None:
    try:
        return read_answer(line)
    except MalformedLine:
        return None


def _rank(outcome: str) -> int:
    """How much an outcome says: an answer more than an error, that more than nobody's try."""
    if outcome in SUCCEEDED:
        return 3
    if outcome in {Outcome.PENDING, Outcome.MISSING}:
        return 0
    return 1 if outcome in UNTRIED.values() else 2


def _enter_result(result: Result, answer: Answer, position: int, length: int) -> None:
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
