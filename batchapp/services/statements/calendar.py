"""The months of the portal's time zone, and when they are closed."""

from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from batchapp.domain import months
from batchapp.models import MonthClosing


def this_month() -> date:
    """Return the month that runs now in the portal's time zone."""
    return month_of(timezone.now())


def month_of(moment: datetime) -> date:
    return months.month_of(moment, timezone.get_default_timezone())


def ends_at(month: date) -> datetime:
    """Return the first moment that is not in ``month`` any more."""
    return months.bounds(month, timezone.get_default_timezone())[1]


def closes_at(month: date) -> datetime:
    """Return when a worker closes ``month``: the start of a day, so many days after its end."""
    day = months.month_after(month) + timedelta(days=settings.STATEMENT_CLOSING_DAYS)
    return months.midnight(day, timezone.get_default_timezone())


def is_over(month: date) -> bool:
    return timezone.now() >= ends_at(month)


def finished_in(month: date, prefix: str = "") -> dict[str, Any]:
    """Return the filters by which ``finished_at`` lies in ``month``; ``prefix`` leads to it."""
    start, end = months.bounds(month, timezone.get_default_timezone())
    return {f"{prefix}finished_at__gte": start, f"{prefix}finished_at__lt": end}


def open_months() -> list[date]:
    """Return the months that are not closed, from the oldest to the one that runs."""
    last = this_month()
    month = MonthClosing.open_month() or last
    if month > last:  # the clock ran ahead when the month before was closed
        return [last]
    found = [month]
    while month < last:
        month = months.month_after(month)
        found.append(month)
    return found
