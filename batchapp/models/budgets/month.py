"""The calendar months of the portal's time zone, by their first day."""

from datetime import date, datetime, timedelta

from django.utils import timezone


def month_of(at: datetime | None = None) -> date:
    """Return the first day of the month of ``at``, by default of now, in the portal's time zone.

    The time zone of the person does not matter: a batch belongs to one month for everybody.
    """
    day = timezone.localdate(at or timezone.now(), timezone=timezone.get_default_timezone())
    return day.replace(day=1)


def month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
