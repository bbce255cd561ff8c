"""The sixth room: results are fetched as they come, kept as they are, and entered."""

import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from batchapp.models import Part, Result, Segment, StaleRow
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import UpstreamError, UpstreamRejected
from batchapp.services.lifecycle.harvest.schema_check import Judge
from batchapp.services.lifecycle.harvest.sort_lines import Sorted
from batchapp.services.lifecycle.harvest.unmatched_lines import Strays

logger = logging.getLogger(__name__)

LINES_AT_ONCE = 2_000
BYTES_AT_ONCE = 16 * 1024 * 1024
"""A segment is closed at whichever comes first; memory is bounded by one segment."""

MAX_REREADS = 3
MAX_TEARS = 2
"""Failures in a row after which a file that ends within a line is taken to be like that."""

FROM_THE_START = {"output_lines": 0, "error_lines": 0}

BROKEN_OFF = {"cancelled", "expired"}
"""What a provider calls a batch of which it leaves requests undone."""

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
        UpstreamError: the lines fetched so far are kept; the next attempt resumes after them.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    drain = _Drain(part, upstream)
    drain.drain(Segment.Kind.OUTPUT, part.output_file_id)
    if part.failed or part.ended_at:  # in the end whatever the counts say: they may be wrong
        drain.drain(Segment.Kind.ERROR, part.error_file_id)
    if not part.ended_at:
        part.move_to(
            Part.Status.RUNNING,
            next_check_at=timezone.now() + part.batch.connection.patience,
            failures=0,
            trouble="",
        )
        # Whoever wanted it stopped meanwhile has had its next turn overwritten by the line above.
        part.batch.refresh_from_db(fields=["cancel_requested_at", "pause_requested_at"])
        if part.batch.is_to_stop:
            part.postpone(timedelta())
    elif (doubt := _doubt(part)) is not None:
        logger.info("part %s: the results do not match the counts, looking again", part.pk)
        part.rereads += 1
        pause = timedelta(seconds=min(part.batch.connection.poll_seconds, 5))
        part.move_to(  # by way of polling: the counts and the files' ids may be new as well
            Part.Status.RUNNING,
            next_check_at=max(part.read_again_at or timezone.now(), timezone.now() + pause),
            rereads=part.rereads,
            **doubt,
        )
    else:
        _close(part)


def salvage(part: Part, upstream: UpstreamClient) -> None:
    """Fetch what is new of a part that its provider no longer knows, if it still has the files.

    Raises:
        UpstreamUnavailable: the lines fetched so far are kept; do it again.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    drain = _Drain(part, upstream)
    files = {Segment.Kind.OUTPUT: part.output_file_id, Segment.Kind.ERROR: part.error_file_id}
    for kind, file_id in files.items():
        with contextlib.suppress(UpstreamRejected):
            drain.drain(kind, file_id)


def _close(part: Part) -> None:
    """Nothing more comes; what was stopped for a pause waits, or goes on if that is over."""
    is_open = part.completed + part.failed < part.total and part.results.pending().exists()
    is_stopped = part.upstream_status == "cancelled" and is_open
    if is_stopped and part.put_aside():
        return
    part.batch.refresh_from_db(fields=["cancel_requested_at"])
    if is_stopped and part.pause_sent_at and not part.batch.cancel_requested_at:
        again = {"reopened_at": None, "ended_at": None}
        part.move_to(Part.Status.REOPENING, failures=0, trouble="", **again)
    else:
        part.move_to(Part.Status.DONE, failures=0, trouble="")


def _doubt(part: Part) -> dict[str, Any] | None:
    """From where to look again, as fields of the row; None if there is no reason, or no more.

    Results may fall short of the provider's counts, or once of what was sent, if lines may have
    been missed on the way. Where the counts fall short they may only be late.
    """
    answered = part.results.exclude(answer_at=None).count()
    counted = part.completed + part.failed
    is_short = answered < counted
    if not part.rereads and part.batch.connection.has_partial_results:
        is_left_over = part.upstream_status in BROKEN_OFF
        is_short = is_short or (answered < part.total and not is_left_over)
    if is_short:
        return FROM_THE_START if part.rereads < MAX_REREADS else None
    return {} if 0 < counted < answered and not part.rereads else None


class _Drain:
    """Reads the files of ``part`` from where the last harvest stopped."""

    def __init__(self, part: Part, upstream: UpstreamClient) -> None:
        self._part = part
        self._upstream = upstream
        self._strays = Strays(part)
        self._judge = Judge(part.batch.upload)

    def drain(self, kind: Segment.Kind, file_id: str) -> None:
        if not file_id:
            return
        part, progress = self._part, self._part.keep_alive()
        seen = part.output_lines if kind == Segment.Kind.OUTPUT else part.error_lines
        skip = seen if part.batch.connection.has_partial_results else 0
        is_torn = bool(part.ended_at) and part.failures >= MAX_TEARS
        with self._upstream.open_content(file_id, skip=skip, on_progress=progress) as content:
            for lines in _blocks(content.lines(cut_long=True, keep_torn=is_torn)):
                skip += len(lines)
                self._keep(kind, lines, cursor=max(skip, seen))

    def _keep(self, kind: Segment.Kind, lines: list[bytes], *, cursor: int) -> None:
        """Store the new ones of ``lines`` and enter them in the ledger, then move the cursor.

        The bytes go to storage first; rows and cursor follow in one transaction, so a death in
        between leaves bytes that nothing refers to, and the lines are fetched again. They are
        removed only where it is certain that nothing was committed. A stored line is progress, so
        that a step that is cut off again and again gets there in the end.
        """
        part = self._part
        read = {Segment.Kind.OUTPUT: "output_lines", Segment.Kind.ERROR: "error_lines"}[kind]
        news = Sorted(part, lines, self._strays, self._judge)
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
                _write(news.results, segment)
                self._strays.enter(news.strays, segment)
                part.renew(claims=0, **{read: cursor})
        except StaleRow:
            default_storage.delete(name)
            raise


def _write(results: list[Result], segment: Segment) -> None:
    for result in results:
        result.segment = segment
    Result.objects.bulk_create(
        results, update_conflicts=True, unique_fields=["id"], update_fields=LEDGER_FIELDS
    )


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """The lines in blocks; what came before a failure comes before it here, too."""
    block: list[bytes] = []
    size = 0
    try:
        for line in lines:
            block.append(line)
            size += len(line)
            if len(block) >= LINES_AT_ONCE or size >= BYTES_AT_ONCE:
                yield block
                block, size = [], 0
    except UpstreamError:
        if block:
            yield block
        raise
    if block:
        yield block
