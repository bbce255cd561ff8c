"""Lists in pages: a page begins after the object whose id the sender names as ``after``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from batchapp.api.errors import ApiError, invalid

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100  # a larger ``limit`` gets as many
LARGEST_SKIP = 10**9  # lines; no file has as many, and every database counts so far

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a row in a list that is sorted by the time of creation, then by key."""

    created_at: datetime
    pk: UUID


def unknown_cursor(after: str) -> ApiError:
    """Return the error of an ``after`` that names nothing in the list."""
    return invalid(f"There is nothing with the id {after!r} in this list.", "after")


def rows_after(
    rows: QuerySet[Row], position: Position | None, *, limit: int, oldest_first: bool = False
) -> list[Row]:
    """Return the rows of the page after ``position``, and one more if there is a next page."""
    keys = ["created_at", "pk"] if oldest_first else ["-created_at", "-pk"]
    if position:
        way = "gt" if oldest_first else "lt"
        later = Q(**{f"created_at__{way}": position.created_at})
        beside = Q(created_at=position.created_at, **{f"pk__{way}": position.pk})
        rows = rows.filter(later | beside)
    return list(rows.order_by(*keys)[: page_size(limit) + 1])


def page_size(limit: int) -> int:
    return min(limit, LARGEST_LIMIT)


def list_object(objects: Sequence[dict[str, Any]], *, limit: int) -> dict[str, Any]:
    """Return a page of ``objects``, of which one more than ``limit`` means that more follow."""
    data = objects[: page_size(limit)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(objects) > len(data),
    }
