"""How long the rest may take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.pace import remaining

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "left"),
    [
        (50, 100, MINUTE, MINUTE),
        (25, 100, MINUTE, 3 * MINUTE),
        (100, 100, MINUTE, timedelta()),
        (2, 2, MINUTE, timedelta()),
    ],
)
def test_the_rest_goes_at_the_pace_so_far(
    done: int, total: int, elapsed: timedelta, left: timedelta
) -> None:
    assert remaining(done, total, elapsed) == left


@pytest.mark.parametrize(
    ("done", "total", "elapsed"),
    [
        (0, 100, MINUTE),
        (0, 0, MINUTE),
        (9, 100, MINUTE),
        (50, 100, timedelta(seconds=9)),
        (50, 100, -MINUTE),
        (101, 100, MINUTE),
    ],
)
def test_nothing_is_guessed_from_too_little(done: int, total: int, elapsed: timedelta) -> None:
    assert remaining(done, total, elapsed) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-10, 10**6))
def test_a_time_is_never_negative(done: int, total: int, seconds: int) -> None:
    left = remaining(done, total, timedelta(seconds=seconds))

    assert left is None or left >= timedelta()
