"""Count the requests of a batch by outcome, and keep the counts of large batches."""

from collections import Counter
from collections.abc import Collection, Mapping

from django.db.models import Count

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, EventKind, OutcomeCounts
from batchapp.models.batches import lineage
from batchapp.services.results.results_state import state_at_end
from batchapp.services.results.retry_file import RetryableCounts, retryable_results

COUNTED_ANEW = 1_000  # requests; those of smaller batches are counted for each page
MAX_RETRYABLE_ROWS = 1_000  # pairs of outcome and error code that are kept


def count_outcomes(
    batch: Batch, *, with_retries: bool, among: Collection[Outcome] | None = None
) -> dict[Outcome, int]:
    """Count the requests of ``batch`` that were sent by outcome.

    ``with_retries``: count all requests, by the outcome of the answer that counts. ``among`` are
    the only outcomes to count; it is not for counts with retries. Once the results are deleted,
    these are the counts at the end of the batch.
    """
    counts: Mapping[str, int]
    if batch.purged_at:
        counts = _counts_at_end(batch)
    elif stored := _stored(batch):
        counts = stored.merged if with_retries else stored.own
    elif with_retries and _has_others_answers(batch):
        counts = _count_merged(batch)
    else:
        counts = _count_own(batch, among)
    counted = [outcome for outcome in Outcome if among is None or outcome in among]
    return {outcome: counts[outcome] for outcome in counted if counts.get(outcome)}


def retryable_counts(batch: Batch) -> RetryableCounts:
    """Count the requests of ``batch`` that can be retried and that no retry has answered."""
    stored = None if batch.purged_at else _stored(batch)
    rows = stored.retryable if stored and stored.retryable is not None else _retryable_rows(batch)
    return RetryableCounts(Counter({(Outcome(outcome), code): n for outcome, code, n in rows}))


def store_at_end(batch: Batch) -> None:
    """Count the results of a large batch that has just ended, and of those that it retries."""
    for row in [batch, *lineage.ancestors(batch, lineage.batch_and_retries(batch))]:
        if row.is_over and not row.purged_at and _is_large(row):
            _store(row)


def _has_others_answers(batch: Batch) -> bool:
    """Return True if answers of retries or reused answers may count for requests of ``batch``."""
    return bool(batch.reused) or batch.retries.exists()


def _is_large(batch: Batch) -> bool:
    return batch.requests + batch.reused > COUNTED_ANEW


def _stored(batch: Batch) -> OutcomeCounts | None:
    """Return the counts of the present results, made now if need be; None if none are kept."""
    if not batch.is_over or not _is_large(batch):
        return None
    stored = OutcomeCounts.objects.filter(batch=batch).first()
    return stored if stored and stored.built_from == state_at_end(batch) else _store(batch)


def _store(batch: Batch) -> OutcomeCounts:
    # Read first: results that arrive while they are counted make the counts out of date.
    state = state_at_end(batch)
    own = _count_own(batch)
    retryable = _retryable_rows(batch, most=MAX_RETRYABLE_ROWS + 1)
    fields = {
        "own": own,
        "merged": _count_merged(batch) if _has_others_answers(batch) else own,
        "retryable": retryable if len(retryable) <= MAX_RETRYABLE_ROWS else None,
        "built_from": state,
    }
    return OutcomeCounts.objects.update_or_create(batch=batch, defaults=fields)[0]


def _count_own(batch: Batch, among: Collection[Outcome] | None = None) -> dict[str, int]:
    rows = batch.results.sent() if among is None else batch.results.filter(outcome__in=among)
    return dict(rows.order_by().values_list("outcome").annotate(Count("pk")))


def _count_merged(batch: Batch) -> dict[str, int]:
    field = "merged"  # the type checker does not know annotations by their names
    rows = batch.results.order_by().with_retries().values_list(field)
    return dict(rows.annotate(Count("pk")))


def _retryable_rows(batch: Batch, most: int | None = None) -> list[tuple[str, str, int]]:
    rows = retryable_results(batch).order_by().values_list("outcome", "error_code")
    return list(rows.annotate(Count("pk"))[:most])


def _counts_at_end(batch: Batch) -> dict[str, int]:
    event = batch.events.filter(kind=EventKind.FINISHED).order_by("-at", "-pk").first()
    counts: dict[str, int] = event.data["outcomes"] if event else {}
    return counts
