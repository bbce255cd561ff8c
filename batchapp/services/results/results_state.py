"""Name the state of the results of a batch that is over, so that copies of them can go stale."""

from batchapp.models import Batch, Purge
from batchapp.models.batches import lineage


def state_at_end(batch: Batch) -> str:
    """Return a text that changes whenever a result of the batch, or of a retry, may have changed.

    Results change only while a batch runs, so the times at which it and its retries ended tell.
    Reused answers also go with the batch that has them, when its content is deleted.
    """
    batches = [batch, *lineage.descendants(batch, lineage.batch_and_retries(batch))]
    ends = [row.finished_at.isoformat() for row in batches if row.finished_at]
    parts = [batch.finished_at.isoformat() if batch.finished_at else "", str(len(ends))]
    parts.append(max(ends, default=""))
    if batch.reused:
        purges = Purge.objects.filter(batch__project=batch.project_id, status=Purge.Status.DONE)
        parts.append(str(purges.count()))
    return " ".join(parts)
