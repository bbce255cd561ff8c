"""How long finished batches took, by model and completion window."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast

from batchapp.models import Batch, Event
from batchapp.models.batches.event import OTHER_WAITS
from batchapp.services.reports.scope import Scope

MIN_BATCHES = 3  # fewer say nothing of what is usual
MAX_ROWS = 20_000  # the newest costs that are read, so that a page of a large portal stays quick


@dataclass(frozen=True, slots=True)
class CompletionTime:
    """The times from order to end of ``batches``; ``model`` is "" for all models.

    Half of them took no longer than ``median``, and nine of ten no longer than ``p90``.
    """

    model: str
    window: str
    batches: int
    mean: timedelta
    median: timedelta
    p90: timedelta


def completion_times(scope: Scope) -> list[CompletionTime]:
    """Return the times of each window, and of each window and model, by one query.

    Only completed batches count that waited for nobody. A window with fewer than ``MIN_BATCHES``
    is left out, and likewise a model in a window.
    """
    waited = Event.objects.filter(batch=OuterRef("batch"), kind__in=OTHER_WAITS)
    rows = scope.model_costs().filter(~Exists(waited), batch__status=Batch.Status.COMPLETED)
    # As text: to make a UUID and times of each takes longer than the query.
    rows = rows.annotate(
        key=Cast("batch", CharField()),
        began=Cast("batch__created_at", CharField()),
        ended=Cast("batch__finished_at", CharField()),
    )
    columns = ("key", "model", "batch__window", "began", "ended")
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    seen = set()
    for batch, model, window, began, ended in rows.order_by("-batch__finished_at").values_list(
        *columns
    )[:MAX_ROWS]:
        took = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
        seconds = max(took.total_seconds(), 0)
        times[window, model].append(seconds)
        if batch not in seen:
            seen.add(batch)
            times[window, ""].append(seconds)
    return [
        _time(model, window, sorted(seconds))
        for (window, model), seconds in sorted(times.items())
        if len(seconds) >= MIN_BATCHES
    ]


def _time(model: str, window: str, seconds: list[float]) -> CompletionTime:
    return CompletionTime(
        model=model,
        window=window,
        batches=len(seconds),
        mean=timedelta(seconds=sum(seconds) / len(seconds)),
        median=timedelta(seconds=quantile(seconds, 0.5)),
        p90=timedelta(seconds=quantile(seconds, 0.9)),
    )


def quantile(ordered: list[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of ``ordered`` do not exceed."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
