"""The timeline of a batch: the date once, clock times, and the time since the step before."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from batchapp.models import Event, EventKind
from batchapp.presenters.batches.batch_timeline import timeline_of
from tests.make import make_user

OTHER = "1 answer names another model than was asked for."
START = datetime(2024, 2, 27, 23, 12, tzinfo=timezone.get_default_timezone())


@pytest.mark.parametrize(
    ("later", "day", "gap"),
    [
        (timedelta(seconds=59), "", ""),
        (timedelta(seconds=60), "", "1 min later"),
        (timedelta(minutes=47, seconds=59), "", "47 min later"),
        (timedelta(hours=2, minutes=19), "28 Feb 2024", "2 h 19 min later"),
        (timedelta(hours=50), "1 Mar 2024", "2 days later"),
    ],
)
def test_a_step_says_how_long_after_the_one_before_and_a_new_day(
    later: timedelta, day: str, gap: str
) -> None:
    first, second = timeline_of(
        Event(at=at, kind=EventKind.PAUSE_REQUESTED) for at in (START, START + later)
    )

    assert (first.day, first.gap) == ("27 Feb 2024", "")
    assert (second.day, second.gap) == (day, gap)


def test_the_year_is_left_out_while_it_lasts() -> None:
    now = timezone.localtime()

    (step,) = timeline_of([Event(at=now, kind=EventKind.PAUSE_REQUESTED)])

    assert step.day == f"{now:%-d %b}"


def test_the_last_end_leaves_the_counts_to_the_page_and_earlier_ones_keep_them() -> None:
    data = {"outcomes": {"ok": 2}, "requests": 2, "discrepancy": [], "other_models": 1}
    events = [Event(at=START, kind=EventKind.FINISHED, data=data) for _ in range(2)]

    first, second = timeline_of(events)

    assert first.text == f"Finished: 2 in = 2 answered. {OTHER}"
    assert second.text == f"Finished. {OTHER}"


@pytest.mark.django_db
def test_a_step_names_the_person_who_acted() -> None:
    person = make_user(first_name="Mia", last_name="")
    events = [
        Event(at=START, kind=EventKind.RESUME_REQUESTED, actor=person),
        Event(at=START, kind=EventKind.STILL_RUNS, data={"connection": "Doubleword"}),
    ]

    steps = timeline_of(events)

    assert [step.person for step in steps] == [person, None]
    assert steps[0].text == "Asked to resume."
