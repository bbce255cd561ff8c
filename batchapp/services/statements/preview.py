"""What a month would say if it were closed now, and what is still open in it."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count

from batchapp import access
from batchapp.models import Batch, User
from batchapp.services.statements import calendar, unstated
from batchapp.services.statements.part import Part
from batchapp.services.statements.sums import Total, sum_up, total_of

MAX_MODELS = 10  # without a price, that a page names


@dataclass(frozen=True, slots=True)
class Preview:
    """``running`` batches were ordered before the end of the month and are not over.

    ``unpriced`` has the models without a price, each with its number of costs.
    """

    total: Total
    projects: int
    running: int
    unpriced: list[tuple[str, int]]


def preview(month: date, user: User) -> Preview:
    """Return what the close of ``month`` would freeze.

    Raises:
        NotAllowed: ``user`` is no administrator.
    """
    access.require_administer(user)
    part = Part(month)
    totals = sum_up(part, "project")
    running = Batch.objects.unfinished().filter(
        connection__is_sandbox=False, created_at__lt=calendar.ends_at(month)
    )
    unknown = part.costs().filter(~unstated.stated(), cost_usd=None).order_by()
    models = unknown.values_list("model").annotate(number=Count("pk")).order_by("-number", "model")
    return Preview(total_of(totals), len(totals), running.count(), list(models[:MAX_MODELS]))
