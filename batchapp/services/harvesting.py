"""The sixth room: results are fetched as they come, kept as they are, and entered."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from batchapp.domain.results.outcome import SUCCEEDED, Answer, MalformedLine, Outcome, read_answer
from batchapp.models import Event, Part, Result, Segment, StaleRow
from batchapp.upstream.client import UpstreamClient

logger = logging.getLogger(__name__)

LINES_AT_ONCE = 2_000
BYTES_AT_ONCE = 16 * 1024 * 1024
"""A segment is closed at whichever comes first; memory is bounded by one segment."""

MAX_REREADS = 3
LEDGER_FIELDS = [
    "outcome",
    "line_id",
    "status_code",
    "finish_reason",
    "answer_model",
    "input_tokens",
    "output_tokens",
    "error_code",
    "error_message",
    "preview",
    "segment",
    "answer_at",
    "answer_bytes",
]


def harvest(part: Part, upstream: UpstreamClient) -> None:
    """Fetch what is new of ``part``; when the provider is done with it, all of it.

    Output comes in order of completion, and two workers of the provider can commit out of that
    order, so a resumed read may miss a line: what falls short at the end is read again whole.

    Raises:
        UpstreamError: segments fetched so far are kept; the next attempt resumes after them.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    _drain(part, upstream, Segment.Kind.OUTPUT, part.output_file_id)
    if part.failed or part.ended_at:  # in the end whatever the counts say: they may be wrong
        _drain(part, upstream, Segment.Kind.ERROR, part.error_file_id)
    pause = timedelta(seconds=part.batch.connection.poll_seconds)
    if not part.ended_at:
        part.move_to(
            Part.Status.RUNNING,
            next_check_at=timezone.now() + part.batch.connection.patience,
            failures=0,
            trouble="",
        )
    elif _falls_short(part) and part.rereads < MAX_REREADS:
        logger.info("part %s: fewer lines than the provider counts, reading again", part.pk)
        part.move_to(  # by way of polling: the counts and the files' ids may be new as well
            Part.Status.RUNNING,
            next_check_at=timezone.now() + min(pause, timedelta(seconds=5)),
            output_lines=0,
            error_lines=0,
            rereads=part.rereads + 1,
        )
    else:
        part.move_to(Part.Status.DONE, failures=0, trouble="")


def _falls_short(part: Part) -> bool:
    entered = part.results.exclude(outcome=Outcome.PENDING).count()
    return entered < part.completed + part.failed


def _drain(part: Part, upstream: UpstreamClient, kind: Segment.Kind, file_id: str) -> None:
    if not file_id:
        return
    seen = _cursor(part, kind)
    skip = seen if part.batch.connection.has_partial_results else 0
    progress = part.keep_alive()
    with upstream.open_content(file_id, skip=skip, on_progress=progress) as content:
        for lines in _blocks(content.lines()):
            skip += len(lines)
            _keep(part, kind, lines, cursor=max(skip, seen), is_new=skip > seen)


def _cursor(part: Part, kind: Segment.Kind) -> int:
    return part.output_lines if kind == Segment.Kind.OUTPUT else part.error_lines


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if len(block) >= LINES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield block
            block, size = [], 0
    if block:
        yield block


def _keep(
    part: Part, kind: Segment.Kind, lines: list[bytes], *, cursor: int, is_new: bool
) -> None:
    """Store the new ones of ``lines`` and enter them in the ledger, then move the cursor.

    The bytes go to storage first; rows and cursor follow in one transaction, so a death in
    between leaves bytes that nothing refers to, and the lines are fetched again. They are removed
    only where it is certain that nothing was committed. A stored line is progress, so that a step
    that is cut off again and again gets there in the end.
    """
    read = {Segment.Kind.OUTPUT: "output_lines", Segment.Kind.ERROR: "error_lines"}[kind]
    news = _News(part, lines, keep_strangers=is_new and not part.rereads)
    if not news.lines:
        part.renew(**{read: cursor})
        return
    body = b"".join(line + b"\n" for line in news.lines)
    name = default_storage.save(
        f"results/{part.batch_id}/{part.pk}/{kind}-{cursor:09d}-{get_random_string(8)}.jsonl",
        ContentFile(body),
    )
    try:
        with transaction.atomic():
            segment = Segment.objects.create(
                part=part, kind=kind, blob=name, lines=len(news.lines), size=len(body)
            )
            for result in news.results:
                result.segment = segment
            Result.objects.bulk_create(
                news.results,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=LEDGER_FIELDS,
            )
            if news.strangers:
                Event.objects.create(batch_id=part.batch_id, text=news.complaint)
            part.renew(claims=0, **{read: cursor})
    except StaleRow:
        default_storage.delete(name)
        raise


class _News:
    """The lines of a block that say something new, and the ledger rows they change, unsaved.

    A line that cannot be read, or whose ``custom_id`` was never sent, is kept and reported.
    """

    def __init__(self, part: Part, block: list[bytes], *, keep_strangers: bool) -> None:
        self.lines: list[bytes] = []
        changed: dict[int, Result] = {}
        self.strangers = 0
        answers = [_read(line) for line in block]
        known = self._known(part, [answer.custom_id for answer in answers if answer])
        position = 0
        for line, answer in zip(block, answers, strict=True):
            result = known.get(answer.custom_id) if answer else None
            if answer is None or result is None:
                if not keep_strangers:
                    continue  # it was kept the first time
                self.strangers += 1
            elif not _supersedes(answer, result):
                continue
            else:
                _enter(result, answer, position, len(line))
                changed[result.pk] = result
            self.lines.append(line)
            position += len(line) + 1
        self.results = list(changed.values())

    @property
    def complaint(self) -> str:
        return (
            f"{self.strangers:,} result lines could not be matched to a request; they are kept "
            "in the downloads."
        )

    @staticmethod
    def _known(part: Part, custom_ids: list[str]) -> dict[str, Result]:
        rows = Result.objects.filter(batch_id=part.batch_id, part=part)
        return {row.custom_id: row for row in rows.filter(custom_id__in=custom_ids)}


def _read(line: bytes) -> Answer | None:
    try:
        return read_answer(line)
    except MalformedLine:
        return None


def _supersedes(answer: Answer, result: Result) -> bool:
    """Whether ``answer`` says more than the ledger: the first one, or a success after an error."""
    if result.outcome == Outcome.PENDING:
        return True
    return answer.outcome in SUCCEEDED and result.outcome not in SUCCEEDED


def _enter(result: Result, answer: Answer, position: int, length: int) -> None:
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
