"""The days that a report is compared with."""

from datetime import date, timedelta

import pytest

from batchapp.domain.reports.comparison import range_before

TODAY = date(2026, 11, 29)


def days(first: str, last: str) -> tuple[date, date]:
    return date.fromisoformat(first), date.fromisoformat(last)


@pytest.mark.parametrize(
    ("now", "before", "name"),
    [
        # A month that is not over, also if the range goes on beyond today.
        (("2026-11-01", "2026-11-29"), ("2026-10-01", "2026-10-29"), "1\u201329 October"),
        (("2026-11-01", "2026-11-30"), ("2026-10-01", "2026-10-29"), "1\u201329 October"),
        (("2026-11-01", "2100-12-31"), ("2026-10-01", "2026-10-29"), "1\u201329 October"),
        (("2026-11-01", "2026-11-01"), ("2026-10-01", "2026-10-01"), "1 October"),
        # Whole months and years.
        (("2026-10-01", "2026-10-31"), ("2026-09-01", "2026-09-30"), "September"),
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28"), "February"),
        (("2024-03-01", "2024-03-31"), ("2024-02-01", "2024-02-29"), "February"),
        (("2026-03-01", "2026-03-30"), ("2026-02-01", "2026-02-28"), "February"),
        (("2026-07-01", "2026-09-30"), ("2026-04-01", "2026-06-30"), "April 2026 to June 2026"),
        (("2025-01-01", "2025-12-31"), ("2024-01-01", "2024-12-31"), "2024"),
        (("2024-01-01", "2025-12-31"), ("2022-01-01", "2023-12-31"), "2022\u20132023"),
        # A year that is not over.
        (("2026-01-01", "2026-11-29"), ("2025-01-01", "2025-11-29"), "1 January to 29 November"),
        (("2024-01-01", "2024-02-29"), ("2023-01-01", "2023-02-28"), "1 January to 28 February"),
        (("2025-01-01", "2025-02-28"), ("2024-01-01", "2024-02-29"), "1 January to 29 February"),
        # Any other days.
        (("2026-09-01", "2026-11-29"), ("2026-06-03", "2026-08-31"), "the 90 days before"),
        (("2026-11-05", "2026-11-05"), ("2026-11-04", "2026-11-04"), "the day before"),
        (("2024-02-29", "2024-02-29"), ("2024-02-28", "2024-02-28"), "the day before"),
        (("2026-11-20", "2026-12-24"), ("2026-11-10", "2026-11-19"), "the 10 days before"),
    ],
)
def test_a_range_is_compared_with_the_days_before_it(
    now: tuple[str, str], before: tuple[str, str], name: str
) -> None:
    earlier = range_before(*days(*now), TODAY)

    assert earlier is not None
    assert (earlier.first, earlier.last) == days(*before)
    assert earlier.name.startswith(name)


def test_days_that_have_not_begun_are_compared_with_nothing() -> None:
    assert range_before(TODAY + timedelta(days=1), date(2100, 12, 31), TODAY) is None


@pytest.mark.parametrize("length", [1, 7, 30, 31, 90, 365, 366, 800])
def test_the_days_before_never_reach_into_the_range_and_are_never_longer(length: int) -> None:
    for offset in range(0, 800, 3):
        first = TODAY - timedelta(days=offset)
        last = first + timedelta(days=length - 1)
        earlier = range_before(first, last, TODAY)

        assert earlier is not None
        assert earlier.last < first
        counted = (min(last, TODAY) - first).days + 1
        assert abs((earlier.last - earlier.first).days + 1 - counted) <= 3
