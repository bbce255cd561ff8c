"""Stop all calls to a provider that does not answer, and let one caller test it later."""

import random
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from batchapp.models import Connection
from batchapp.models.fields.leased_row import MAX_DELAY
from batchapp.providers.errors import About, ProviderUnavailable

MAX_FAILURES = 3  # in a row before a backoff: one or two may be about a single batch
PROBE_TIME = timedelta(seconds=20)  # the other callers wait so long for the one that tests
MIN_BACKOFF, MAX_BACKOFF = timedelta(seconds=5), timedelta(minutes=5)
TOO_MANY_REQUESTS = 429


def wait_before_calling(connection: Connection) -> timedelta | None:
    """Return how long to wait before calling ``connection``; None to call now.

    After a backoff one caller may go ahead and test the provider; the others wait. A backoff that
    lasts too long was written by a clock that ran ahead, and is over.
    """
    until = connection.backoff_until
    if until is None:
        return None
    now = timezone.now()
    if not now < until < now + MAX_DELAY:
        rows = Connection.objects.filter(pk=connection.pk, backoff_until=until)
        if rows.update(backoff_until=now + PROBE_TIME):
            return None
        until = now + PROBE_TIME
    return until - now


def record_answer(connection: Connection) -> None:
    """End the backoff after any answer, even a refusal."""
    if connection.failures or connection.backoff_until:
        Connection.objects.filter(pk=connection.pk).update(
            failures=0, down_since=None, backoff_until=None
        )


def record_no_answer(connection: Connection, error: ProviderUnavailable) -> None:
    """Count a call without a usable answer; from the third in a row on, begin a backoff.

    The backoff is as long as the provider has been down. HTTP 429, and a refusal of a file or an
    account, do not count: they are answers, to one caller.
    """
    if error.status == TOO_MANY_REQUESTS or error.about is not About.PROVIDER:
        return
    now = timezone.now()
    rows = Connection.objects.filter(pk=connection.pk)
    # The earlier time, because a clock that ran ahead may have written the other.
    down_since = Least(Coalesce("down_since", now), now)
    rows.update(failures=F("failures") + 1, down_since=down_since)
    connection.refresh_from_db(fields=["failures", "down_since"])
    if connection.failures >= MAX_FAILURES:
        down = now - (connection.down_since or now)
        backoff = error.retry_after or min(max(down, MIN_BACKOFF), MAX_BACKOFF)
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  # no secret
        rows.update(backoff_until=now + backoff * jitter)
