"""Lists of batches in stretches that stay where they are while new rows arrive above them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, Q, QuerySet, When

from batchapp.models import Batch

SIZE = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BY_AGE = ("created_at", "pk")
ACTIVE_FIRST = ("is_open", *BY_AGE)


class Place(NamedTuple):
    """What a batch was sorted by when its page was made; ``str`` is for the address."""

    is_open: int
    created_at: datetime
    pk: UUID

    def __str__(self) -> str:
        microseconds = (self.created_at - EPOCH) // timedelta(microseconds=1)
        return f"{self.is_open}-{microseconds}-{self.pk.hex}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some batches in order; ``start`` is the number of the first of them, from 1."""

    places: list[Place]
    start: int = 1
    has_more: bool = False

    @property
    def keys(self) -> list[UUID]:
        return [place.pk for place in self.places]

    @property
    def end(self) -> int:
        return self.start + len(self.places) - 1

    @property
    def previous(self) -> str:
        return str(self.places[0]) if self.places and self.start > 1 else ""

    @property
    def next(self) -> str:
        return str(self.places[-1]) if self.has_more else ""


def stretch_of(
    batches: "QuerySet[Batch]", *, active_first: bool, after: str = "", before: str = ""
) -> Stretch:
    """The first of ``batches``, or those after or before a place; newest first, all descending.

    A place that nobody made, or that has nothing beyond it, leads to the start.
    """
    fields = ACTIVE_FIRST if active_first else BY_AGE
    is_open = Case(When(status__in=Batch.OVER, then=0), default=1)
    rows = batches.annotate(is_open=is_open).order_by(*(f"-{field}" for field in fields))
    if place := _parse(before):
        found = _places(rows.filter(_beyond(place, "gt", fields)).reverse())[::-1]
        if len(found) > SIZE:  # fewer are the start, which then is shown in full
            return _numbered(rows, found[1:], fields, has_more=True)
    elif place := _parse(after):
        found = _places(rows.filter(_beyond(place, "lt", fields)))
        if found:
            return _numbered(rows, found[:SIZE], fields, has_more=len(found) > SIZE)
    found = _places(rows)
    return Stretch(found[:SIZE], has_more=len(found) > SIZE)


def _parse(text: str) -> Place | None:
    try:
        is_open, microseconds, pk = text.split("-")
        moment = EPOCH + timedelta(microseconds=int(microseconds))
        return Place(int(is_open == "1"), moment, UUID(pk))
    except (ValueError, OverflowError):
        return None


def _places(rows: "QuerySet[Batch]") -> list[Place]:
    """One more than a stretch has, to know whether it is the last."""
    values = rows.values_list(*Place._fields)[: SIZE + 1]
    return [Place(*each) for each in values]


def _beyond(place: Place, way: str, fields: tuple[str, ...]) -> Q:
    """Rows that sort strictly beyond ``place``: the first field that differs decides."""
    beyond = Q()
    same: dict[str, Any] = {}
    for field in fields:
        value = getattr(place, field)
        beyond |= Q(**same, **{f"{field}__{way}": value})
        same[field] = value
    first = fields[0]
    return Q(**{f"{first}__{way}e": getattr(place, first)}) & beyond  # this much an index can do


def _numbered(
    rows: "QuerySet[Batch]", places: list[Place], fields: tuple[str, ...], *, has_more: bool
) -> Stretch:
    newer = rows.filter(_beyond(places[0], "gt", fields)).count()
    return Stretch(places, start=newer + 1, has_more=has_more)
