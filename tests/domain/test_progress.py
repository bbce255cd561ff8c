"""How fast it goes, and how long the rest may take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.progress import MOST_MARKS, TimeLeft, last_progress_at, time_left, with_mark

HOUR, MINUTE = 3600.0, 60.0
DAY = 86400.0
looks = st.lists(
    st.tuples(st.floats(1.7e9, 1.9e9), st.integers(0, 50_000)), min_size=1, max_size=120
)


def watched(*stretches: tuple[float, float], every: float = 30.0) -> list[list[float]]:
    """Marks of somebody who looks ``every`` so many seconds: (seconds, requests per second)."""
    marks = with_mark([], 0.0, 0, begun=0.0)
    moment = ended = 0.0
    for seconds, pace in stretches:
        stop = moment + seconds
        while moment < stop:
            moment += every
            ended += every * pace
            marks = with_mark(marks, moment, int(ended))
    return marks


def minutes(found: TimeLeft | None) -> tuple[int, int]:
    assert found
    return tuple(round(each.total_seconds() / MINUTE) for each in (found.least, found.most))


def test_a_look_that_saw_nothing_new_leaves_no_mark_for_a_minute() -> None:
    marks = with_mark([], 100.0, 5, begun=40.0)

    assert marks == [[40.0, 0], [100.0, 5]]
    assert with_mark(marks, 159.0, 5) == marks
    assert with_mark(marks, 160.0, 5) == [*marks, [160.0, 5]]
    assert with_mark(marks, 101.0, 6) == [*marks, [101.0, 6]]


def test_a_long_silence_takes_two_marks_however_long_it_is() -> None:
    marks = watched((HOUR, 1), (2 * DAY, 0))

    assert marks[-2:] == [[HOUR, 3600], [HOUR + 2 * DAY, 3600]]
    assert last_progress_at(marks) == HOUR


def test_few_marks_are_kept_the_first_the_last_and_more_of_the_recent_ones() -> None:
    marks = watched((DAY, 0.5))

    assert len(marks) == MOST_MARKS
    assert marks[0] == [0, 0]
    assert marks[-1] == [DAY, DAY / 2]
    assert marks[-2][0] >= DAY - MINUTE
    assert sum(moment > DAY - HOUR for moment, _ in marks) > MOST_MARKS / 3


@pytest.mark.parametrize(
    ("moment", "ended"), [(200.0, 4), (99.0, 5), (99.0, 6)], ids=["count", "clock", "both"]
)
def test_marks_begin_anew_where_something_went_back(moment: float, ended: int) -> None:
    marks = [[40.0, 0], [100.0, 5]]

    assert with_mark(marks, moment, ended) == [[moment, ended]]


def test_a_reopened_batch_begins_anew() -> None:
    marks = [[40.0, 0], [100.0, 5]]

    assert with_mark(marks, 200.0, 5, reopened=150.0) == [[200.0, 5]]
    assert with_mark([], 200.0, 5, begun=40.0, reopened=150.0) == [[200.0, 5]]
    assert with_mark([[160.0, 5]], 200.0, 6, reopened=150.0) == [[160.0, 5], [200.0, 6]]


def test_an_even_pace_gives_a_narrow_range() -> None:
    found = time_left(watched((HOUR, 2)), 4 * 7200)

    assert minutes(found) == (174, 186)
    assert found
    assert found.is_narrow


def test_a_slow_start_does_not_count_for_long() -> None:
    marks = watched((HOUR, 0), (HOUR, 2))

    least, most = minutes(time_left(marks, 2 * 7200))

    assert least <= 60 <= most
    assert most < 70


def test_a_pace_that_slows_down_widens_the_range() -> None:
    marks = watched((HOUR, 2), (HOUR / 4, 1))

    least, most = minutes(time_left(marks, 7200 + 900 + 3600))

    assert least < 45
    assert most >= 60


def test_what_stands_still_has_no_time_left_to_tell() -> None:
    assert time_left(watched((HOUR, 2)), 9000)
    assert time_left(watched((HOUR, 2), (HOUR / 2, 0)), 9000) is None


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


def test_nobody_knows_since_when_a_batch_that_was_never_looked_at_stands_still() -> None:
    assert last_progress_at([]) is None


@given(looks, st.integers(0, 50_000))
def test_whatever_is_seen_marks_are_few_and_rise_and_a_range_is_one(
    seen: list[tuple[float, int]], total: int
) -> None:
    marks: list[list[float]] = []
    for moment, ended in seen:
        marks = with_mark(marks, moment, ended, begun=1.69e9)
    found = time_left(marks, total)

    assert len(marks) <= MOST_MARKS
    assert marks == sorted(marks)
    assert marks[-1][1] == seen[-1][1]
    assert found is None or timedelta() <= found.least <= found.most
