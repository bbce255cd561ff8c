"""How long what is left may take, judged by what was done so far."""

from datetime import timedelta

ENOUGH = 10
"""Requests that must have ended before their pace says something about the others."""

SETTLED = timedelta(seconds=10)
"""A pace measured over less than this is mostly chance."""


def remaining(done: int, total: int, elapsed: timedelta) -> timedelta | None:
    """The time for the rest at the average pace so far; None while that would be a guess."""
    if done < min(ENOUGH, total) or not done or elapsed < SETTLED or done > total:
        return None
    return elapsed * (total - done) / done
