"""After the seventh room: what the provider says it billed, where it says so."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.models import Batch
from batchapp.providers.client import ProviderClient

ASKED_FOR = timedelta(days=1)
"""After the end of a batch. A provider that has no sum by then does not add them up."""

SHORTEST_PAUSE = timedelta(minutes=1)


def fetch_billed_cost(batch: Batch, provider: ProviderClient) -> None:
    """Keep what ``batch`` was billed as soon as the provider has added up all its answers.

    Raises:
        StaleRow: another worker has it now; nothing was written.
        UpstreamError: there was no usable answer.
    """
    total, answers = Decimal(0), 0
    for provider_batch in batch.provider_batches.exclude(remote_id=""):
        used = provider.analytics(provider_batch.remote_id)
        if (
            used.total_cost is None
            and provider_batch.results.filter(outcome__in=SUCCEEDED).exists()
        ):
            postpone(batch)
            return
        total += used.total_cost or Decimal(0)
        answers += used.requests
    if answers < batch.succeeded:
        postpone(batch)
    else:
        stop_asking(batch, billed_cost_usd=total if answers else None)


def postpone(batch: Batch) -> None:
    """Come again after as long as it has been over, but not for more than a day."""
    pause = _pause(batch)
    if pause > ASKED_FOR:
        stop_asking(batch)
    else:
        batch.postpone(pause)


def stop_asking(batch: Batch, **fields: Decimal | None) -> None:
    """Keep ``fields``, and never ask again unless more may be answered, and billed."""
    if batch.may_still_change:
        batch.postpone(_pause(batch), **fields)
    else:
        batch.record(next_check_at=None, leased_until=None, claims=0, **fields)


def _pause(batch: Batch) -> timedelta:
    """As long as it has been over."""
    now = timezone.now()
    return max(now - (batch.finished_at or now), SHORTEST_PAUSE)
