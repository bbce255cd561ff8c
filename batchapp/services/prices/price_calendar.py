"""How prices follow each other in time: what is announced, where nothing holds, what overlaps."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from batchapp.models import Price
from batchapp.models.providers.price import PriceQuerySet

Place = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Course:
    """What comes after a price. Without ``gap_from`` another one follows at once, or it stays.

    ``gap_to`` is None where nothing follows.
    """

    following: Price | None = None
    gap_from: datetime | None = None
    gap_to: datetime | None = None
    overlaps: bool = False


def courses(prices: Sequence[Price]) -> dict[int, Course]:
    """The course of each of ``prices``, by primary key; one query for all."""
    rows = Price.objects.filter(
        model__in={row.model for row in prices},
        connection__in={row.connection_id for row in prices},
    )
    places: dict[Place, list[Price]] = defaultdict(list)
    for row in rows.order_by("effective_from", "pk"):
        places[_place(row)].append(row)
    return {row.pk: _course(row, places[_place(row)]) for row in prices}


def changes_ahead(
    prices: PriceQuerySet, at: datetime
) -> tuple[list[tuple[Price, Price | None]], list[Price]]:
    """Announced prices with what each replaces, the next first; and those that end for nothing."""
    moving = prices.not_over(at).filter(Q(effective_from__gt=at) | ~Q(effective_to=None))
    rows = list(moving.order_by("effective_from", "model", "window", "pk"))
    begins = {(_place(row), row.effective_from) for row in rows}
    ends = {(_place(row), row.effective_to): row for row in rows}
    announced = [
        (row, ends.get((_place(row), row.effective_from)))
        for row in rows
        if row.effective_from > at
    ]
    ending = [row for row in rows if row.effective_to]
    lonely = [row for row in ending if (_place(row), row.effective_to) not in begins]
    return announced, lonely


def _course(price: Price, rows: list[Price]) -> Course:
    others = [row for row in rows if row.pk != price.pk]
    overlaps = any(price.meets(row) for row in others)
    if price.effective_to is None:
        return Course(overlaps=overlaps)
    later = [row for row in others if row.effective_from >= price.effective_to]
    following = later[0] if later else None
    if following and following.effective_from == price.effective_to:
        return Course(following, overlaps=overlaps)
    return Course(
        following,
        gap_from=price.effective_to,
        gap_to=following.effective_from if following else None,
        overlaps=overlaps,
    )


def _place(price: Price) -> Place:
    return price.connection_id, price.model, price.window
