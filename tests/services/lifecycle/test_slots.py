"""Assign a limited number of slots: the order, the waiting, and what people read."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from django.utils import timezone

from batchapp.models import Batch, Connection, Project, ProviderBatch
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare, retry_in_place, slots
from tests.make import (
    answer_line,
    error_line,
    make_batch,
    make_connection,
    make_project,
    make_upload,
    request_file,
)
from tests.provider import Provider
from tests.steps import advance, make_due, race, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked

Committed = Callable[[], AbstractContextManager[list[Callable[[], object]]]]
FULL = "Insufficient capacity for 1h completion window."


@pytest.fixture
def connection() -> Connection:
    """A provider that takes two batches at a time."""
    return make_connection(max_active=2)


@pytest.fixture
def project(connection: Connection) -> Project:
    return make_project(connection=connection)


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """Run the callbacks that wait for the commit."""
    return partial(django_capture_on_commit_callbacks, execute=True)


def wait_at(project: Project, number: int = 1) -> list[ProviderBatch]:
    """Batches of ``project`` that could be submitted."""
    provider_batches = [
        ProviderBatch.objects.get(batch=make_batch(project)) for _ in range(number)
    ]
    for provider_batch in provider_batches:
        prepare.prepare(provider_batch)
    return provider_batches


def submit(provider_batch: ProviderBatch) -> ProviderBatch:
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(
        next_check_at=timezone.now(), leased_until=None
    )
    advance(provider_batch)
    return ProviderBatch.objects.get(pk=provider_batch.pk)


def end(provider: Provider, provider_batch: ProviderBatch) -> None:
    """End a provider batch, at the provider and here."""
    provider.batches[ProviderBatch.objects.get(pk=provider_batch.pk).remote_id]["status"] = (
        "completed"
    )
    for _ in range(4):
        ProviderBatch.objects.filter(pk=provider_batch.pk).update(rereads=9, completed=0, failed=0)
        advance(make_due(provider_batch))
    assert ProviderBatch.objects.get(pk=provider_batch.pk).status == Status.DONE


def used_slots(connection: Connection) -> int:
    holding = slots.holds_slot(connection)
    return ProviderBatch.objects.filter(holding, batch__connection=connection).count()


def refuse_creates(call: str, request: httpx.Request) -> httpx.Response | None:
    if call != "POST /v1/batches":
        return None
    body = {"error": "too_many_requests", "message": FULL, "retry_after_seconds": 30}
    return httpx.Response(429, json=body, headers={"Retry-After": "60"})


def test_without_a_limit_everybody_goes_at_once(provider: Provider) -> None:
    for provider_batch in wait_at(make_project(), 5):
        assert submit(provider_batch).status == Status.RUNNING


def test_without_a_slot_it_waits_and_says_why_and_how_many_are_ahead(
    provider: Provider, project: Project
) -> None:
    provider_batches = [submit(row) for row in wait_at(project, 5)]

    assert [row.status for row in provider_batches] == [Status.RUNNING] * 2 + [Status.WAITING] * 3
    assert len(provider.batches) == 2
    where = f"Waiting for a free slot at {project.connection}: 2 of 2 slots are used."
    assert [problem_text(row.problem) for row in provider_batches[2:]] == [
        f"{where} It is next.",
        f"{where} 1 provider batch is ahead.",
        f"{where} 2 provider batches are ahead.",
    ]
    assert all(row.next_check_at and not row.failures for row in provider_batches[2:])


def test_a_provider_batch_that_ends_wakes_the_next_at_once(
    provider: Provider, project: Project, woken: list[str], committed: Committed
) -> None:
    first, _, third, fourth = [submit(row) for row in wait_at(project, 4)]

    with committed():
        end(provider, first)

    assert str(third.pk) in woken
    assert str(fourth.pk) not in woken
    third.refresh_from_db()
    assert third.next_check_at
    assert third.next_check_at <= timezone.now()
    assert submit(third).status == Status.RUNNING
    assert submit(third).problem is None
    assert submit(fourth).status == Status.WAITING


def test_a_provider_batch_rejected_before_it_was_created_leaves_its_slot(
    provider: Provider, project: Project, woken: list[str], committed: Committed
) -> None:
    first, second, third = wait_at(project, 3)
    submit(first)
    submit(second)
    assert submit(third).status == Status.WAITING
    ProviderBatch.objects.filter(pk=second.pk).update(
        status=Status.WAITING, remote_id="", create_attempted_at=None
    )
    provider.before = lambda call, _: (
        httpx.Response(402, text="No credits.") if call == "POST /v1/batches" else None
    )

    with committed():
        stopped = submit(second)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert woken == [str(third.pk)]
    controls.try_again(stopped.batch, stopped.batch.created_by)
    provider.before = lambda *_: None
    assert submit(second).status == Status.WAITING
    assert submit(third).status == Status.RUNNING


def test_a_batch_that_stopped_at_the_provider_keeps_its_slot(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for provider_batch in (first, second):
        submit(provider_batch)
    ProviderBatch.objects.filter(pk=first.pk).update(
        parked_reason=Parked.NEEDS_ATTENTION, status=Status.RUNNING, next_check_at=None
    )

    assert submit(third).status == Status.WAITING


def test_batches_that_ran_before_there_were_slots_are_counted(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for provider_batch in (first, second):
        submit(provider_batch)
    ProviderBatch.objects.update(slot_assigned_at=None)

    assert submit(third).status == Status.WAITING


def test_a_batch_that_may_be_at_the_provider_is_searched_for_without_a_slot(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for provider_batch in (first, second):
        submit(provider_batch)
    lost = provider._create({"metadata": {"portal_submission": third.token}}).json()
    ProviderBatch.objects.filter(pk=third.pk).update(create_attempted_at=timezone.now())

    assert submit(third).remote_id == lost["id"]


def test_a_batch_turned_away_after_a_failed_create_leaves_its_slot(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    turned_away, next_one = wait_at(project, 2)
    submit(turned_away)
    provider.batches.clear()
    ProviderBatch.objects.filter(pk=turned_away.pk).update(
        status=Status.WAITING,
        remote_id="",
        create_attempted_at=timezone.now() - timedelta(hours=1),
    )
    provider.before = refuse_creates
    submit(turned_away)
    provider.before = lambda *_: None

    assert submit(next_one).status == Status.RUNNING
    assert submit(turned_away).status == Status.WAITING
    assert len(provider.batches) == 1


def test_a_resumed_batch_waits_for_a_slot_like_any_other(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    paused, running = wait_at(project, 2)
    submit(paused)
    controls.request_pause(paused.batch, paused.batch.created_by)
    for _ in range(3):
        run_step(paused)
    assert run_step(running).status == Status.RUNNING

    controls.resume(paused.batch, paused.batch.created_by)
    provider_batch = run_step(paused)

    assert provider_batch.status == Status.RETRYING_IN_PLACE
    assert "1 of 1 slot is used. It is next." in problem_text(provider_batch.problem)
    assert provider.batches[provider_batch.remote_id]["status"] == "cancelled"
    end(provider, running)
    assert run_step(paused).status == Status.RUNNING
    assert provider.batches[provider_batch.remote_id]["status"] == "in_progress"


def test_a_retry_in_place_waits_for_a_slot_like_any_other(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    over, running = wait_at(project, 2)
    submit(over)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(over)
    assert submit(running).status == Status.RUNNING

    assert retry_in_place.request_retry_in_place(batch, batch.created_by) == 2

    assert run_step(over).status == Status.RETRYING_IN_PLACE
    controls.request_cancel(running.batch, running.batch.created_by)
    run_steps(running)
    assert run_step(over).status == Status.RUNNING


def test_a_rejected_retry_in_place_leaves_its_slot(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    (refused,) = wait_at(project)
    submit(refused)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(refused)
    retry_in_place.request_retry_in_place(batch, batch.created_by)
    provider.before = lambda call, _: (
        httpx.Response(402, text="No credits.") if call.endswith("/retry") else None
    )
    assert run_step(refused).parked_reason == Parked.NEEDS_ATTENTION
    provider.before = lambda *_: None

    (next_one,) = wait_at(project)
    assert submit(next_one).status == Status.RUNNING
    controls.try_again(batch, batch.created_by)
    assert run_step(refused).status == Status.RETRYING_IN_PLACE


@pytest.mark.parametrize("stop_field", ["cancel_requested_at", "pause_requested_at"])
def test_a_batch_that_is_to_stop_gets_no_slot(
    provider: Provider, project: Project, stop_field: str
) -> None:
    first, second, third, fourth = wait_at(project, 4)
    for provider_batch in (first, second, third, fourth):
        submit(provider_batch)
    Batch.objects.filter(pk=third.batch_id).update(**{stop_field: timezone.now()})

    end(provider, first)

    assert [
        row.pk for row in ProviderBatch.objects.exclude(slot_assigned_at=None).order_by("pk")
    ] == sorted([first.pk, second.pk, fourth.pk])


def test_slots_go_round_the_projects_whatever_the_number_of_batches(
    connection: Connection,
) -> None:
    busy, small, third = (make_project(connection=connection) for _ in range(3))
    wait_at(busy, 4)
    wait_at(small, 2)
    wait_at(third, 1)
    connection.max_active = 5
    connection.save()

    admitted = slots.assign_free_slots(connection)

    assert Counter(row.batch.project for row in admitted) == {busy: 2, small: 2, third: 1}


def test_among_equals_the_project_with_the_oldest_assignment_is_next(
    provider: Provider, connection: Connection
) -> None:
    early, late = make_project(connection=connection), make_project(connection=connection)
    for project, ago in [(early, 2), (late, 1)]:
        (done,) = wait_at(project)
        ProviderBatch.objects.filter(pk=done.pk).update(
            status=Status.DONE,
            next_check_at=None,
            slot_assigned_at=timezone.now() - timedelta(days=ago),
        )
    wait_at(late)
    (oldest_turn,) = wait_at(early)
    connection.max_active = 1
    connection.save()

    assert slots.assign_free_slots(connection) == [oldest_turn]


def test_within_a_project_the_older_batch_and_the_lower_number_go_first(
    connection: Connection,
) -> None:
    connection.max_requests = 1
    connection.save()
    project = make_project(connection=connection)
    older = make_batch(project, upload=make_upload(project, content=request_file(2)))
    younger = make_batch(project, upload=make_upload(project, content=request_file(1)))
    for provider_batch in [*younger.provider_batches.all(), *older.provider_batches.all()]:
        prepare.prepare(provider_batch)
    prepare.prepare(older.provider_batches.get(number=2))
    connection.max_active = 2
    connection.save()

    admitted = slots.assign_free_slots(connection)

    assert {(row.batch_id, row.number) for row in admitted} == {(older.pk, 1), (older.pk, 2)}


def test_without_room_at_the_provider_it_waits_as_long_as_asked_and_is_never_failed(
    provider: Provider,
) -> None:
    (provider_batch,) = wait_at(make_project())
    provider.before = refuse_creates
    before = timezone.now()

    for _ in range(12):
        provider_batch = submit(provider_batch)

    assert provider_batch.status == Status.WAITING
    assert provider_batch.slot_assigned_at is None
    assert provider_batch.create_attempted_at is None
    assert provider_batch.next_check_at
    assert provider_batch.next_check_at >= before + timedelta(seconds=60)
    assert FULL in problem_text(provider_batch.problem)
    assert "has no room for it just now" in problem_text(provider_batch.problem)
    connection = Connection.objects.get(pk=provider_batch.batch.connection_id)
    assert connection.backoff_until is None
    assert connection.failures == 0

    provider.before = lambda *_: None
    provider_batch = submit(provider_batch)
    assert provider_batch.status == Status.RUNNING
    assert provider_batch.problem is None
    assert not provider_batch.may_have_duplicate
    assert provider.calls.count("POST /v1/files") == 1


def test_the_slot_of_a_batch_that_was_turned_away_goes_to_another(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    turned_away, next_one = wait_at(project, 2)
    provider.before = refuse_creates
    turned_away = submit(turned_away)
    provider.before = lambda *_: None

    assert submit(next_one).status == Status.RUNNING
    assert submit(turned_away).status == Status.WAITING
    end(provider, next_one)
    assert submit(turned_away).status == Status.RUNNING


def test_a_slot_assigned_during_a_postponement_makes_the_batch_due_at_once(
    provider: Provider, connection: Connection, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    submit(first)
    submit(second)
    slow = ProviderBatch.objects.claim(third.pk, Status.WAITING)
    assert slow
    ProviderBatch.objects.filter(pk=first.pk).update(status=Status.DONE, next_check_at=None)
    slots.assign_free_slots(connection)

    slots.wait_for_slot(slow)

    third.refresh_from_db()
    assert third.slot_assigned_at
    assert third.next_check_at
    assert third.next_check_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_however_many_workers_ask_at_once_no_slot_is_assigned_twice() -> None:
    connection = make_connection(max_active=3)
    for _ in range(3):
        wait_at(make_project(connection=connection), 3)
    assigned: list[ProviderBatch] = []

    def assign() -> None:
        assigned.extend(slots.assign_free_slots(Connection.objects.get(pk=connection.pk)))

    race(*[assign] * 6)

    assert len(assigned) == len({row.pk for row in assigned}) == 3
    assert used_slots(connection) == 3
    assert len({row.batch.project_id for row in assigned}) == 3


def test_a_batch_whose_results_wait_for_a_person_uses_no_slot(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for provider_batch in (first, second):
        submit(provider_batch)
    ProviderBatch.objects.filter(pk=first.pk).update(
        parked_reason=Parked.NEEDS_ATTENTION,
        status=Status.HARVESTING,
        ended_at=timezone.now(),
        next_check_at=None,
    )

    assert submit(third).status == Status.RUNNING


def test_waiting_for_a_slot_does_not_change_the_sandbox_flag(
    provider: Provider, project: Project
) -> None:
    *placed, last = wait_at(project, 3)
    for provider_batch in placed:
        submit(provider_batch)
    Connection.objects.update(is_sandbox=True)

    assert submit(last).status == Status.WAITING

    assert Connection.objects.get(pk=project.connection_id).is_sandbox
