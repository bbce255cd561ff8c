"""Read JSON values of unknown quality into the expected types."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

# Bytes of an id that an index of PostgreSQL can hold. Known ids have 36 characters (Doubleword) to
# some hundreds: a proxy such as LiteLLM writes the way of the request into its ids.
MAX_ID_LENGTH = 2_000
MAX_MONEY = 10**8  # USD; a column holds the sum of 900 provider batches that cost as much
# Later moments have no local time east of Greenwich: 31 December 9999 ends sooner there.
LAST_SECOND = datetime(9999, 12, 1, tzinfo=UTC).timestamp()


class MalformedError(ValueError):
    """The JSON lacks a value that is required; the message names the value."""


def mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"JSON that is not {what}")
    return value


def listing(value: object, what: str) -> tuple[dict[str, Any], list[Any]]:
    """Return a JSON object, and the list in its ``data``."""
    entry = mapping(value, what)
    if not isinstance(entry.get("data"), list):
        raise MalformedError(f"{what} without data")
    return entry, entry["data"]


def identifier(entry: dict[str, Any], what: str) -> str:
    value = reference(entry.get("id"))
    if value is None:
        raise MalformedError(f"{what} without an id")
    return value


def reference(value: object) -> str | None:
    """Return an id, or None if no request could name it."""
    identifier = text(value)
    is_short = len(identifier.encode(errors="replace")) <= MAX_ID_LENGTH
    return identifier if identifier.strip(" .") and is_short else None


def text(value: object) -> str:
    """Return a string without NUL, which PostgreSQL cannot store; "" for other types."""
    return value.replace("\0", "") if isinstance(value, str) else ""


def texts(value: object) -> dict[str, str]:
    """Return the pairs of a JSON object whose values are strings."""
    if not isinstance(value, dict):
        return {}
    return {text(key): text(item) for key, item in value.items() if isinstance(item, str)}


def entries(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def count(value: object) -> int:
    return value if type(value) is int and 0 < value < 2**63 else 0


def money(value: object) -> Decimal | None:
    """Return USD from a decimal string or a JSON number; None if it is no possible price."""
    amount = decimal(value)
    return amount if amount is not None and 0 <= amount < MAX_MONEY else None


def decimal(value: object) -> Decimal | None:
    """Return a finite number from a decimal string or a JSON number, else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def moment(value: object) -> datetime | None:
    """Return a moment from Unix seconds or ISO text; None for 0 and null, which mean never."""
    if isinstance(value, str):
        parsed = iso_moment(value)
        return parsed if parsed and 0 < parsed.timestamp() < LAST_SECOND else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return datetime.fromtimestamp(float(value), tz=UTC) if 0 < value < LAST_SECOND else None


def iso_moment(value: object) -> datetime | None:
    """Return a moment from a text such as 2026-01-31T00:00:00Z, UTC by default; else None."""
    try:
        parsed = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
