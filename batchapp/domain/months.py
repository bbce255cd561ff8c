"""Calendar months as the date of their first day, and their bounds in a time zone."""

from datetime import date, datetime, time, tzinfo


def month_of(moment: datetime, zone: tzinfo) -> date:
    """Return the month of ``zone`` in which ``moment`` lies."""
    return moment.astimezone(zone).date().replace(day=1)


def month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of ``day`` in ``zone``."""
    return datetime.combine(day, time.min, zone)


def bounds(month: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first moment of ``month``, and the first moment that is not in it any more."""
    return midnight(month, zone), midnight(month_after(month), zone)
