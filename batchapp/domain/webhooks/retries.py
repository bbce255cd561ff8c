"""Decide when a message is sent again, and when an endpoint is given up."""

import random
from datetime import timedelta

# After the first attempt and each further one: eight attempts within about 30 hours, close
# together for a receiver that restarts, far apart for one that is put right the next morning.
WAITS = [
    timedelta(seconds=10),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=9),
    timedelta(hours=14),
]
MAX_ATTEMPTS = len(WAITS) + 1
JITTER = 0.1  # of a wait, so that the messages of one failure do not all come back at once
LONGEST_REQUESTED_WAIT = timedelta(hours=2)  # that a receiver may ask for by ``Retry-After``

# An endpoint whose attempts fail is left alone for longer and longer, whatever waits for it.
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(hours=1)

# An endpoint is disabled after so many failures without a success in between, over so long: longer
# than a weekend with a server that nobody looks at, and never by one message alone.
DISABLE_AFTER = timedelta(hours=72)
MIN_FAILURES = 2 * MAX_ATTEMPTS


def wait_after(attempts: int, requested: timedelta | None = None) -> timedelta | None:
    """Return the wait before the next attempt after so many; None if there is none.

    ``requested`` is the wait that the receiver asked for; the answer is no shorter.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    wait = WAITS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # no secret
    return max(wait, min(requested or timedelta(), LONGEST_REQUESTED_WAIT))


def pause_after(failures: int, requested: timedelta | None = None) -> timedelta:
    """Return how long an endpoint is left alone after so many failed attempts in a row.

    ``requested`` is the wait that the receiver asked for; up to ``LONGEST_PAUSE``, the answer is
    no shorter.
    """
    doublings = min(failures - 1, 20)
    return min(max(FIRST_PAUSE * (1 << doublings), requested or timedelta()), LONGEST_PAUSE)


def is_given_up(failures: int, failing_for: timedelta) -> bool:
    return failures >= MIN_FAILURES and failing_for >= DISABLE_AFTER
