"""Compare the results of a retry with those of the batch that it retries."""

from typing import NamedTuple

from django.db.models import CharField, Count, OuterRef, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat

from batchapp.domain.results.best_attempt import is_better
from batchapp.domain.results.outcome import FAILED
from batchapp.models import Batch, Result

SEPARATOR = "|"  # in no outcome and no status code


class Gain(NamedTuple):
    """The requests of a retry that ended better than before, and that failed as before."""

    improved: int
    repeated: int


def gain_of(batch: Batch) -> Gain | None:
    """Count the gain of ``batch`` over its parent; None if it has no parent.

    An error is the same if its outcome, HTTP status and code are.
    """
    if batch.parent_id is None:
        return None
    before = Result.objects.filter(batch=batch.parent_id, custom_id=OuterRef("custom_id"))
    rows = (
        batch.results.order_by()
        .annotate(
            ended=_ending(),
            before=Coalesce(Subquery(before.annotate(ended=_ending()).values("ended")), Value("")),
        )
        .values_list("ended", "before")
        .annotate(Count("pk"))
    )
    improved = repeated = 0
    for ended, ended_before, number in rows:
        outcome, outcome_before = (text.split(SEPARATOR)[0] for text in (ended, ended_before))
        if is_better(outcome, outcome_before):
            improved += number
        elif outcome in FAILED and ended == ended_before:
            repeated += number
    return Gain(improved, repeated)


def _ending() -> Concat:
    """Return the outcome, the HTTP status and the error code of a result as one text."""
    status = Coalesce(Cast("status_code", CharField()), Value(""))
    separator = Value(SEPARATOR)
    return Concat("outcome", separator, status, separator, "error_code", output_field=CharField())
