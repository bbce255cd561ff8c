"""JSON values of unknown quality, read into the types we want."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_ID = 200
"""Characters; those we know have 36 (Doubleword) to 40 (OpenAI)."""
MAX_MONEY = 10**12
MAX_SENTENCES = 100
"""Errors kept of one batch; OpenAI may send one for each line of its file."""


class MalformedError(ValueError):
    """JSON without what we cannot do without, which the message names."""


def mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"JSON that is not {what}")
    return value


def identifier(entry: dict[str, Any], what: str) -> str:
    found = reference(entry.get("id"))
    if found is None:
        raise MalformedError(f"{what} without an id")
    return found


def reference(value: object) -> str | None:
    """The id of something else, or None if it is none that could be asked for."""
    found = text(value)
    return found if found.strip(" .") and len(found) <= MAX_ID else None


def text(value: object) -> str:
    """A string as it is, but for NUL, which PostgreSQL cannot store."""
    return value.replace("\0", "") if isinstance(value, str) else ""


def texts(value: object) -> dict[str, str]:
    """The pairs of a JSON object whose values are strings."""
    if not isinstance(value, dict):
        return {}
    return {text(key): text(item) for key, item in value.items() if isinstance(item, str)}


def entries(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def count(value: object) -> int:
    return value if type(value) is int and 0 < value < 2**63 else 0


def money(value: object) -> Decimal | None:
    """USD from a decimal string or a JSON number; None if it is no sum one could pay."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < MAX_MONEY else None


def moment(value: object) -> datetime | None:
    """A moment from Unix seconds; providers write 0 or null for never."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(float(value), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def sentences(value: object) -> tuple[str, ...]:
    """The messages of a batch's ``errors``, each with its line number where it has one."""
    found = []
    rows = entries(value.get("data")) if isinstance(value, dict) else []
    for row in rows[:MAX_SENTENCES]:
        if isinstance(row, dict) and (message := text(row.get("message"))):
            line = count(row.get("line"))
            found.append(f"Line {line}: {message[:500]}" if line else message[:500])
    return tuple(found)
