"""Compare the counts of a batch with its results."""

from django.db.models import Count

from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.models import Batch

REUSED_COUNTS = ("reused", "with an answer")  # of requests that were not sent


def differing_counts(batch: Batch) -> dict[str, list[int]]:
    """Return the counts of ``batch`` that its results do not have: name -> expected and found.

    A batch under way has no counts yet, and one that was purged meanwhile no results.
    """
    outcomes = dict(batch.results.sent().order_by().values_list("outcome").annotate(Count("pk")))
    batch.refresh_from_db()
    if not batch.is_over or batch.purged_at:  # its results are being deleted
        return {}
    counted = {
        "requests": sum(outcomes.values()),
        "succeeded": sum(outcomes.get(outcome, 0) for outcome in SUCCEEDED),
        "failed": sum(outcomes.get(outcome, 0) for outcome in FAILED),
        "cancelled": outcomes.get(Outcome.CANCELLED, 0),
        "missing": outcomes.get(Outcome.MISSING, 0),
    }
    # A provider batch that was cancelled before it was prepared has no rows.
    unprepared = batch.provider_batches.filter(results=None, status="cancelled")
    without_rows = sum(unprepared.values_list("total", flat=True)) or (
        batch.requests if not counted["requests"] and batch.cancelled == batch.requests else 0
    )
    counted["requests"] += without_rows
    counted["cancelled"] += without_rows
    expected = {name: getattr(batch, name) for name in counted}
    if batch.reused and not without_rows:
        counted |= _count_reused(batch)
        expected |= dict.fromkeys(REUSED_COUNTS, batch.reused)
    return {
        name: [expected[name], number]
        for name, number in counted.items()
        if expected[name] != number
    }


def _count_reused(batch: Batch) -> dict[str, int]:
    """Count the results of requests that were not sent.

    Those with an answer are counted unless some answers were deleted on purpose.
    """
    rows = batch.results.filter(outcome=Outcome.REUSED)
    counts = [rows.count()]
    reuse = batch.upload.reuse
    sources = {source.batch for source in reuse.sources} if reuse else set()
    there = Batch.objects.filter(pk__in=sources, purged_at=None).count()
    if there == len(sources):
        counts.append(rows.filter(retried__isnull=False).count())
    return dict(zip(REUSED_COUNTS, counts, strict=False))
