"""Select the batches of a list of the API, and put them in order."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast
from django.utils import timezone
from ninja import Schema
from pydantic import Field

from batchapp.api.errors import invalid
from batchapp.api.ids import parse_batch_id
from batchapp.api.pages import DEFAULT_LIMIT, page_size, unknown_cursor
from batchapp.api.schemas.batches import LONGEST_SEARCH, Status
from batchapp.domain.results.outcome import storable_text
from batchapp.models import Batch, ProviderBatch
from batchapp.pipeline import states


class BatchFilters(Schema):
    """The parameters of a list. ``in_progress`` has all that go on, and ``expired`` the late."""

    after: str | None = None
    limit: int = Field(DEFAULT_LIMIT, ge=1)
    status: Status | None = None
    search: str = Field("", max_length=LONGEST_SEARCH)
    created_after: datetime | None = None
    created_before: datetime | None = None
    completion_window: str = Field("", description="One, or several with commas between them.")
    active_first: bool = False
    include: str = Field("", description="Lists what else is told: analytics.")

    def narrow(self, rows: "QuerySet[Batch]") -> "QuerySet[Batch]":
        """Return those of ``rows`` that the parameters select.

        Raises:
            ApiError: a moment is none that the database compares.
        """
        if self.status:
            rows = rows.filter(CONDITIONS[self.status]())
        if text := storable_text(self.search):
            rows = _searched(rows, text)
        if self.created_after:
            since = _moment(self.created_after, "created_after")
            rows = rows.filter(created_at__gte=since)
        if self.created_before:
            until = _moment(self.created_before, "created_before")
            rows = rows.filter(created_at__lte=until)
        if self.completion_window:
            rows = rows.filter(window__in=storable_text(self.completion_window).split(","))
        return rows

    def page(self, rows: "QuerySet[Batch]", among: "QuerySet[Batch]") -> list[Batch]:
        """Return the batches after the cursor, and one more if there is a next page.

        The cursor is looked up ``among`` all batches: it may have left the filter meanwhile.

        Raises:
            ApiError: the cursor names no batch.
        """
        over = Case(When(status__in=Batch.OVER, then=Value(1)), default=Value(0))
        order = ["-created_at", "-pk"]
        if self.active_first:
            rows, among = rows.annotate(over=over), among.annotate(over=over)
            order = ["over", *order]
        if self.after is not None:
            pk = parse_batch_id(self.after)
            cursor = among.filter(pk=pk).first() if pk else None
            if cursor is None:
                raise unknown_cursor(self.after)
            rows = rows.filter(self._beyond(cursor))
        return list(rows.order_by(*order)[: page_size(self.limit) + 1])

    def _beyond(self, cursor: Any) -> Q:
        older = Q(created_at__lt=cursor.created_at)
        older |= Q(created_at=cursor.created_at, pk__lt=cursor.pk)
        if not self.active_first:
            return older
        return Q(over__gt=cursor.over) | (Q(over=cursor.over) & older)


def _late() -> Q:
    late = ProviderBatch.objects.filter(batch=OuterRef("pk"), expires_at__lt=timezone.now())
    return Q(status__in=Batch.UNFINISHED) & Q(Exists(late))


_UNDER_WAY = Q(status__in=Batch.UNFINISHED, cancel_requested_at=None)
_ENDING = states.FETCHING.condition | states.ADDING_UP.condition
_STARTING = states.AWAITING_APPROVAL.condition | states.QUEUED.condition | states.WAITING.condition
# A status as a filter of Doubleword's API selects more batches than have it as their status.
CONDITIONS: dict[str, Callable[[], Q]] = {
    "validating": lambda: _STARTING,
    "in_progress": lambda: _UNDER_WAY,
    "finalizing": lambda: _ENDING,
    "completed": lambda: Q(status=Batch.Status.COMPLETED),
    "failed": lambda: Q(status=Batch.Status.FAILED),
    "expired": _late,
    "cancelling": lambda: states.CANCELLING.condition,
    "cancelled": lambda: Q(status=Batch.Status.CANCELLED) | states.CANCELLING.condition,
}


def _searched(rows: "QuerySet[Batch]", text: str) -> "QuerySet[Batch]":
    """Match names of batches and files, texts of the metadata, and whole ids."""
    rows = rows.annotate(metadata_text=Cast(F("metadata"), TextField()))
    match = Q(name__icontains=text) | Q(upload__name__icontains=text)
    match |= Q(metadata_text__icontains=text)
    pk = parse_batch_id(text)
    return rows.filter(match | Q(pk=pk) if pk else match)


def _moment(time: datetime, param: str) -> datetime:
    """Return ``time``, which is in the portal's time zone if it names none.

    Raises:
        ApiError: the moment is before the first year or after the last, as databases count.
    """
    try:
        return (time if time.tzinfo else timezone.make_aware(time)).astimezone(UTC)
    except OverflowError:
        raise invalid(f"{param} is not within the years 1 to 9999.", param) from None
