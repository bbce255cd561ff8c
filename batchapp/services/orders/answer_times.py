"""How long the provider takes for an answer, as far as the team's own batches show it."""

from collections.abc import Iterable

from batchapp.models import Project, ProviderBatch

BATCHES_LOOKED_AT = 20  # the last of them
LEAST_REQUESTS = 50  # of a batch: the time of a smaller one is mostly waiting


def seconds_per_answer(project: Project, models: Iterable[str], concurrency: int) -> float | None:
    """Return the most seconds that one answer takes, as the fastest batch shows; None without one.

    The time of a batch includes its waiting, so an answer took less than this.
    """
    rows = ProviderBatch.objects.filter(
        batch__project=project,
        batch__model_costs__model__in=list(models),
        batch__requests__gte=LEAST_REQUESTS,
        submitted_at__isnull=False,
        ended_at__isnull=False,
    )
    rows = rows.exclude(batch__provider_batches__number__gt=1).order_by("-ended_at")
    times = [
        (ended_at - submitted_at).total_seconds() * concurrency / requests
        for submitted_at, ended_at, requests in rows.values_list(
            "submitted_at", "ended_at", "batch__requests"
        )[:BATCHES_LOOKED_AT]
        if submitted_at and ended_at and requests
    ]
    return min(times, default=None)
