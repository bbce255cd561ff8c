"""Pages of batches that keep their rows while new batches arrive above them."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.functions import Lower

from batchapp.models import Batch, ProviderBatch

PAGE_SIZE = 25
SORTS = {  # only columns that never change, so that a cursor keeps its position
    "created": F("created_at"),
    "name": Lower("name"),
    "requests": F("requests"),
}

NEWEST_FIRST = "-created"
OVER, UNDER_WAY, NEEDS_ATTENTION = range(3)  # the urgency of a batch


class Cursor(NamedTuple):
    """The position of a batch when its page was made; ``str`` is for the address.

    A batch may be over meanwhile, so the address keeps ``urgency``. The sorted value is read anew.
    """

    urgency: int
    value: Any
    pk: UUID

    def __str__(self) -> str:
        return f"{self.urgency}-{self.pk.hex}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of batches in order; ``start`` is the number of the first one, from 1.

    ``total`` counts the batches of all pages, if it was counted with ``start``.
    """

    cursors: list[Cursor]
    start: int = 1
    has_more: bool = False
    total: int | None = None

    @property
    def keys(self) -> list[UUID]:
        return [cursor.pk for cursor in self.cursors]

    @property
    def end(self) -> int:
        return self.start + len(self.cursors) - 1

    @property
    def previous(self) -> str:
        return str(self.cursors[0]) if self.cursors and self.start > 1 else ""

    @property
    def next(self) -> str:
        return str(self.cursors[-1]) if self.has_more else ""


@dataclass(frozen=True, slots=True)
class Order:
    """``sort`` is a name of ``SORTS``, with "-" for the largest first; equal rows sort by id.

    With ``active_first``, batches that need attention come first, then those under way.
    """

    sort: str = NEWEST_FIRST
    active_first: bool = True

    def apply(self, batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
        stuck = ProviderBatch.objects.needing_attention().filter(batch=OuterRef("pk"))
        urgency = Case(
            When(status__in=Batch.OVER, then=OVER),
            When(Exists(stuck), then=NEEDS_ATTENTION),
            default=UNDER_WAY,
        )
        rows = batches.annotate(urgency=urgency, value=SORTS[self.sort.removeprefix("-")])
        return rows.order_by(*(f"{sign}{field}" for field, sign in self._fields))

    def beyond(self, cursor: Cursor, *, backwards: bool = False) -> Q:
        """Match the rows after ``cursor``, or before it: the first different field decides."""
        beyond = Q()
        same: dict[str, Any] = {}
        for field, sign in self._fields:
            value = getattr(cursor, field)
            lookup = "lt" if (sign == "-") is not backwards else "gt"
            beyond |= Q(**same, **{f"{field}__{lookup}": value})
            same[field] = value
        return beyond

    @property
    def _fields(self) -> list[tuple[str, str]]:
        sign = "-" if self.sort.startswith("-") else ""
        fields = [("value", sign), ("pk", sign)]
        return [("urgency", "-"), *fields] if self.active_first else fields


def list_page(
    batches: "QuerySet[Batch]",
    order: Order,
    *,
    among: "QuerySet[Batch]",
    after: str = "",
    before: str = "",
) -> ListPage:
    """Return the first page of ``batches``, or the page after or before a cursor.

    An invalid cursor, or one without rows beyond it, leads to the first page. Cursors are looked
    up in ``among``: a batch that left ``batches`` meanwhile is still a valid cursor.
    """
    rows, cursors = order.apply(batches), order.apply(among)
    if cursor := _parse(before, cursors):
        page = _read(rows.filter(order.beyond(cursor, backwards=True)).reverse())[::-1]
        if len(page) > PAGE_SIZE:  # else it is the first page, which is shown in full
            return _numbered(rows, order, page[1:], has_more=True)
        if len(page) == PAGE_SIZE:  # the whole first page; the cursor is on the next one
            return ListPage(page, has_more=True)
    elif cursor := _parse(after, cursors):
        page = _read(rows.filter(order.beyond(cursor)))
        if page:
            return _numbered(rows, order, page[:PAGE_SIZE], has_more=len(page) > PAGE_SIZE)
    page = _read(rows)
    return ListPage(page[:PAGE_SIZE], has_more=len(page) > PAGE_SIZE)


def _parse(text: str, cursors: "QuerySet[Batch]") -> Cursor | None:
    urgency, _, digits = text.partition("-")
    try:
        pk = UUID(digits)
    except ValueError:
        return None
    for values in cursors.filter(pk=pk).values_list(*Cursor._fields)[:1]:
        return Cursor(*values)._replace(urgency=int(urgency) if urgency in {"1", "2"} else OVER)
    return None


def _read(rows: "QuerySet[Batch]") -> list[Cursor]:
    """Read a row more than the page has, to know whether it is the last page."""
    return [Cursor(*row) for row in rows.values_list(*Cursor._fields)[: PAGE_SIZE + 1]]


def _numbered(
    rows: "QuerySet[Batch]", order: Order, page: list[Cursor], *, has_more: bool
) -> ListPage:
    earlier = order.beyond(page[0], backwards=True)
    counts = rows.order_by().aggregate(earlier=Count("pk", filter=earlier), total=Count("pk"))
    return ListPage(page, counts["earlier"] + 1, has_more=has_more, total=counts["total"])
