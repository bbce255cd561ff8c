"""Completion windows: how long each is, as far as its name says so."""

import re
from datetime import datetime, timedelta

LENGTH = re.compile(r"(\d{1,5}) ?(?:(m(?:in(?:ute)?s?)?)|(h(?:ours?)?)|(d(?:ays?)?))")


def length(window: str) -> timedelta | None:
    """How long ``window`` is; None for one that does not say."""
    found = LENGTH.fullmatch(window.strip().lower())
    if not found:
        return None
    number = int(found[1])
    if found[2]:
        return timedelta(minutes=number)
    return timedelta(hours=number) if found[3] else timedelta(days=number)


def due(window: str, at: datetime) -> datetime | None:
    """When a batch of ``window`` that is submitted at ``at`` should be done at the latest."""
    time = length(window)
    return at + time if time else None


def is_longer(window: str, other: str) -> bool:
    """Whether ``window`` leaves more time than ``other``; no if either does not say how long."""
    ours, theirs = length(window), length(other)
    return ours is not None and theirs is not None and ours > theirs
