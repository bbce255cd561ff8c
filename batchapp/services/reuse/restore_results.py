"""Restore the results of requests that were not sent, and what they point to."""

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from django.db import transaction

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.reuse.request_digest import DIGEST_BYTES
from batchapp.domain.reuse.reuse_plan import ReusedRequest
from batchapp.models import Batch, Result, ReusedRequests
from batchapp.services.reuse.digested_files import RenewLease, stored_digests
from batchapp.services.reuse.find_answers import KeptAnswers
from batchapp.services.reuse.reused_results import ROWS_AT_ONCE, results_of

WRITTEN = ("custom_id", "model", "provider_batch", "request_at", "request_bytes", "retried")


def restore_reused_results(batch: Batch, renew_lease: RenewLease) -> None:
    """Write the results of the requests that ``batch`` did not send as they were written first.

    All other results of the batch must be there. A result whose answer got another row meanwhile,
    as by a rebuild of its batch, points to the answer to the same request there. Without an answer
    are those whose answers were deleted.

    Raises:
        StaleRow: the batch runs again; what was written so far is right.
    """
    stored = ReusedRequests.objects.filter(upload=batch.upload_id).first()
    if not batch.reused or stored is None:
        return
    moved: KeptAnswers | None = None
    digests = b""
    requests, last = stored.read(), 0
    while block := list(islice(requests, ROWS_AT_ONCE)):
        results = list(results_of(batch, block))
        lost = [row for row in results if row.retried_id is None]
        if lost and moved is None:
            digests = stored_digests(batch.upload, renew_lease)
            moved = _answers_of_sources(batch, digests, renew_lease)
        for row in lost if moved else ():
            _point_to_answer(row, moved, digests)
        with transaction.atomic():
            renew_lease(0)
            _delete_others(batch, block, last)
            Result.objects.bulk_create(
                results,
                update_conflicts=True,
                unique_fields=["batch", "line"],
                update_fields={*WRITTEN, *Result.NO_ANSWER},
            )
        last = block[-1].line


def batches_that_reuse(batch: Batch) -> list[Batch]:
    """Return the finished batches with results that lost the answer of ``batch`` they had."""
    rows = Batch.objects.filter(project=batch.project_id, reused__gt=0, purged_at=None)
    lost = Result.objects.filter(outcome=Outcome.REUSED, retried=None).order_by()
    rows = rows.filter(pk__in=lost.filter(batch__in=rows).values("batch"))
    return [
        row for row in rows.select_related("upload") if str(batch.pk) in set(_source_keys(row))
    ]


def count_without_answer(batch: Batch) -> int:
    """Return how many requests that ``batch`` did not send have no answer."""
    written = batch.results.filter(outcome=Outcome.REUSED, retried__isnull=False)
    return max(0, batch.reused - written.count())


def _source_keys(batch: Batch) -> Iterable[str]:
    reuse = batch.upload.reuse
    return [source.batch for source in reuse.sources] if reuse else []


def _answers_of_sources(batch: Batch, digests: bytes, renew_lease: RenewLease) -> KeptAnswers:
    """Return the answers of the batches whose answers ``batch`` kept, as they are now."""
    answers = KeptAnswers(digests)
    pks = [UUID(key) for key in _source_keys(batch)]
    sources = Batch.objects.filter(pk__in=pks, project=batch.project_id, purged_at=None)
    for source in sources.select_related("upload").order_by("-finished_at", "pk"):
        answers.search(source, renew_lease)
    return answers


def _point_to_answer(row: Result, answers: KeptAnswers | None, digests: bytes) -> None:
    at = (row.line - 1) * DIGEST_BYTES
    digest = digests[at : at + DIGEST_BYTES]
    if answers and digest and (answer := answers.find(digest, hash(row.custom_id))):
        row.retried_id = answer.result


def _delete_others(batch: Batch, block: list[ReusedRequest], last: int) -> None:
    """Delete reused results after line ``last`` that are not in ``block``, up to its end.

    Results elsewhere that have a custom_id of the block are deleted as well.
    """
    lines = {request.line: request.custom_id for request in block}
    within = batch.results.filter(line__gt=last, line__lte=block[-1].line)
    stored = [
        *within.filter(outcome=Outcome.REUSED).values_list("pk", "line", "custom_id"),
        *batch.results.filter(custom_id__in=lines.values()).values_list("pk", "line", "custom_id"),
    ]
    pks = {pk for pk, line, custom_id in stored if lines.get(line) != custom_id}
    Result.objects.filter(pk__in=pks).delete()
