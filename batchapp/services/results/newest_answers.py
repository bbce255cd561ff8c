"""Tell how many answers of a batch are newer than a copy of them."""

from django.db.models import Max, Q

from batchapp import access
from batchapp.models import Batch, Result, ResultChunk, User
from batchapp.models.batches import lineage


def newest_chunk(batch: Batch) -> int:
    """Return the primary key of the newest stored results of ``batch`` and its retries, or 0."""
    batches = [batch, *lineage.descendants(batch, lineage.batch_and_retries(batch))]
    chunks = ResultChunk.objects.filter(provider_batch__batch__in=batches)
    return chunks.aggregate(newest=Max("pk"))["newest"] or 0


def count_newer(batch: Batch, user: User, chunk: int) -> int:
    """Count the requests whose answer was stored after the results with primary key ``chunk``.

    The answer of a retry counts, if it is better than that of the batch.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    if newest_chunk(batch) <= chunk:
        return 0
    newer = Q(retried__isnull=True, result_chunk__gt=chunk) | Q(retried__result_chunk__gt=chunk)
    return Result.objects.filter(newer, batch=batch).count()
