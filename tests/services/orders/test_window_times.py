from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import Batch, Event, EventKind
from batchapp.services.orders.window_times import MIN_BATCHES, window_times
from tests.make import join, make_batch, make_project, make_user

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def make_finished(project, hours, *, window="24h", status=Batch.Status.COMPLETED):
    batch = make_batch(project)
    now = timezone.now()
    Batch.objects.filter(pk=batch.pk).update(
        window=window, status=status, created_at=now - hours * HOUR, finished_at=now
    )
    return batch


def test_a_window_takes_the_median_of_finished_batches_and_at_most_the_longest(
    user, project, django_assert_num_queries
):
    for hours in (1, 2, 9):
        make_finished(project, hours)
    make_finished(project, 30, status=Batch.Status.CANCELLED)
    make_finished(project, 40, status=Batch.Status.FAILED)

    with django_assert_num_queries(1):
        times = window_times(user, project.connection)

    assert times.keys() == {"24h"}
    assert (times["24h"].usual, times["24h"].longest) == (2 * HOUR, 9 * HOUR)
    assert times["24h"].batches == 3


def test_nothing_is_said_of_few_batches(user, project):
    for _ in range(MIN_BATCHES - 1):
        make_finished(project, 1)
    make_finished(project, 1, window="1h")

    assert window_times(user, project.connection) == {}


def test_batches_that_waited_for_a_person_do_not_count(user, project):
    for hours in (1, 1, 1, 50):
        batch = make_finished(project, hours)
    Event.objects.create(batch=batch, kind=EventKind.PAUSE_REQUESTED)

    assert window_times(user, project.connection)["24h"].longest == HOUR


def test_batches_of_projects_that_a_person_cannot_see_do_not_count(user, project):
    other = make_project(make_user("grace@example.org"), connection=project.connection)
    for _ in range(MIN_BATCHES):
        make_finished(other, 1)

    assert window_times(user, project.connection) == {}
    join(user, other)
    assert window_times(user, project.connection)["24h"].batches == MIN_BATCHES
