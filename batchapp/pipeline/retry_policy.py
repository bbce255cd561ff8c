"""Decide what happens when a provider rejects a request or does not answer."""

import random
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from batchapp.models import BatchImport, ProviderBatch
from batchapp.pipeline.runner import MAX_RETRY_PAUSE, close_cancelled, stop_for_person
from batchapp.providers.errors import (
    KEY_REASONS,
    NoCapacity,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
)
from batchapp.services.lifecycle import fallback_window, slots
from batchapp.services.lifecycle.find_created_batch import CREATE_SEARCH_LIMIT
from batchapp.services.providers import provider_advice, provider_keys

# Time without a usable answer after which a batch that must be cancelled is closed here.
GIVE_UP_AFTER = timedelta(minutes=15)


def handle_rejection(provider_batch: ProviderBatch, exc: ProviderRejected) -> None:
    """Stop for a person, unless the rejection may be temporary.

    A provider batch that must be cancelled and is being harvested is retried as well, because its
    answers are paid.
    """
    connection, created_at = provider_batch.connection, provider_batch.create_attempted_at
    is_new = created_at and timezone.now() - created_at < connection.create_grace
    if exc.reason is Reason.NOT_FOUND and provider_batch.remote_id and is_new:
        # Reads may come from a replica that does not have the batch yet.
        _try_later(provider_batch, exc, backoff(provider_batch))
        return
    advice = provider_advice.advice_for(exc, connection, is_sent=bool(provider_batch.remote_id))
    if exc.reason in KEY_REASONS:
        provider_keys.record_trouble(provider_batch.batch.key, advice, is_refused=True)
    provider_batch.batch.refresh_from_db(fields=["cancel_requested_at"])
    is_harvesting = provider_batch.status == ProviderBatch.Status.HARVESTING
    if is_harvesting and provider_batch.batch.cancel_requested_at:
        _try_later(provider_batch, exc, backoff(provider_batch))
    else:
        stop_for_person(provider_batch, advice)


def handle_no_answer(provider_batch: ProviderBatch, exc: ProviderUnavailable) -> None:
    """Try again later, at growing intervals; in the end close what must be cancelled."""
    if isinstance(exc, NoCapacity):
        _handle_no_capacity(provider_batch, exc)
    else:
        _try_later(provider_batch, exc, exc.retry_after or backoff(provider_batch))


def wait_for_provider(provider_batch: ProviderBatch, wait: timedelta) -> None:
    """Postpone by ``wait``, because the circuit breaker allows no call now."""
    if _must_give_up(provider_batch):
        text = f"{provider_batch.connection} has not answered for a long time."
        close_cancelled(provider_batch, text)
    else:
        provider_batch.postpone(with_jitter(wait))


def with_jitter(wait: timedelta) -> timedelta:
    """Lengthen ``wait`` at random, so that rows that wait together do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def backoff(row: ProviderBatch | BatchImport) -> timedelta:
    """Return a pause that doubles with each failure, with random jitter."""
    seconds = min(2.0 ** min(row.failures, 10), MAX_RETRY_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def _handle_no_capacity(provider_batch: ProviderBatch, exc: NoCapacity) -> None:
    """Use the fallback window if the order has one; otherwise try again later."""
    if fallback_window.fall_back(provider_batch):
        provider_batch.postpone(timedelta(), failures=0, trouble="")
    else:
        wait = with_jitter(exc.retry_after) if exc.retry_after else backoff(provider_batch)
        slots.release_slot(provider_batch, wait, exc.message)


def _try_later(provider_batch: ProviderBatch, exc: ProviderError, wait: timedelta) -> None:
    trouble = f"{provider_batch.connection}: {exc}."
    if _must_give_up(provider_batch):
        close_cancelled(provider_batch, trouble)
        return
    trouble += " Nothing is lost; the portal keeps trying."
    if provider_batch.batch.cancel_requested_at:
        minutes = _give_up_after(provider_batch) // timedelta(minutes=1)
        trouble += f" If no answer comes for {minutes} minutes, the batch is closed here."
    elif timezone.now() - _last_answered_at(provider_batch) > GIVE_UP_AFTER:
        trouble += " If it stays like this: Cancel to close it here."
    provider_batch.postpone(wait, failures=provider_batch.failures + 1, trouble=trouble)


def _must_give_up(provider_batch: ProviderBatch) -> bool:
    requested_at = provider_batch.batch.cancel_requested_at
    if requested_at is None:
        return False
    silence = timezone.now() - max(requested_at, _last_answered_at(provider_batch))
    return silence > _give_up_after(provider_batch)


def _give_up_after(provider_batch: ProviderBatch) -> timedelta:
    # Longer while a create is unconfirmed: after that nobody would find its batch.
    return GIVE_UP_AFTER if provider_batch.remote_id else CREATE_SEARCH_LIMIT


def _last_answered_at(provider_batch: ProviderBatch) -> datetime:
    """Return the time of the last usable answer about the batch, or of the first request."""
    fetched_at = provider_batch.result_chunks.aggregate(Max("created_at"))["created_at__max"]
    attempts = [provider_batch.create_attempted_at, provider_batch.retried_in_place_at]
    times = [time for time in (provider_batch.polled_at, fetched_at, *attempts) if time]
    return max(times, default=provider_batch.batch.created_at)
