"""Harvest: fetch result lines as they arrive, store their bytes, and write the results."""

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.crypto import get_random_string

from batchapp.domain.problem import ProblemCode
from batchapp.domain.results.outcome import Outcome
from batchapp.models import ProviderBatch, ResultChunk, StaleRow
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderError, ProviderRejected, TooMuchContent
from batchapp.services.lifecycle.harvest.match_lines import SortedLines, write_answers
from batchapp.services.lifecycle.harvest.reading_limits import ReadingLimits
from batchapp.services.lifecycle.harvest.schema_check import SchemaChecker
from batchapp.services.lifecycle.harvest.stored_results import StoredResults
from batchapp.services.lifecycle.harvest.unmatched_lines import UnmatchedLines

logger = logging.getLogger(__name__)
Status = ProviderBatch.Status

# A chunk ends at whichever comes first; at most one chunk is in memory.
LINES_PER_CHUNK = 2_000
BYTES_PER_CHUNK = 16 * 1024 * 1024

MAX_REREADS = 3
REREAD_AFTER, UNNAMED_REREAD_AFTER = timedelta(seconds=5), timedelta(seconds=30)
# Some providers name the files of a batch only some time after its end.
FILES_UNNAMED_FOR = timedelta(minutes=10)
MAX_TORN_READS = 2  # failures in a row before a file that ends within a line counts as complete

FROM_FIRST_LINE = {"output_lines": 0, "error_lines": 0}
LINE_COUNTERS = {ResultChunk.Kind.OUTPUT: "output_lines", ResultChunk.Kind.ERROR: "error_lines"}


def harvest(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Fetch the new results; after the end, make sure that none is missing.

    The provider writes output in order of completion, but two of its workers can commit out of
    that order, so a resumed read may miss a line. If results are missing at the end, the files
    are read again from the first line.

    Raises:
        ProviderError: the lines fetched so far are kept; the next attempt resumes after them.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    connection = provider_batch.connection
    reader = _ResultReader(provider_batch, provider)
    reader.read(ResultChunk.Kind.OUTPUT, provider_batch.output_file_id)
    # After the end, errors are read whatever the counts say, since these may be wrong.
    if provider_batch.failed or provider_batch.ended_at:
        reader.read(ResultChunk.Kind.ERROR, provider_batch.error_file_id)
    if not provider_batch.ended_at:
        provider_batch.move_to(
            Status.RUNNING,
            next_check_at=timezone.now() + connection.key_poll_timeout,
            **ProviderBatch.NO_PROBLEM,
        )
        # A stop that was requested meanwhile made the row due; the line above has undone that.
        provider_batch.batch.reload_requested_stops()
        if provider_batch.batch.is_stop_requested:
            provider_batch.postpone(timedelta())
    elif (reread_fields := _fields_to_reread(provider_batch)) is not None:
        logger.info("provider batch %s: results do not match the counts", provider_batch.pk)
        provider_batch.rereads += 1
        now = timezone.now()
        wait = REREAD_AFTER if provider_batch.rereads <= MAX_REREADS else UNNAMED_REREAD_AFTER
        next_check_at = now + min(timedelta(seconds=connection.poll_seconds), wait)
        # Polling comes first, since the counts and the ids of the files may have changed.
        provider_batch.move_to(
            Status.RUNNING,
            next_check_at=max(provider_batch.read_again_at or now, next_check_at),
            rereads=provider_batch.rereads,
            **reread_fields,
        )
    else:
        _finish(provider_batch)


def harvest_vanished(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Fetch the new results of a batch that the provider no longer knows, if its files exist.

    Raises:
        ProviderUnavailable: the lines fetched so far are kept; call again.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    reader = _ResultReader(provider_batch, provider)
    for kind, file_id in [
        (ResultChunk.Kind.OUTPUT, provider_batch.output_file_id),
        (ResultChunk.Kind.ERROR, provider_batch.error_file_id),
    ]:
        with contextlib.suppress(ProviderRejected):
            reader.read(kind, file_id)


def _finish(provider_batch: ProviderBatch) -> None:
    """End the provider batch, or pause it if the provider stopped it for a pause.

    If people have resumed the batch in the meantime, the stopped requests are retried in place.
    """
    batch = provider_batch.batch
    stopped = provider_batch.results.filter(outcome__in={Outcome.PENDING, Outcome.CANCELLED})
    has_open_requests = (
        provider_batch.completed + provider_batch.failed < provider_batch.total
        and provider_batch.connection.capabilities.pause
        and stopped.exists()
    )
    was_stopped = provider_batch.remote_status == "cancelled" and has_open_requests
    if was_stopped and provider_batch.pause():
        return
    batch.reload_requested_stops()
    status = Status.DONE
    fields: dict[str, Any] = {}
    if was_stopped and provider_batch.pause_sent_at and not batch.cancel_requested_at:
        status = Status.RETRYING_IN_PLACE
        fields = {"retried_in_place_at": None, "ended_at": None}
    problem = provider_batch.problem  # the reason of a failure as a whole is shown ever after
    is_final = problem is not None and problem.code == ProblemCode.FAILED_AS_A_WHOLE
    fields |= ProviderBatch.NO_PROBLEM | ({"problem": problem} if is_final else {})
    provider_batch.move_to(status, **fields)


def _fields_to_reread(provider_batch: ProviderBatch) -> dict[str, Any] | None:
    """Return the fields to write before the results are read again; None if they need not be.

    The results are read again from the first line if there are fewer than the provider counts, or,
    once, if there are fewer than requests and a resumed read may have missed lines. If the counts
    are lower than the results, they may only be late: they are polled once more.
    """
    answered = provider_batch.results.exclude(answer_at=None).count()
    counted = provider_batch.completed + provider_batch.failed
    is_short = answered < counted
    if not provider_batch.rereads and provider_batch.connection.capabilities.partial_results:
        is_incomplete = provider_batch.remote_status in ProviderBatch.INCOMPLETE_ENDS
        is_short = is_short or (answered < provider_batch.total and not is_incomplete)
    if is_short:
        return FROM_FIRST_LINE if _may_reread(provider_batch) else None
    return {} if 0 < counted < answered and not provider_batch.rereads else None


def _may_reread(provider_batch: ProviderBatch) -> bool:
    """Return True if the results may be read once more, or their files named yet."""
    if provider_batch.rereads < MAX_REREADS:
        return True
    is_named = provider_batch.output_file_id or provider_batch.error_file_id
    ended_at = provider_batch.ended_at
    return not is_named and ended_at is not None and timezone.now() - ended_at < FILES_UNNAMED_FOR


class StoredSize(NamedTuple):
    """The lines and bytes that are stored of one file."""

    lines: int
    bytes: int

    def exceeds(self, limits: ReadingLimits) -> bool:
        return self.lines > limits.lines or self.bytes > limits.bytes


def _stored_size(provider_batch: ProviderBatch, kind: ResultChunk.Kind) -> StoredSize:
    chunks = provider_batch.result_chunks.filter(kind=kind)
    total = chunks.aggregate(lines=Sum("lines"), bytes=Sum("size"))
    return StoredSize(total["lines"] or 0, total["bytes"] or 0)


class _ResultReader:
    """Reads the result files of a provider batch from where the last harvest stopped."""

    def __init__(self, provider_batch: ProviderBatch, provider: Provider) -> None:
        self._provider_batch = provider_batch
        self._provider = provider
        self._stored_results = StoredResults(provider_batch)
        self._unmatched_lines = UnmatchedLines(provider_batch)
        self._schema_checker = SchemaChecker(provider_batch.batch.upload)
        self._stored = StoredSize(0, 0)

    def read(self, kind: ResultChunk.Kind, file_id: str) -> None:
        if not file_id:
            return
        provider_batch = self._provider_batch
        limits = ReadingLimits.for_requests(provider_batch.total)
        self._stored = _stored_size(provider_batch, kind)
        try:
            self._read_within(limits, kind, file_id)
        except TooMuchContent:
            # The counter keeps a running batch from being harvested again for new results.
            counter = LINE_COUNTERS[kind]
            lines_read = max(getattr(provider_batch, counter), limits.lines)
            provider_batch.renew_lease(**{counter: lines_read})
            limits.record_event(provider_batch, kind)

    def _read_within(self, limits: ReadingLimits, kind: ResultChunk.Kind, file_id: str) -> None:
        """Read and store new lines.

        Raises:
            TooMuchContent: the file, or all that is stored of it, exceeds ``limits``. The lines
                before are stored.
            ProviderError: see ``harvest``.
        """
        if self._stored.exceeds(limits):
            raise TooMuchContent("reading the results: there is too much already")
        provider_batch = self._provider_batch
        lines_read: int = getattr(provider_batch, LINE_COUNTERS[kind])
        skip = start = lines_read if provider_batch.connection.capabilities.partial_results else 0
        keep_torn = bool(provider_batch.ended_at) and provider_batch.failures >= MAX_TORN_READS
        with self._provider.open_content(
            file_id, skip=skip, on_progress=provider_batch.lease_renewer()
        ) as content:
            lines_of_file = content.lines(
                max_bytes=limits.bytes, cut_long=True, keep_torn=keep_torn
            )
            for lines in _blocks(lines_of_file):
                skip += len(lines)
                self._store(kind, lines, cursor=max(skip, lines_read))
                if skip - start > limits.lines or self._stored.exceeds(limits):
                    raise TooMuchContent("reading the results: more lines than requests can have")

    def _store(self, kind: ResultChunk.Kind, lines: list[bytes], *, cursor: int) -> None:
        """Store the new ``lines`` and their results, then set the line counter to ``cursor``.

        1. The bytes go to storage.
        2. Rows and counter follow in one transaction. If the worker dies before, the lines are
           fetched again, and nothing refers to the bytes. The bytes are deleted only if certainly
           nothing was committed.

        A stored line counts as progress: a step that is interrupted again and again ends at last.
        """
        provider_batch, counter = self._provider_batch, LINE_COUNTERS[kind]
        news = SortedLines(provider_batch, lines, self._stored_results, self._unmatched_lines)
        if not news.lines:
            provider_batch.renew_lease(**{counter: cursor})
            return
        answers = news.answers
        self._schema_checker.check(answers)
        body = b"\n".join([*news.lines, b""])
        directory = f"results/{provider_batch.batch_id}/{provider_batch.pk}"
        name = default_storage.save(
            f"{directory}/{kind}-{cursor:09d}-{get_random_string(8)}.jsonl", ContentFile(body)
        )
        try:
            with transaction.atomic():
                result_chunk = ResultChunk.objects.create(
                    provider_batch=provider_batch,
                    kind=kind,
                    blob=name,
                    lines=len(news.lines),
                    size=len(body),
                    sha256=hashlib.sha256(body).hexdigest(),
                )
                write_answers(answers, result_chunk)
                self._unmatched_lines.save(news.unmatched_lines, result_chunk)
                provider_batch.renew_lease(claims=0, **{counter: cursor})
        except StaleRow:
            default_storage.delete(name)
            raise
        self._stored = StoredSize(
            self._stored.lines + len(news.lines), self._stored.bytes + len(body)
        )


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Group the lines into blocks. Lines before an error are returned before it is raised."""
    block: list[bytes] = []
    size = 0
    try:
        for line in lines:
            block.append(line)
            size += len(line)
            if len(block) >= LINES_PER_CHUNK or size >= BYTES_PER_CHUNK:
                yield block
                block, size = [], 0
    except ProviderError:
        if block:
            yield block
        raise
    if block:
        yield block
