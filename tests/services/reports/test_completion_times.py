"""How long batches took, by window and model."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import Batch, Event, EventKind, Project
from batchapp.services.reports.completion_times import completion_times, quantile
from batchapp.services.reports.cost_report import portal_today
from batchapp.services.reports.scope import Scope
from tests.make import MODEL, finish, make_administrator, make_batch, make_key, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

HOUR = timedelta(hours=1)


@pytest.fixture
def scope() -> Scope:
    today = portal_today()
    return Scope(today - timedelta(days=1), today, make_administrator())


def ran(project: Project, *hours: int, window: str = "24h") -> list[Batch]:
    """Finish a batch for each number of hours that it took."""
    upload, key = make_upload(project), make_key(project)
    batches = []
    for number in hours:
        batch = finish(make_batch(project, upload=upload, key=key, window=window))
        now = timezone.now()
        times = {"created_at": now - number * HOUR, "finished_at": now}
        Batch.objects.filter(pk=batch.pk).update(**times)
        batches.append(batch)
    return batches


def test_times_are_told_for_each_window_and_for_each_model_in_it(
    project: Project, scope: Scope
) -> None:
    ran(project, 1, 2, 3, 10)
    ran(project, 1, 1, window="1h")

    told = completion_times(scope)

    assert [(time.window, time.model) for time in told] == [("24h", ""), ("24h", MODEL)]
    for time in told:
        assert (time.batches, time.mean, time.median, time.p90) == (
            4,
            4 * HOUR,
            2 * HOUR,
            10 * HOUR,
        )


def test_a_batch_that_waited_for_a_person_or_did_not_complete_says_nothing(
    project: Project, scope: Scope
) -> None:
    paused, cancelled, *_ = ran(project, 20, 20, 2, 2, 2)
    Event.objects.create(batch=paused, kind=EventKind.PAUSE_REQUESTED)
    Batch.objects.filter(pk=cancelled.pk).update(status=Batch.Status.CANCELLED)

    assert {(time.batches, time.p90) for time in completion_times(scope)} == {(3, 2 * HOUR)}


def test_a_quantile_is_a_value_that_the_share_does_not_exceed() -> None:
    tenth = [float(number) for number in range(1, 11)]

    assert (quantile(tenth, 0.5), quantile(tenth, 0.9), quantile([7.0], 0.9)) == (5, 9, 7)
