"""Read many rows some at a time, with no query that stays open in between.

The rows of a download may be read by several threads in turn, each with a connection of its own,
and its reader may be slow: an open query would be lost, or would keep a state of the database.
"""

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)

ROWS_AT_ONCE = 500


def in_order(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield ``rows`` in their order; only the primary keys of all of them are in memory.

    A row that is deleted meanwhile is left out.
    """
    pks = list(rows.values_list("pk", flat=True))
    for start in range(0, len(pks), ROWS_AT_ONCE):
        block = pks[start : start + ROWS_AT_ONCE]
        by_pk = rows.order_by().in_bulk(block)
        yield from (by_pk[pk] for pk in block if pk in by_pk)


def newest_first(rows: QuerySet[Row], moment: str) -> Iterator[Row]:
    """Yield ``rows`` by the field ``moment`` and by primary key, both descending."""
    rows = rows.order_by(f"-{moment}", "-pk")
    block = list(rows[:ROWS_AT_ONCE])
    while block:
        yield from block
        at = getattr(block[-1], moment)
        beside = Q(**{moment: at}, pk__lt=block[-1].pk)
        older = Q(**{f"{moment}__lt": at}) | beside
        block = list(rows.filter(older, **{f"{moment}__lte": at})[:ROWS_AT_ONCE])


def by_key(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield ``rows`` by primary key."""
    rows = rows.order_by("pk")
    block = list(rows[:ROWS_AT_ONCE])
    while block:
        yield from block
        block = list(rows.filter(pk__gt=block[-1].pk)[:ROWS_AT_ONCE])
