"""A digest comes at 8 o'clock by the clock of its reader, also on a day that the clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from batchapp.domain.notifications.digest_times import next_daily, next_weekly

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ((2026, 11, 29, 6, 59), BERLIN, (2026, 11, 29, 7)),
        ((2026, 11, 29, 7, 0), BERLIN, (2026, 11, 30, 7)),
        ((2026, 11, 29, 22, 59), TOKYO, (2026, 11, 29, 23)),
        # The clock goes back in the night to Sunday 25 October, and on in that to 29 March.
        ((2026, 10, 24, 7, 0), BERLIN, (2026, 10, 25, 7)),
        ((2026, 3, 28, 8, 0), BERLIN, (2026, 3, 29, 6)),
    ],
)
def test_a_daily_digest_comes_at_eight(
    now: tuple[int, ...], zone: ZoneInfo, expected: tuple[int, ...]
) -> None:
    assert next_daily(datetime(*now, tzinfo=UTC), zone) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_weekly_digest_comes_on_monday() -> None:
    sunday, monday = datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 11, 30, 7, tzinfo=UTC)

    assert next_weekly(sunday, BERLIN) == monday
    assert next_weekly(monday, BERLIN) == datetime(2026, 12, 7, 7, tzinfo=UTC)
