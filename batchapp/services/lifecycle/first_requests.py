"""Send the first requests of a batch alone, so that the others read their prompts from a cache.

A provider's prompt cache can be read once the request that wrote the prompt has ended. All
requests that start before pay the higher price of writing it.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import ProviderBatch

LONGEST_WAIT = timedelta(minutes=30)  # for the first requests, from their submission
# The end of the first requests wakes the others; this check only replaces a lost message.
CHECK_INTERVAL = timedelta(minutes=1)


def waits_for_first() -> Q:
    """Match the unsent provider batches whose batch has first requests that are not answered yet.

    First requests that were stopped, or that a person must decide about, are not waited for.
    """
    first = ProviderBatch.objects.filter(
        Q(submitted_at=None) | Q(submitted_at__gt=timezone.now() - LONGEST_WAIT),
        batch=OuterRef("batch"),
        number=1,
        parked_reason="",
        ended_at=None,
    ).exclude(status__in=ProviderBatch.OVER)
    return Q(
        Exists(first),
        status=ProviderBatch.Status.WAITING,
        number__gt=1,
        batch__sent_first__gt=0,
        create_attempted_at=None,
    )


def wait_for_first(provider_batch: ProviderBatch) -> bool:
    """Postpone a provider batch that is to wait for the first requests; False for any other.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    sent_first = provider_batch.batch.sent_first
    waiting = ProviderBatch.objects.filter(waits_for_first(), pk=provider_batch.pk)
    if not sent_first or not waiting.exists():
        return False
    problem = Problem(ProblemCode.WAITS_FOR_FIRST, {"requests": sent_first})
    provider_batch.postpone(CHECK_INTERVAL, **ProviderBatch.NO_PROBLEM | {"problem": problem})
    # The line above has undone it if the first requests ended in between and woke the row.
    if not waiting.exists():
        ProviderBatch.objects.filter(pk=provider_batch.pk).update(next_check_at=timezone.now())
    return True


def wake_others(provider_batch: ProviderBatch) -> list[ProviderBatch]:
    """Make the provider batches due that have waited for this one, if it has ended or stopped."""
    is_first = provider_batch.number == 1 and provider_batch.batch.sent_first > 0
    is_over = provider_batch.ended_at or provider_batch.status in ProviderBatch.OVER
    if not is_first or not (is_over or provider_batch.parked_reason):
        return []
    others = ProviderBatch.objects.filter(
        batch=provider_batch.batch_id,
        number__gt=1,
        status=ProviderBatch.Status.WAITING,
        parked_reason="",
        failures=0,
        slot_assigned_at=None,
        create_attempted_at=None,
    )
    others.update(next_check_at=timezone.now())
    return list(others)
