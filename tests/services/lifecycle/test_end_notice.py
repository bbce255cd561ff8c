"""The end of a batch, and its lateness, are recorded with the change and once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Batch, Notice, NoticeKind, ProviderBatch, User
from batchapp.pipeline.attention import stop_for_person
from batchapp.services.lifecycle import controls
from batchapp.services.lifecycle.end_notice import LATE_AFTER, record_late
from batchapp.tasks import tick
from tests.make import EDITOR, finish, join, make_batch, make_user, set_state
from tests.notices import deliver
from tests.steps import advance, run_steps

pytestmark = pytest.mark.django_db
K = NoticeKind


def notices(kind: NoticeKind) -> list[Notice]:
    return list(Notice.objects.filter(kind=kind))


def test_the_end_of_a_batch_is_recorded_with_its_outcome_and_cost(user: User) -> None:
    batch = finish(make_batch(user=user))

    (notice,) = notices(K.BATCH_FINISHED)
    batch.refresh_from_db()
    data = notice.data
    assert (notice.project, notice.batch) == (batch.project, batch)
    assert (data["requests"], data["usable"]) == (batch.requests, batch.usable)
    assert data["state"] == "completed"
    assert data["cost"] == str(batch.actual_cost_usd)
    assert data["cancelled_by"] is None


def test_a_batch_that_is_settled_again_without_news_is_told_of_once() -> None:
    batch = finish(make_batch())
    batch.refresh_from_db()
    batch.return_to_running()
    ProviderBatch.objects.start_settling(pk=batch.pk)
    Batch.objects.update(status=Batch.Status.SETTLING, next_check_at=timezone.now())

    advance(Batch.objects.get())

    assert Batch.objects.get().status == Batch.Status.COMPLETED
    assert len(notices(K.BATCH_FINISHED)) == 1


def test_who_cancels_is_recorded_and_is_not_told(user: User) -> None:
    batch = make_batch(user=user)
    controls.request_cancel(batch, user)
    run_steps(batch.provider_batches.get())

    (notice,) = notices(K.BATCH_FINISHED)
    assert (notice.data["state"], notice.data["cancelled_by"]) == ("cancelled", user.pk)
    deliver(notice)
    assert not user.inbox_items.exists()


def test_the_maker_is_told_that_somebody_else_cancelled(user: User) -> None:
    batch = make_batch(user=user)
    controls.request_cancel(batch, join(make_user(), batch.project, EDITOR))
    run_steps(batch.provider_batches.get())

    deliver(*notices(K.BATCH_FINISHED))

    assert user.inbox_items.count() == 1


@pytest.fixture
def late() -> Batch:
    batch = make_batch()
    set_state(
        batch,
        status=ProviderBatch.Status.RUNNING,
        remote_id="b-1",
        expires_at=timezone.now() - LATE_AFTER - timedelta(seconds=1),
    )
    return batch


def test_a_late_batch_is_recorded_once(late: Batch, woken: list[str]) -> None:
    tick()
    tick()

    (notice,) = notices(K.BATCH_LATE)
    assert notice.batch == late
    assert notice.data["requests"] == late.requests


@pytest.mark.parametrize(
    "fields",
    [
        lambda: {"expires_at": timezone.now() + timedelta(hours=1)},
        lambda: {"ended_at": timezone.now()},
        lambda: {"status": ProviderBatch.Status.DONE},
    ],
    ids=["in time", "over there", "over here"],
)
def test_a_batch_that_is_in_time_or_over_is_not_late(
    late: Batch, fields: Callable[[], dict[str, object]]
) -> None:
    late.provider_batches.update(**fields())

    assert record_late() == 0


def test_a_batch_that_people_stop_is_not_late(late: Batch) -> None:
    Batch.objects.update(cancel_requested_at=timezone.now())

    assert record_late() == 0


def test_two_looks_at_once_record_it_once(late: Batch) -> None:
    assert record_late() == 1
    assert record_late() == 0


def test_a_batch_that_needs_a_person_is_told_of_once_for_all_its_parts() -> None:
    batch = make_batch()
    first = batch.provider_batches.get()
    second = ProviderBatch.objects.create(batch=batch, number=2)
    problem = Problem(ProblemCode.STEP_BROKE_OFF)

    stop_for_person(first, problem)
    stop_for_person(second, problem)

    (notice,) = notices(K.BATCH_NEEDS_ATTENTION)
    assert notice.data["problem"]["code"] == ProblemCode.STEP_BROKE_OFF
    ProviderBatch.objects.update(parked_reason="")
    stop_for_person(ProviderBatch.objects.get(pk=first.pk), problem)
    assert len(notices(K.BATCH_NEEDS_ATTENTION)) == 2
