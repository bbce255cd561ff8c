"""When the e-mail of a day or of a week is written, by the clock of its reader."""

from datetime import UTC, datetime, time, timedelta, tzinfo

DIGEST_TIME = time(8)  # before the working day, so that the batches of the night are in it
MONDAY = 0


def next_daily(now: datetime, zone: tzinfo) -> datetime:
    """Return the next time after ``now`` at which it is 8 o'clock in ``zone``."""
    return _next(now, zone, range(7))


def next_weekly(now: datetime, zone: tzinfo) -> datetime:
    """Return the next Monday after ``now``, 8 o'clock in ``zone``."""
    return _next(now, zone, [MONDAY])


def _next(now: datetime, zone: tzinfo, weekdays: "range | list[int]") -> datetime:
    day = now.astimezone(zone).date()
    while True:
        # By the calendar: a day on which the clock changes has 23 or 25 hours.
        moment = datetime.combine(day, DIGEST_TIME, zone).astimezone(UTC)
        if moment > now and day.weekday() in weekdays:
            return moment
        day += timedelta(days=1)
