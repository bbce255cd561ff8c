"""The pace of a batch, and the time left at that pace."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.progress import MAX_MARKS, TimeLeft, last_progress_at, time_left, with_mark

HOUR, MINUTE = 3600.0, 60.0
DAY = 86400.0
polls = st.lists(
    st.tuples(st.floats(1.7e9, 1.9e9), st.integers(0, 50_000)), min_size=1, max_size=120
)


def polled(*periods: tuple[float, float], every: float = 30.0) -> list[list[float]]:
    """Poll ``every`` so many seconds through periods of (seconds, requests per second)."""
    marks = with_mark([], 0.0, 0, started_at=0.0)
    moment = ended = 0.0
    for seconds, pace in periods:
        stop = moment + seconds
        while moment < stop:
            moment += every
            ended += every * pace
            marks = with_mark(marks, moment, int(ended))
    return marks


def minutes(left: TimeLeft | None) -> tuple[int, int]:
    assert left
    return tuple(round(time.total_seconds() / MINUTE) for time in (left.least, left.most))


def test_a_poll_without_news_leaves_no_mark_for_a_minute() -> None:
    marks = with_mark([], 100.0, 5, started_at=40.0)

    assert marks == [[40.0, 0], [100.0, 5]]
    assert with_mark(marks, 159.0, 5) == marks
    assert with_mark(marks, 160.0, 5) == [*marks, [160.0, 5]]
    assert with_mark(marks, 101.0, 6) == [*marks, [101.0, 6]]


def test_a_long_silence_takes_two_marks_however_long_it_is() -> None:
    marks = polled((HOUR, 1), (2 * DAY, 0))

    assert marks[-2:] == [[HOUR, 3600], [HOUR + 2 * DAY, 3600]]
    assert last_progress_at(marks) == HOUR


def test_few_marks_are_kept_the_first_the_last_and_more_of_recent_times() -> None:
    marks = polled((DAY, 0.5))

    assert len(marks) == MAX_MARKS
    assert marks[0] == [0, 0]
    assert marks[-1] == [DAY, DAY / 2]
    assert marks[-2][0] >= DAY - MINUTE
    assert sum(moment > DAY - HOUR for moment, _ in marks) > MAX_MARKS / 3


@pytest.mark.parametrize(
    ("moment", "ended"), [(200.0, 4), (99.0, 5), (99.0, 6)], ids=["count", "clock", "both"]
)
def test_marks_begin_anew_where_something_went_back(moment: float, ended: int) -> None:
    marks = [[40.0, 0], [100.0, 5]]

    assert with_mark(marks, moment, ended) == [[moment, ended]]


def test_marks_begin_anew_at_a_retry_in_place() -> None:
    marks = [[40.0, 0], [100.0, 5]]

    assert with_mark(marks, 200.0, 5, retried_at=150.0) == [[200.0, 5]]
    assert with_mark([], 200.0, 5, started_at=40.0, retried_at=150.0) == [[200.0, 5]]
    assert with_mark([[160.0, 5]], 200.0, 6, retried_at=150.0) == [[160.0, 5], [200.0, 6]]


def test_an_even_pace_gives_a_narrow_range() -> None:
    left = time_left(polled((HOUR, 2)), 4 * 7200)

    assert minutes(left) == (174, 186)
    assert left
    assert left.is_narrow


def test_a_slow_start_does_not_count_for_long() -> None:
    marks = polled((HOUR, 0), (HOUR, 2))

    least, most = minutes(time_left(marks, 2 * 7200))

    assert least <= 60 <= most
    assert most < 70


def test_a_pace_that_slows_down_widens_the_range() -> None:
    marks = polled((HOUR, 2), (HOUR / 4, 1))

    least, most = minutes(time_left(marks, 7200 + 900 + 3600))

    assert least < 45
    assert most >= 60


def test_a_batch_that_stands_still_has_no_known_time_left() -> None:
    assert time_left(polled((HOUR, 2)), 9000)
    assert time_left(polled((HOUR, 2), (HOUR / 2, 0)), 9000) is None


def test_nothing_is_left_when_all_have_ended() -> None:
    assert time_left([(0, 0), (60, 2)], 2) == TimeLeft(timedelta(), timedelta())


@pytest.mark.parametrize(
    ("marks", "total"),
    [
        ([], 100),
        ([(0, 0)], 0),
        ([(0, 0), (60, 0)], 100),
        ([(0, 0), (60, 9)], 100),
        ([(0, 0), (9, 50)], 100),
        ([(0, 0), (60, 101)], 100),
        ([(60, 50)], 100),
    ],
)
def test_nothing_is_guessed_from_too_little(marks: list[tuple[float, float]], total: int) -> None:
    assert time_left(marks, total) is None


def test_a_batch_that_was_never_polled_has_no_last_progress() -> None:
    assert last_progress_at([]) is None


@given(polls, st.integers(0, 50_000))
def test_marks_are_few_and_rise_and_a_range_is_in_order_whatever_was_polled(
    counts: list[tuple[float, int]], total: int
) -> None:
    marks: list[list[float]] = []
    for moment, ended in counts:
        marks = with_mark(marks, moment, ended, started_at=1.69e9)
    left = time_left(marks, total)

    assert len(marks) <= MAX_MARKS
    assert marks == sorted(marks)
    assert marks[-1][1] == counts[-1][1]
    assert left is None or timedelta() <= left.least <= left.most
