"""The sentences of the home page."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count, Q, Sum
from django.utils import timezone

from batchapp.models.batches.batch import BatchQuerySet
from batchapp.templatetags.words import count, usd


def home_headline(waiting: Sequence[object], running: Sequence[object], *, is_new: bool) -> str:
    """Return how many batches wait for a person and how many are under way."""
    if waiting:
        verb = "needs" if len(waiting) == 1 else "need"
        rest = f", {len(running):,} under way" if running else ""
        return f"{count(len(waiting), 'batch,batches')} {verb} attention{rest}"
    if running:
        return f"{count(len(running), 'batch,batches')} under way"
    return "Welcome to Batchapp" if is_new else "Nothing is under way"


def missed_text(batches: BatchQuerySet, since: datetime) -> str:
    """Return how many batches ended since then, how many requests are usable, and the cost."""
    sums = batches.order_by().aggregate(
        number=Count("pk"),
        requests=Sum("requests"),
        usable=Sum("usable"),
        cost=Sum("actual_cost_usd"),
        unpriced=Count("pk", filter=Q(actual_cost_usd=None)),
    )
    local = timezone.localtime(since)
    text = f"{count(sums['number'], 'batch,batches')} since {local:%a %-d %b, %H:%M}: "
    text += f"{sums['usable'] or 0:,} of {count(sums['requests'] or 0, 'request')} usable"
    if sums["cost"] is None:
        return f"{text}."
    at_least = "at least " if sums["unpriced"] else ""
    return f"{text}, {at_least}{usd(sums['cost'])}."
