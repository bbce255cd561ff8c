"""When a batch is due, and how late it will be."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.batch_due import DueIn, due_in
from batchapp.presenters.batches.batch_summary import summarise
from tests.make import make_batch, make_project, make_user, set_state

MINUTE = timedelta(minutes=1)


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
        (24 * 60, [(1, 0), (0, 0)], DueIn("in 24 h")),
        (-5, [(60, 0), (0, 300)], DueIn("", "5 min late", "bad")),
        (
            10,
            [(60, 0), (0, 300)],
            DueIn("in 10 min", "~52 min late", "bad", "At this pace it ends in about 62 minutes"),
        ),
    ],
)
def test_a_deadline_and_a_pace_beyond_it_are_told_apart(
    minutes: int, polls: list[tuple[int, int]], said: DueIn
) -> None:
    assert due_in(summarise(running(minutes, *polls))) == said
