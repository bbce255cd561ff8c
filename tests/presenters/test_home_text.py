"""The sentence at the top of the home page, and when its batches are due."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.home_text import DueIn, due_in, home_headline
from tests.make import make_batch, make_project, make_user, set_state

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("waiting", "running", "is_new", "said"),
    [
        (1, 7, False, "1 batch needs attention, 7 under way"),
        (2, 0, False, "2 batches need attention"),
        (0, 1, False, "1 batch under way"),
        (0, 0, False, "Nothing is under way"),
        (0, 0, True, "Welcome to Batchapp"),
    ],
)
def test_the_headline_counts_what_waits_and_what_runs(
    waiting: int, running: int, is_new: bool, said: str
) -> None:
    assert home_headline([None] * waiting, [None] * running, is_new=is_new) == said


def running(due_in_minutes: int, *polls: tuple[int, int]) -> Batch:
    """Create a batch of 600 requests, of which as many had ended so many minutes ago."""
    user, now = make_user(), timezone.now()
    batch = make_batch(make_project(user), user)
    Batch.objects.filter(pk=batch.pk).update(requests=600)
    set_state(
        batch,
        status=ProviderBatch.Status.RUNNING,
        remote_id="batch-1",
        total=600,
        completed=polls[-1][1],
        submitted_at=now - polls[0][0] * MINUTE,
        polled_at=now,
        expires_at=now + due_in_minutes * MINUTE,
        marks=[[(now - ago * MINUTE).timestamp(), ended] for ago, ended in polls],
    )
    return Batch.objects.get(pk=batch.pk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minutes", "polls", "said"),
    [
        (24 * 60, [(1, 0), (0, 0)], DueIn("24 h")),
        (-5, [(60, 0), (0, 300)], DueIn("late by 5 min", "bad")),
        (
            10,
            [(60, 0), (0, 300)],
            DueIn("late by ~52 min", "bad", "At this pace it ends in about 62 minutes"),
        ),
    ],
)
def test_a_deadline_and_a_pace_beyond_it_are_told_apart(
    minutes: int, polls: list[tuple[int, int]], said: DueIn
) -> None:
    assert due_in(summarise(running(minutes, *polls))) == said
