"""Give the requests that were not sent their results, which point to the answers."""

from collections.abc import Iterator
from itertools import islice

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.reuse.reuse_plan import ReusedRequest
from batchapp.models import Batch, ProviderBatch, Result, ReusedRequests

ROWS_AT_ONCE = 2_000


def write_reused_results(batch: Batch) -> None:
    """Write a result for each request that ``batch`` does not send, once all others have theirs.

    Until then nothing is written; calling again writes what is missing. A kept answer that was
    deleted meanwhile leaves its result without one.
    """
    if not batch.reused or _is_written(batch):
        return
    preparing = ProviderBatch.Status.PREPARING
    if batch.provider_batches.filter(status=preparing).exists():
        return
    row = ReusedRequests.objects.filter(upload=batch.upload_id).first()
    requests = row.read() if row else iter(())
    while block := list(islice(requests, ROWS_AT_ONCE)):
        Result.objects.bulk_create(results_of(batch, block), ignore_conflicts=True)


def _is_written(batch: Batch) -> bool:
    return batch.results.filter(outcome=Outcome.REUSED).count() >= batch.reused


def results_of(batch: Batch, requests: list[ReusedRequest]) -> Iterator[Result]:
    """Yield the unsaved results of ``requests``, without an answer if that is not there any more.

    If the batch was stopped before the first of equal lines had a result, the others get none.
    """
    answers = Result.objects.filter(pk__in=[request.answer for request in requests])
    kept = set(answers.filter(batch__project=batch.project_id).values_list("pk", flat=True))
    first = batch.results.filter(line__in={request.same_as for request in requests})
    counted = {
        line: retried or pk for line, pk, retried in first.values_list("line", "pk", "retried")
    }
    for request in requests:
        if request.same_as and request.same_as not in counted:
            continue
        answer = counted[request.same_as] if request.same_as else request.answer
        yield Result(
            batch_id=batch.pk,
            line=request.line,
            custom_id=request.custom_id,
            model=request.model,
            request_at=0,
            request_bytes=0,
            outcome=Outcome.REUSED,
            retried_id=answer if request.same_as or answer in kept else None,
        )
