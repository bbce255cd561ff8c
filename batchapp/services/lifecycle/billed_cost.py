"""After the seventh room: what the provider says it billed, where it says so."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.models import Batch
from batchapp.providers.client import UpstreamClient

ASKED_FOR = timedelta(days=1)
"""After the end of a batch. A provider that has no sum by then does not add them up."""

SHORTEST_PAUSE = timedelta(minutes=1)


def ask(batch: Batch, upstream: UpstreamClient) -> None:
    """Keep what ``batch`` was billed as soon as the provider has added up all its answers.

    Raises:
        StaleRow: another worker has it now; nothing was written.
        UpstreamError: there was no usable answer.
    """
    total, answers = Decimal(0), 0
    for part in batch.parts.exclude(upstream_id=""):
        used = upstream.analytics(part.upstream_id)
        if used.total_cost is None and part.results.filter(outcome__in=SUCCEEDED).exists():
            ask_later(batch)
            return
        total += used.total_cost or Decimal(0)
        answers += used.requests
    if answers < batch.succeeded:
        ask_later(batch)
    else:
        close(batch, billed_cost_usd=total if answers else None)


def ask_later(batch: Batch) -> None:
    """Come again after as long as it has been over, but not for more than a day."""
    pause = _pause(batch)
    if pause > ASKED_FOR:
        close(batch)
    else:
        batch.postpone(pause)


def close(batch: Batch, **fields: Decimal | None) -> None:
    """Keep ``fields``, and never ask again unless more may be answered, and billed."""
    if batch.may_still_change:
        batch.postpone(_pause(batch), **fields)
    else:
        batch.record(next_check_at=None, leased_until=None, claims=0, **fields)


def _pause(batch: Batch) -> timedelta:
    """As long as it has been over."""
    now = timezone.now()
    return max(now - (batch.finished_at or now), SHORTEST_PAUSE)
