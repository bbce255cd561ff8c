"""When somebody should be told."""

from datetime import UTC, datetime, timedelta

import pytest

from batchapp.domain.alert_rules import Overrun, failed_percent, overrun, standstill
from batchapp.domain.progress import TimeLeft

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "due", "found"),
    [
        ((1, 2), 2, None),
        ((1, 3), 2, Overrun(HOUR, is_certain=False)),
        ((4, 6), 2, Overrun(3 * HOUR, is_certain=True)),
    ],
)
def test_what_ends_after_its_window_is_seen_before(
    hours: tuple[int, int], due: int, found: Overrun | None
) -> None:
    left = TimeLeft(hours[0] * HOUR, hours[1] * HOUR)

    assert overrun(left, NOW, NOW + due * HOUR) == found


def test_a_batch_without_a_pace_or_an_end_of_its_window_is_not_said_to_be_late() -> None:
    assert overrun(None, NOW, NOW) is None
    assert overrun(TimeLeft(HOUR, HOUR), NOW, None) is None


def test_standing_still_is_judged_by_the_last_look_not_by_the_time_since() -> None:
    limit = timedelta(minutes=45)

    assert standstill(NOW - limit, NOW, limit)
    assert not standstill(NOW - limit, NOW - timedelta(seconds=1), limit)
    assert not standstill(None, NOW, limit)
    assert not standstill(NOW - limit, None, limit)


@pytest.mark.parametrize(
    ("answered", "failed", "percent"),
    [(0, 0, None), (0, 49, None), (0, 50, 100), (39, 11, 22), (40, 10, 20), (41, 9, None)],
)
def test_failures_alarm_from_a_share_of_enough_requests(
    answered: int, failed: int, percent: int | None
) -> None:
    assert failed_percent(answered, failed, 20) == percent
