"""Completion windows: the length that a window's name states, such as "24h"."""

import re
from datetime import datetime, timedelta

LENGTH = re.compile(r"(\d{1,5}) ?(?:(m(?:in(?:ute)?s?)?)|(h(?:ours?)?)|(d(?:ays?)?))")
NUMBER_AND_UNIT = re.compile(r"(\d)([a-z])")


def length(window: str) -> timedelta | None:
    """Return the length of ``window``, or None if its name states none."""
    match = LENGTH.fullmatch(window.strip().lower())
    if not match:
        return None
    number = int(match[1])
    if match[2]:
        return timedelta(minutes=number)
    return timedelta(hours=number) if match[3] else timedelta(days=number)


def in_words(window: str) -> str:
    """Return the length of ``window`` in full words, such as "24 hours"; "" if it states none."""
    match = LENGTH.fullmatch(window.strip().lower())
    if not match:
        return ""
    unit = "minute" if match[2] else "hour" if match[3] else "day"
    return f"{int(match[1]):,} {unit}{'' if int(match[1]) == 1 else 's'}"


def spaced(window: str) -> str:
    """Return the name of ``window`` as people read it: "24h" becomes "24 h"."""
    return NUMBER_AND_UNIT.sub(r"\1 \2", window)


def due(window: str, at: datetime) -> datetime | None:
    """Return the latest end of a batch that is submitted at ``at``, or None if it is not known."""
    time = length(window)
    return at + time if time else None


def is_longer(window: str, other: str) -> bool:
    """Return True if ``window`` is longer than ``other``; False if a length is not known."""
    first, second = length(window), length(other)
    return first is not None and second is not None and first > second
