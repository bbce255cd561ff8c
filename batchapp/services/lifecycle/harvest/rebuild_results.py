"""Rebuild the results of a batch from its stored files, as the harvest wrote them."""

from collections.abc import Iterator
from itertools import islice

from django.db import transaction

from batchapp.domain.results.outcome import Answer
from batchapp.models import Batch, ProviderBatch, Result, ResultChunk, UnmatchedLine
from batchapp.services.lifecycle.harvest.match_lines import (
    NewAnswer,
    apply_answer,
    is_better,
    read_line,
    write_answers,
)
from batchapp.services.lifecycle.harvest.schema_check import SchemaChecker
from batchapp.services.lifecycle.harvest.stored_results import StoredResult, StoredResults
from batchapp.services.lifecycle.harvest.unmatched_lines import MAX_LISTED
from batchapp.services.lifecycle.prepare import REQUEST_FIELDS, RESULTS_PER_INSERT, pending_rows
from batchapp.services.lifecycle.retry_in_place import clear_failures
from batchapp.services.lifecycle.settle import close_unanswered_requests

LINES_AT_ONCE = 2_000


def rebuild_results(batch: Batch) -> int:
    """Write the results and unmatched lines of ``batch`` anew, and return the number of results.

    ``batch`` is over, and leased by the caller. Results that are there keep their primary keys,
    so that results of other batches may refer to them.

    1. Each request of the file gets its row, without an answer; other rows are deleted.
    2. The stored lines are read again in the order in which they came, and each answer counts as
       it did then.
    3. What has no answer gets its outcome.

    Requests that were not sent, since another result has their answer, are left alone.

    It may be interrupted at any time, and done again.

    Raises:
        OSError: a file is gone; requests whose answers were not read yet have none.
        StaleRow: the batch runs again; rebuild it once it is over.
    """
    provider_batches = list(batch.provider_batches.select_related("batch__upload").all())
    last = 0
    for provider_batch in provider_batches:
        if provider_batch.size is not None:  # else it was cancelled before its file was split
            last = _write_requests(batch, provider_batch, last)
    with transaction.atomic():
        batch.renew_lease()
        batch.results.sent().filter(line__gt=last).delete()
    for provider_batch in provider_batches:
        _replay(batch, provider_batch)
    with transaction.atomic():
        batch.renew_lease()
        close_unanswered_requests(batch)
    return batch.results.sent().count()


def _write_requests(batch: Batch, provider_batch: ProviderBatch, last: int) -> int:
    """Write a row without an answer for each request, and return the line of the last one.

    ``last`` is the last line of the provider batch before.
    """
    rows = (
        Result(
            batch=batch,
            provider_batch=provider_batch,
            **dict(zip(REQUEST_FIELDS, row, strict=True)),
        )
        for row in pending_rows(provider_batch, batch.lease_renewer())
    )
    written = {"provider_batch", *REQUEST_FIELDS, *Result.NO_ANSWER} - {"line"}
    while block := list(islice(rows, RESULTS_PER_INSERT)):
        with transaction.atomic():
            batch.renew_lease()
            _delete_others(batch, block, last)
            Result.objects.bulk_create(
                block,
                update_conflicts=True,
                unique_fields=["batch", "line"],
                update_fields=written,
            )
        last = block[-1].line
    return last


def _delete_others(batch: Batch, block: list[Result], last: int) -> None:
    """Delete the rows after line ``last`` up to the end of ``block`` that are not in ``block``.

    Rows elsewhere that have a custom_id of the block are deleted as well.
    """
    lines = {row.line: row.custom_id for row in block}
    sent = batch.results.sent()
    within = sent.filter(line__gt=last, line__lte=block[-1].line)
    stored = [
        *within.values_list("pk", "line", "custom_id"),
        *sent.filter(custom_id__in=lines.values()).values_list("pk", "line", "custom_id"),
    ]
    Result.objects.filter(
        pk__in={pk for pk, line, custom_id in stored if lines.get(line) != custom_id}
    ).delete()


def _replay(batch: Batch, provider_batch: ProviderBatch) -> None:
    """Read the stored lines of one provider batch again, and write what they say."""
    with transaction.atomic():
        batch.renew_lease()
        UnmatchedLine.objects.filter(provider_batch=provider_batch).delete()
    checker, listed, resets = SchemaChecker(batch.upload), 0, None
    for chunk in provider_batch.result_chunks.order_by("pk"):
        if resets is not None and chunk.retries_after < resets:
            _clear(batch, provider_batch)
        resets = chunk.retries_after
        for block in _blocks(chunk):
            listed += _replay_block(batch, chunk, block, checker, MAX_LISTED - listed)
    if resets:
        _clear(batch, provider_batch)


def _clear(batch: Batch, provider_batch: ProviderBatch) -> None:
    with transaction.atomic():
        batch.renew_lease()
        clear_failures(provider_batch)


Line = tuple[int, bytes]  # position and bytes of a line in its chunk


def _blocks(chunk: ResultChunk) -> Iterator[list[Line]]:
    def positions() -> Iterator[Line]:
        at = 0
        for line in chunk.read_lines():
            yield at, line
            at += len(line) + 1

    lines = positions()
    while block := list(islice(lines, LINES_AT_ONCE)):
        yield block


def _replay_block(
    batch: Batch, chunk: ResultChunk, block: list[Line], checker: SchemaChecker, left: int
) -> int:
    """Write the results and the first ``left`` unmatched lines of ``block``; count the latter."""
    answers = [(at, line, read_line(line)) for at, line in block]
    names = {answer.custom_id for *_, answer in answers if answer}
    results = StoredResults(chunk.provider_batch).find(names)
    changed: dict[int, NewAnswer] = {}
    unmatched = []
    for at, line, answer in answers:
        result = results.get(answer.custom_id) if answer else None
        if answer and result and is_better(answer, result):
            changed[result.pk] = apply_answer(result, answer, line, at)
        else:
            unmatched.append(_unmatched_line(chunk, at, line, answer, result))
    checker.check(changed.values())
    with transaction.atomic():
        batch.renew_lease()
        write_answers(changed.values(), chunk)
        UnmatchedLine.objects.bulk_create(unmatched[:left])
    return min(left, len(unmatched))


def _unmatched_line(
    chunk: ResultChunk, at: int, line: bytes, answer: Answer | None, result: StoredResult | None
) -> UnmatchedLine:
    reason = UnmatchedLine.Reason.SECOND if result else UnmatchedLine.Reason.UNKNOWN
    return UnmatchedLine(
        provider_batch_id=chunk.provider_batch_id,
        result_chunk=chunk,
        reason=reason if answer else UnmatchedLine.Reason.UNREADABLE,
        custom_id=answer.custom_id[:100] if answer else "",
        answer_at=at,
        answer_bytes=len(line),
    )
