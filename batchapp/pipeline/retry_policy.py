"""What a provider's refusal or silence means for a part: it waits, for time or for a person."""

import random
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from batchapp.models import BatchImport, ProviderBatch
from batchapp.pipeline.runner import LONGEST_PAUSE, close_cancelled, stop_for_person
from batchapp.providers.errors import (
    ABOUT_KEYS,
    NoRoom,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
)
from batchapp.services.lifecycle import fallback_window, slots
from batchapp.services.lifecycle.submit import CREATE_SEARCH_LIMIT
from batchapp.services.providers import provider_advice, provider_keys

GIVES_UP_AFTER = timedelta(minutes=15)
"""On a batch that is to be cancelled at a provider that gives no usable answer about it."""


def handle_rejection(provider_batch: ProviderBatch, exc: ProviderRejected) -> None:
    """A person decides, unless the provider may only be late, or it is to be cancelled anyway.

    What was answered is paid for: the results of one that is to be cancelled are asked for again.
    """
    connection, created_at = provider_batch.batch.connection, provider_batch.create_attempted_at
    grace = timedelta(seconds=connection.create_grace_seconds)
    is_new = provider_batch.remote_id and created_at and timezone.now() - created_at < grace
    if exc.reason is Reason.NOT_FOUND and is_new:
        # Reads may come from a replica that does not have the batch yet.
        _try_later(provider_batch, exc, backoff(provider_batch))
        return
    advice = provider_advice.advice_for(exc, connection, is_sent=bool(provider_batch.remote_id))
    if exc.reason in ABOUT_KEYS:
        provider_keys.note_trouble(provider_batch.batch.key, advice, is_refused=True)
    provider_batch.batch.refresh_from_db(fields=["cancel_requested_at"])
    if (
        provider_batch.status == ProviderBatch.Status.HARVESTING
        and provider_batch.batch.cancel_requested_at
    ):
        _try_later(provider_batch, exc, backoff(provider_batch))
    else:
        stop_for_person(provider_batch, advice)


def handle_no_answer(provider_batch: ProviderBatch, exc: ProviderUnavailable) -> None:
    """It is tried again, ever more seldom; what is to be cancelled is closed at last."""
    if isinstance(exc, NoRoom):
        _handle_no_room(provider_batch, exc)
    else:
        _try_later(provider_batch, exc, exc.retry_after or backoff(provider_batch))


def wait_for_provider(provider_batch: ProviderBatch, wait: timedelta) -> None:
    """Nobody asks the provider now; ``part`` comes again after ``wait``."""
    connection = provider_batch.batch.connection
    if _is_given_up(provider_batch):
        close_cancelled(provider_batch, f"{connection} has not answered for a long time.")
    else:
        provider_batch.postpone(with_jitter(wait))


def with_jitter(wait: timedelta) -> timedelta:
    """So that those who wait for the same do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def backoff(row: ProviderBatch | BatchImport) -> timedelta:
    """Twice as long each time, with some chance in it, so that parts do not come back in step."""
    seconds = min(2.0 ** min(row.failures, 10), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def _handle_no_room(provider_batch: ProviderBatch, exc: NoRoom) -> None:
    """In a longer window, if that was decided beforehand; else later."""
    if fallback_window.fall_back(provider_batch):
        provider_batch.postpone(timedelta(), failures=0, trouble="")
    else:
        wait = with_jitter(exc.retry_after) if exc.retry_after else backoff(provider_batch)
        slots.release_slot(provider_batch, wait, exc.message)


def _try_later(provider_batch: ProviderBatch, exc: ProviderError, wait: timedelta) -> None:
    trouble = f"{provider_batch.batch.connection}: {exc}."
    if _is_given_up(provider_batch):
        close_cancelled(provider_batch, trouble)
        return
    trouble += " Nothing is lost; the portal keeps trying."
    if provider_batch.batch.cancel_requested_at:
        minutes = _give_up_after(provider_batch) // timedelta(minutes=1)
        trouble += f" If no answer comes for {minutes} minutes, the batch is closed here."
    elif timezone.now() - _last_answer(provider_batch) > GIVES_UP_AFTER:
        trouble += " If it stays like this: Cancel to close it here."
    provider_batch.postpone(wait, failures=provider_batch.failures + 1, trouble=trouble)


def _is_given_up(provider_batch: ProviderBatch) -> bool:
    asked_at = provider_batch.batch.cancel_requested_at
    if asked_at is None:
        return False
    return timezone.now() - max(asked_at, _last_answer(provider_batch)) > _give_up_after(
        provider_batch
    )


def _give_up_after(provider_batch: ProviderBatch) -> timedelta:
    """Longer while nobody knows whether there is a batch at all: later nobody could find it."""
    return GIVES_UP_AFTER if provider_batch.remote_id else CREATE_SEARCH_LIMIT


def _last_answer(provider_batch: ProviderBatch) -> datetime:
    """When the provider last said something usable about ``part``, or was first asked."""
    fetched_at = provider_batch.result_chunks.aggregate(Max("created_at"))["created_at__max"]
    times = [
        provider_batch.polled_at,
        provider_batch.create_attempted_at,
        provider_batch.retried_in_place_at,
        fetched_at,
    ]
    return max([time for time in times if time], default=provider_batch.batch.created_at)
