"""What a provider's refusal or silence means for a part: it waits, for time or for a person."""

import random
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from batchapp.models import Adoption, Part
from batchapp.pipeline.runner import LONGEST_PAUSE, close, stop
from batchapp.providers.errors import (
    ABOUT_KEYS,
    NoRoom,
    Reason,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnavailable,
)
from batchapp.services.lifecycle import fallback_window, slots
from batchapp.services.lifecycle.submit import LOOKED_FOR
from batchapp.services.providers import provider_advice, provider_keys

GIVES_UP_AFTER = timedelta(minutes=15)
"""On a batch that is to be cancelled at a provider that gives no usable answer about it."""


def take_refusal(part: Part, exc: UpstreamRejected) -> None:
    """A person decides, unless the provider may only be late, or it is to be cancelled anyway.

    What was answered is paid for: the results of one that is to be cancelled are asked for again.
    """
    connection, created_at = part.batch.connection, part.create_attempted_at
    grace = timedelta(seconds=connection.create_grace_seconds)
    is_new = part.upstream_id and created_at and timezone.now() - created_at < grace
    if exc.reason is Reason.NOT_FOUND and is_new:
        # Reads may come from a replica that does not have the batch yet.
        _try_later(part, exc, pause(part))
        return
    advice = provider_advice.sentence(exc, connection, is_sent=bool(part.upstream_id))
    if exc.reason in ABOUT_KEYS:
        provider_keys.note_trouble(part.batch.key, advice, is_refused=True)
    part.batch.refresh_from_db(fields=["cancel_requested_at"])
    if part.status == Part.Status.HARVESTING and part.batch.cancel_requested_at:
        _try_later(part, exc, pause(part))
    else:
        stop(part, advice)


def take_silence(part: Part, exc: UpstreamUnavailable) -> None:
    """It is tried again, ever more seldom; what is to be cancelled is closed at last."""
    if isinstance(exc, NoRoom):
        _find_room(part, exc)
    else:
        _try_later(part, exc, exc.retry_after or pause(part))


def rest(part: Part, wait: timedelta) -> None:
    """Nobody asks the provider now; ``part`` comes again after ``wait``."""
    connection = part.batch.connection
    if _is_given_up(part):
        close(part, f"{connection} has not answered for a long time.")
    else:
        part.postpone(spread(wait))


def spread(wait: timedelta) -> timedelta:
    """So that those who wait for the same do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def pause(row: Part | Adoption) -> timedelta:
    """Twice as long each time, with some chance in it, so that parts do not come back in step."""
    seconds = min(2.0 ** min(row.failures, 10), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def _find_room(part: Part, exc: NoRoom) -> None:
    """In a longer window, if that was decided beforehand; else later."""
    if fallback_window.fall_back(part):
        part.postpone(timedelta(), failures=0, trouble="")
    else:
        wait = spread(exc.retry_after) if exc.retry_after else pause(part)
        slots.give_back(part, wait, exc.message)


def _try_later(part: Part, exc: UpstreamError, wait: timedelta) -> None:
    trouble = f"{part.batch.connection}: {exc}."
    if _is_given_up(part):
        close(part, trouble)
        return
    trouble += " Nothing is lost; the portal keeps trying."
    if part.batch.cancel_requested_at:
        minutes = _patience(part) // timedelta(minutes=1)
        trouble += f" If no answer comes for {minutes} minutes, the batch is closed here."
    elif timezone.now() - _last_answer(part) > GIVES_UP_AFTER:
        trouble += " If it stays like this: Cancel to close it here."
    part.postpone(wait, failures=part.failures + 1, trouble=trouble)


def _is_given_up(part: Part) -> bool:
    asked_at = part.batch.cancel_requested_at
    if asked_at is None:
        return False
    return timezone.now() - max(asked_at, _last_answer(part)) > _patience(part)


def _patience(part: Part) -> timedelta:
    """Longer while nobody knows whether there is a batch at all: later nobody could find it."""
    return GIVES_UP_AFTER if part.upstream_id else LOOKED_FOR


def _last_answer(part: Part) -> datetime:
    """When the provider last said something usable about ``part``, or was first asked."""
    fetched_at = part.segments.aggregate(Max("created_at"))["created_at__max"]
    times = [part.polled_at, part.create_attempted_at, part.reopened_at, fetched_at]
    return max([time for time in times if time], default=part.batch.created_at)
