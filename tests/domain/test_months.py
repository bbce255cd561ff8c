"""Each moment is in one month of a time zone, also where midnight is missing or comes twice."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from batchapp.domain.months import bounds, midnight, month_after, month_of

LEAST = timedelta(microseconds=1)


@pytest.mark.parametrize("year", [2000, 2011, 2023, 2026])
def test_the_months_of_every_zone_follow_each_other_without_a_gap(year: int) -> None:
    months = [date(year, number, 1) for number in range(1, 13)]
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for month in months:
            first, following = (moment.astimezone(UTC) for moment in bounds(month, zone))
            begins = bounds(month_after(month), zone)[0].astimezone(UTC)
            found = [month_of(moment, zone) for moment in (first, following - LEAST, following)]
            assert following == begins, name
            assert found == [month, month, month_after(month)], name


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Pacific/Kiritimati", date(2026, 11, 1), datetime(2026, 10, 31, 10, tzinfo=UTC)),
        ("Pacific/Pago_Pago", date(2026, 11, 1), datetime(2026, 11, 1, 11, tzinfo=UTC)),
        # The clock goes from 00:00 to 01:00: the month begins at 01:00.
        ("America/Asuncion", date(2023, 10, 1), datetime(2023, 10, 1, 4, tzinfo=UTC)),
        # The clock goes from 01:00 back to 00:00: the month begins with the first of both.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_month_begins_with_the_first_moment_of_its_first_day(
    zone: str, day: date, begins: datetime
) -> None:
    assert midnight(day, ZoneInfo(zone)).astimezone(UTC) == begins
