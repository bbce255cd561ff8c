"""The rules that decide when a running batch needs attention."""

from datetime import UTC, datetime, timedelta

import pytest

from batchapp.domain.alert_rules import (
    Overrun,
    alarming_failed_percent,
    find_overrun,
    is_standing_still,
)
from batchapp.domain.progress import TimeLeft

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "due", "expected"),
    [
        ((1, 2), 2, None),
        ((1, 3), 2, Overrun(HOUR, is_certain=False)),
        ((4, 6), 2, Overrun(3 * HOUR, is_certain=True)),
    ],
)
def test_an_end_after_the_window_is_foreseen(
    hours: tuple[int, int], due: int, expected: Overrun | None
) -> None:
    left = TimeLeft(hours[0] * HOUR, hours[1] * HOUR)

    assert find_overrun(left, NOW, NOW + due * HOUR) == expected


def test_a_batch_without_a_pace_or_an_end_of_its_window_is_not_said_to_be_late() -> None:
    assert find_overrun(None, NOW, NOW) is None
    assert find_overrun(TimeLeft(HOUR, HOUR), NOW, None) is None


def test_standing_still_is_measured_to_the_last_poll_not_to_now() -> None:
    limit = timedelta(minutes=45)

    assert is_standing_still(NOW - limit, NOW, limit)
    assert not is_standing_still(NOW - limit, NOW - timedelta(seconds=1), limit)
    assert not is_standing_still(None, NOW, limit)
    assert not is_standing_still(NOW - limit, None, limit)


@pytest.mark.parametrize(
    ("answered", "failed", "percent"),
    [(0, 0, None), (0, 49, None), (0, 50, 100), (39, 11, 22), (40, 10, 20), (41, 9, None)],
)
def test_failures_alarm_from_a_share_of_enough_requests(
    answered: int, failed: int, percent: int | None
) -> None:
    assert alarming_failed_percent(answered, failed, 20) == percent
