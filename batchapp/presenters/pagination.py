"""Lists of batches in stretches that stay where they are while new rows arrive above them."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Lower

from batchapp.models import Batch

SIZE = 25
SORTS = {"created": F("created_at"), "name": Lower("name"), "requests": F("requests")}
"""What a list can be sorted by: all things that never change, so that places keep."""

NEWEST_FIRST = "-created"


class Place(NamedTuple):
    """Where a batch stood when its page was made; ``str`` is for the address.

    Whether it is open changes, so the address says what was true. The value is looked up.
    """

    is_open: int
    value: Any
    pk: UUID

    def __str__(self) -> str:
        return f"{self.is_open}-{self.pk.hex}"


@dataclass(frozen=True, slots=True)
class ListPage:
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


@dataclass(frozen=True, slots=True)
class Order:
    """``sort`` is a name of ``SORTS``, with "-" for the largest first; ties go by id."""

    sort: str = NEWEST_FIRST
    active_first: bool = True

    def apply(self, batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
        is_open = Case(When(status__in=Batch.OVER, then=0), default=1)
        rows = batches.annotate(is_open=is_open, value=SORTS[self.sort.removeprefix("-")])
        return rows.order_by(*(f"{sign}{field}" for field, sign in self._fields))

    def beyond(self, place: Place, *, backwards: bool = False) -> Q:
        """Rows strictly after ``place``, or before it: the first field that differs decides."""
        beyond = Q()
        same: dict[str, Any] = {}
        for field, sign in self._fields:
            value = getattr(place, field)
            way = "lt" if (sign == "-") is not backwards else "gt"
            beyond |= Q(**same, **{f"{field}__{way}": value})
            same[field] = value
        return beyond

    @property
    def _fields(self) -> list[tuple[str, str]]:
        sign = "-" if self.sort.startswith("-") else ""
        fields = [("value", sign), ("pk", sign)]
        return [("is_open", "-"), *fields] if self.active_first else fields


def list_page_of(
    batches: "QuerySet[Batch]",
    order: Order,
    *,
    among: "QuerySet[Batch]",
    after: str = "",
    before: str = "",
) -> ListPage:
    """The first of ``batches``, or those after or before a place.

    A place that nobody made, or that has nothing beyond it, leads to the start. ``among`` is
    where places may be: a batch that left ``batches`` meanwhile still marks one.
    """
    rows, marks = order.apply(batches), order.apply(among)
    if place := _parse(before, marks):
        found = _places(rows.filter(order.beyond(place, backwards=True)).reverse())[::-1]
        if len(found) > SIZE:  # fewer are the start, which then is shown in full
            return _numbered(rows, order, found[1:], has_more=True)
    elif place := _parse(after, marks):
        found = _places(rows.filter(order.beyond(place)))
        if found:
            return _numbered(rows, order, found[:SIZE], has_more=len(found) > SIZE)
    found = _places(rows)
    return ListPage(found[:SIZE], has_more=len(found) > SIZE)


def _parse(text: str, marks: "QuerySet[Batch]") -> Place | None:
    is_open, _, digits = text.partition("-")
    try:
        pk = UUID(digits)
    except ValueError:
        return None
    for values in marks.filter(pk=pk).values_list(*Place._fields)[:1]:
        return Place(*values)._replace(is_open=int(is_open == "1"))
    return None


def _places(rows: "QuerySet[Batch]") -> list[Place]:
    """One more than a stretch has, to know whether it is the last."""
    return [Place(*each) for each in rows.values_list(*Place._fields)[: SIZE + 1]]


def _numbered(
    rows: "QuerySet[Batch]", order: Order, places: list[Place], *, has_more: bool
) -> ListPage:
    earlier = rows.filter(order.beyond(places[0], backwards=True)).count()
    return ListPage(places, start=earlier + 1, has_more=has_more)
