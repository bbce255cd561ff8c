"""The closing of a month, from which on its statements stay as they are."""

from datetime import date, timedelta
from typing import ClassVar, Self

from django.db import models

from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.user import User


class MonthClosingQuerySet(LeasedRowQuerySet["MonthClosing"]):
    def open(self) -> Self:
        """Return the months whose statements may still get lines; there is at most one."""
        return self.exclude(status=MonthClosing.Status.CLOSED)


class MonthClosing(LeasedRow):
    """One month of the portal, on its way to being closed.

    The months are closed one after another: the row of a month is made when the month before is
    closed. So every batch is on the first statement that can name it.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSING = "closing", "Being closed"
        CLOSED = "closed", "Closed"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.OPEN: {Status.CLOSING},
        Status.CLOSING: {Status.CLOSED},
        Status.CLOSED: set(),
    }
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("closed_at",)
    CHECK_INTERVAL = timedelta(hours=1)  # the time zone, the setting and the clock may change

    month = models.DateField(unique=True, help_text="Its first day.")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    closed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", help_text="Empty: the portal itself."
    )
    closed_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(MonthClosingQuerySet)()

    class Meta:
        ordering = ["-month"]

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"

    @classmethod
    def open_month(cls) -> date | None:
        """Return the month whose statements are made next; None if no batch was paid yet."""
        return cls.objects.open().values_list("month", flat=True).first()
