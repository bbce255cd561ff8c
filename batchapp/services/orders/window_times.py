"""How long batches really took in each completion window."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import Exists, OuterRef

from batchapp.models import Batch, Connection, Event
from batchapp.models.batches.event import OTHER_WAITS
from batchapp.models.people.user import AnyUser

MIN_BATCHES = 3  # fewer say nothing of what is usual
MAX_BATCHES = 500  # the newest: providers get faster and slower over time


@dataclass(frozen=True, slots=True)
class WindowTime:
    """The times from order to end of finished batches: the median, and the longest."""

    usual: timedelta
    longest: timedelta
    batches: int


def window_times(user: AnyUser, connection: Connection) -> dict[str, WindowTime]:
    """Return window -> the times of the completed batches that ``user`` may see, by one query.

    A window with fewer than ``MIN_BATCHES`` is absent.
    """
    waited = Event.objects.filter(batch=OuterRef("pk"), kind__in=OTHER_WAITS)
    batches = (
        Batch.objects.visible_to(user)
        .filter(
            ~Exists(waited),
            connection=connection,
            status=Batch.Status.COMPLETED,
            finished_at__isnull=False,
        )
        .order_by("-created_at")
        .values_list("window", "created_at", "finished_at")
    )
    times: defaultdict[str, list[timedelta]] = defaultdict(list)
    for window, created_at, finished_at in batches[:MAX_BATCHES]:
        if finished_at:
            times[window].append(max(finished_at - created_at, timedelta()))
    return {
        window: WindowTime(_median(lengths), max(lengths), len(lengths))
        for window, lengths in times.items()
        if len(lengths) >= MIN_BATCHES
    }


def _median(lengths: list[timedelta]) -> timedelta:
    return timedelta(seconds=median(length.total_seconds() for length in lengths))
