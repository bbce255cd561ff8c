"""A provider that does not answer is left alone as one, not asked by every batch in turn."""

import random
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from batchapp.models import Connection
from batchapp.providers.errors import ProviderUnavailable

RESTS_AFTER = 3
"""Failures in a row: one or two may be about a single batch."""

PROBE = timedelta(seconds=20)
"""How long the others wait for the one that tries whether the provider is back."""

SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
TOO_MANY_REQUESTS = 429


def wait_before_calling(connection: Connection) -> timedelta | None:
    """How long to leave ``connection`` alone; None to go ahead.

    After a rest one caller goes ahead, to try; the others wait for what it finds.
    """
    until = connection.resting_until
    if until is None:
        return None
    now = timezone.now()
    if until <= now:
        waiting = Connection.objects.filter(pk=connection.pk, resting_until=until)
        if waiting.update(resting_until=now + PROBE):
            return None
        until = now + PROBE
    return until - now


def note_answer(connection: Connection) -> None:
    """It answered, if only to refuse: everybody may ask again."""
    if connection.failures or connection.resting_until:
        Connection.objects.filter(pk=connection.pk).update(
            failures=0, down_since=None, resting_until=None
        )


def note_silence(connection: Connection, silence: ProviderUnavailable) -> None:
    """It did not answer as it should; from the third time on it rests, as long as it was down.

    Being asked to slow down is an answer, and is about one caller.
    """
    if silence.status == TOO_MANY_REQUESTS:
        return
    now = timezone.now()
    rows = Connection.objects.filter(pk=connection.pk)
    rows.update(failures=F("failures") + 1, down_since=Coalesce("down_since", now))
    connection.refresh_from_db(fields=["failures", "down_since"])
    if connection.failures >= RESTS_AFTER:
        down = now - (connection.down_since or now)
        rest = silence.retry_after or min(max(down, SHORTEST_REST), LONGEST_REST)
        rows.update(resting_until=now + rest * random.uniform(0.9, 1.1))  # noqa: S311  # no secret
