"""Show how prices follow each other in time: announcements, gaps and overlaps."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from batchapp.models import Price
from batchapp.models.providers.price import PriceQuerySet

PriceKey = tuple[int, str, str]  # connection id, model, window


@dataclass(frozen=True, slots=True)
class Succession:
    """The price after a price, and the gap between the two.

    ``gap_from`` is None without a gap; ``gap_to`` is None if no price follows the gap.
    """

    following: Price | None = None
    gap_from: datetime | None = None
    gap_to: datetime | None = None
    overlaps: bool = False


def find_successions(prices: Sequence[Price]) -> dict[int, Succession]:
    """Return primary key -> succession of each of ``prices``, with one query for all."""
    rows = Price.objects.filter(
        model__in={row.model for row in prices},
        connection__in={row.connection_id for row in prices},
    )
    by_key: dict[PriceKey, list[Price]] = defaultdict(list)
    for row in rows.order_by("effective_from", "pk"):
        by_key[_key(row)].append(row)
    return {row.pk: _succession(row, by_key[_key(row)]) for row in prices}


def changes_ahead(
    prices: PriceQuerySet, at: datetime
) -> tuple[list[tuple[Price, Price | None]], list[Price]]:
    """Return announced prices with the price each replaces, and prices that end without another.

    Both lists start with the next change.
    """
    changing = prices.not_over(at).filter(Q(effective_from__gt=at) | ~Q(effective_to=None))
    rows = list(changing.order_by("effective_from", "model", "window", "pk"))
    starts = {(_key(row), row.effective_from) for row in rows}
    by_end = {(_key(row), row.effective_to): row for row in rows}
    announced = [
        (row, by_end.get((_key(row), row.effective_from)))
        for row in rows
        if row.effective_from > at
    ]
    last = [row for row in rows if (_key(row), row.effective_to) not in starts]
    ends = sorted((row.effective_to, row.pk, row) for row in last if row.effective_to)
    return announced, [row for _, _, row in ends]


def _succession(price: Price, rows: list[Price]) -> Succession:
    other_rows = [row for row in rows if row.pk != price.pk]
    overlaps = any(price.overlaps(row) for row in other_rows)
    end = price.effective_to
    if end is None:
        return Succession(overlaps=overlaps)
    following = next((row for row in other_rows if row.effective_from >= end), None)
    next_start = following.effective_from if following else None
    if next_start == end:
        return Succession(following, overlaps=overlaps)
    return Succession(following, gap_from=end, gap_to=next_start, overlaps=overlaps)


def _key(price: Price) -> PriceKey:
    return price.connection_id, price.model, price.window
