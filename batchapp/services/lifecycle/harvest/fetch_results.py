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

from batchapp.models import ProviderBatch, Result, ResultChunk, StaleRow
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ProviderError, ProviderRejected
from batchapp.services.lifecycle.harvest.schema_check import SchemaChecker
from batchapp.services.lifecycle.harvest.sort_lines import SortedLines
from batchapp.services.lifecycle.harvest.unmatched_lines import UnmatchedLines

logger = logging.getLogger(__name__)

LINES_AT_ONCE = 2_000
BYTES_AT_ONCE = 16 * 1024 * 1024
"""A segment is closed at whichever comes first; memory is bounded by one segment."""

MAX_REREADS = 3
MAX_BROKEN_STREAMS = 2
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
    "result_chunk",
    "answer_at",
    "answer_bytes",
]


def harvest(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Fetch what is new of ``part``; when the provider is done with it, all of it.

    Output comes in order of completion, and two workers of the provider can commit out of that
    order, so a resumed read may miss a line: what falls short at the end is read again whole.

    Raises:
        UpstreamError: the lines fetched so far are kept; the next attempt resumes after them.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    drain = _ResultReader(provider_batch, provider)
    drain.drain(ResultChunk.Kind.OUTPUT, provider_batch.output_file_id)
    if (
        provider_batch.failed or provider_batch.ended_at
    ):  # in the end whatever the counts say: they may be wrong
        drain.drain(ResultChunk.Kind.ERROR, provider_batch.error_file_id)
    if not provider_batch.ended_at:
        provider_batch.move_to(
            ProviderBatch.Status.RUNNING,
            next_check_at=timezone.now() + provider_batch.batch.connection.patience,
            failures=0,
            trouble="",
        )
        # Whoever wanted it stopped meanwhile has had its next turn overwritten by the line above.
        provider_batch.batch.refresh_from_db(fields=["cancel_requested_at", "pause_requested_at"])
        if provider_batch.batch.is_stop_requested:
            provider_batch.postpone(timedelta())
    elif (doubt := _reread_from(provider_batch)) is not None:
        logger.info(
            "part %s: the results do not match the counts, looking again", provider_batch.pk
        )
        provider_batch.rereads += 1
        pause = timedelta(seconds=min(provider_batch.batch.connection.poll_seconds, 5))
        provider_batch.move_to(  # by way of polling: the counts and the files' ids may be new as well
            ProviderBatch.Status.RUNNING,
            next_check_at=max(
                provider_batch.read_again_at or timezone.now(), timezone.now() + pause
            ),
            rereads=provider_batch.rereads,
            **doubt,
        )
    else:
        _finish(provider_batch)


def harvest_vanished(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Fetch what is new of a part that its provider no longer knows, if it still has the files.

    Raises:
        UpstreamUnavailable: the lines fetched so far are kept; do it again.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    drain = _ResultReader(provider_batch, provider)
    files = {
        ResultChunk.Kind.OUTPUT: provider_batch.output_file_id,
        ResultChunk.Kind.ERROR: provider_batch.error_file_id,
    }
    for kind, file_id in files.items():
        with contextlib.suppress(ProviderRejected):
            drain.drain(kind, file_id)


def _finish(provider_batch: ProviderBatch) -> None:
    """Nothing more comes; what was stopped for a pause waits, or goes on if that is over."""
    is_open = (
        provider_batch.completed + provider_batch.failed < provider_batch.total
        and provider_batch.results.pending().exists()
    )
    is_stopped = provider_batch.remote_status == "cancelled" and is_open
    if is_stopped and provider_batch.pause():
        return
    provider_batch.batch.refresh_from_db(fields=["cancel_requested_at"])
    if (
        is_stopped
        and provider_batch.pause_sent_at
        and not provider_batch.batch.cancel_requested_at
    ):
        again = {"retried_in_place_at": None, "ended_at": None}
        provider_batch.move_to(
            ProviderBatch.Status.RETRYING_IN_PLACE, failures=0, trouble="", **again
        )
    else:
        provider_batch.move_to(ProviderBatch.Status.DONE, failures=0, trouble="")


def _reread_from(provider_batch: ProviderBatch) -> dict[str, Any] | None:
    """From where to look again, as fields of the row; None if there is no reason, or no more.

    Results may fall short of the provider's counts, or once of what was sent, if lines may have
    been missed on the way. Where the counts fall short they may only be late.
    """
    answered = provider_batch.results.exclude(answer_at=None).count()
    counted = provider_batch.completed + provider_batch.failed
    is_short = answered < counted
    if not provider_batch.rereads and provider_batch.batch.connection.has_partial_results:
        is_left_over = provider_batch.remote_status in BROKEN_OFF
        is_short = is_short or (answered < provider_batch.total and not is_left_over)
    if is_short:
        return FROM_THE_START if provider_batch.rereads < MAX_REREADS else None
    return {} if 0 < counted < answered and not provider_batch.rereads else None


class _ResultReader:
    """Reads the files of ``part`` from where the last harvest stopped."""

    def __init__(self, provider_batch: ProviderBatch, provider: ProviderClient) -> None:
        self._part = provider_batch
        self._upstream = provider
        self._strays = UnmatchedLines(provider_batch)
        self._judge = SchemaChecker(provider_batch.batch.upload)

    def drain(self, kind: ResultChunk.Kind, file_id: str) -> None:
        if not file_id:
            return
        provider_batch, progress = self._part, self._part.lease_renewer()
        seen = (
            provider_batch.output_lines
            if kind == ResultChunk.Kind.OUTPUT
            else provider_batch.error_lines
        )
        skip = seen if provider_batch.batch.connection.has_partial_results else 0
        is_torn = bool(provider_batch.ended_at) and provider_batch.failures >= MAX_BROKEN_STREAMS
        with self._upstream.open_content(file_id, skip=skip, on_progress=progress) as content:
            for lines in _blocks(content.lines(cut_long=True, keep_torn=is_torn)):
                skip += len(lines)
                self._keep(kind, lines, cursor=max(skip, seen))

    def _keep(self, kind: ResultChunk.Kind, lines: list[bytes], *, cursor: int) -> None:
        """Store the new ones of ``lines`` and enter them in the ledger, then move the cursor.

        The bytes go to storage first; rows and cursor follow in one transaction, so a death in
        between leaves bytes that nothing refers to, and the lines are fetched again. They are
        removed only where it is certain that nothing was committed. A stored line is progress, so
        that a step that is cut off again and again gets there in the end.
        """
        provider_batch = self._part
        read = {ResultChunk.Kind.OUTPUT: "output_lines", ResultChunk.Kind.ERROR: "error_lines"}[
            kind
        ]
        news = SortedLines(provider_batch, lines, self._strays, self._judge)
        if not news.lines:
            provider_batch.renew_lease(**{read: cursor})
            return
        body = b"".join(line + b"\n" for line in news.lines)
        name = default_storage.save(
            f"results/{provider_batch.batch_id}/{provider_batch.pk}/{kind}-{cursor:09d}-{get_random_string(8)}.jsonl",
            ContentFile(body),
        )
        try:
            with transaction.atomic():
                result_chunk = ResultChunk.objects.create(
                    provider_batch=provider_batch,
                    kind=kind,
                    blob=name,
                    lines=len(news.lines),
                    size=len(body),
                )
                _write(news.results, result_chunk)
                self._strays.enter(news.unmatched_lines, result_chunk)
                provider_batch.renew_lease(claims=0, **{read: cursor})
        except StaleRow:
            default_storage.delete(name)
            raise


def _write(results: list[Result], result_chunk: ResultChunk) -> None:
    for result in results:
        result.result_chunk = result_chunk
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
    except ProviderError:
        if block:
            yield block
        raise
    if block:
        yield block
