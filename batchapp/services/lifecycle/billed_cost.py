"""Fetch the billed cost of a finished batch from providers that report one."""

from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.models import Batch, Reservation
from batchapp.models.fields.money_field import total_or_unknown
from batchapp.providers.base import Provider

# Time after the end of a batch. A provider without a sum by then does not report sums.
MAX_WAIT = timedelta(days=1)
MAX_ANSWERS = 2**63 - 1  # of a column; several provider batches may claim more together
MIN_PAUSE = timedelta(minutes=1)  # between two requests


def fetch_billed_cost(batch: Batch, provider: Provider) -> None:
    """Record the billed cost as soon as the provider has added up all answers of ``batch``.

    The number of billed answers is recorded as well: after a crash the provider may have billed
    more than came. So is the cost before discounts for cached prompts, if the provider names it.
    From then on budgets count what was billed. A provider of a kind that tells no usage is not
    asked.

    Raises:
        StaleRow: another worker has the row; nothing was written.
        ProviderError: nothing was written.
    """
    if not batch.connection.capabilities.analytics:
        stop_asking(batch)
        return
    total, answers = Decimal(0), 0
    list_costs: list[Decimal | None] = []
    for provider_batch in batch.provider_batches.exclude(remote_id=""):
        usage = provider.analytics(provider_batch.remote_id)
        answered = provider_batch.results.filter(outcome__in=SUCCEEDED)
        if usage.total_cost is None and answered.exists():
            postpone(batch)
            return
        total += usage.total_cost or Decimal(0)
        if usage.requests:
            list_costs.append(usage.total_list_cost)
        answers += usage.requests
    if answers < batch.succeeded:
        postpone(batch)
    else:
        with transaction.atomic():
            stop_asking(
                batch,
                billed_cost_usd=total if answers else None,
                billed_list_cost_usd=total_or_unknown(list_costs) if answers else None,
                billed_answers=min(answers, MAX_ANSWERS) or None,
            )
            if answers:
                Reservation.objects.book_billed(batch, total)


def postpone(batch: Batch) -> None:
    """Ask again after ``_pause``, or stop asking a day after the end."""
    pause = _pause(batch)
    if pause > MAX_WAIT:
        stop_asking(batch)
    else:
        batch.postpone(pause)


def stop_asking(batch: Batch, **fields: Decimal | int | None) -> None:
    """Write ``fields``, and ask again only while the batch may still change."""
    if batch.may_still_change:
        batch.postpone(_pause(batch), **fields)
    else:
        batch.rest(**fields)


def _pause(batch: Batch) -> timedelta:
    """Return how long ago the batch finished; so the pauses double."""
    now = timezone.now()
    return max(now - (batch.finished_at or now), MIN_PAUSE)
