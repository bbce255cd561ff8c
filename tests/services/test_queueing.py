"""Only so many at a time: who goes next, who waits, and what the person reads meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from django.db import connection as database
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, Connection, Part, Project
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
from tests.steps import due, go_on, step

pytestmark = pytest.mark.django_db

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
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the parts that somebody was told to submit."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.submit, "delay", ids.append)
    return ids


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """What waits for the end of a transaction happens."""
    return partial(django_capture_on_commit_callbacks, execute=True)


def wait_at(project: Project, number: int = 1) -> list[Part]:
    """Batches of ``project`` that could be submitted."""
    parts = [Part.objects.get(batch=make_batch(project)) for _ in range(number)]
    for part in parts:
        prepare.prepare(part)
    return parts


def submit(part: Part) -> Part:
    Part.objects.filter(pk=part.pk).update(next_check_at=timezone.now(), leased_until=None)
    tasks.submit(str(part.pk))
    return Part.objects.get(pk=part.pk)


def end(provider: Provider, part: Part) -> None:
    """The provider is done with ``part``, and so are we."""
    provider.batches[Part.objects.get(pk=part.pk).upstream_id]["status"] = "completed"
    for task in (tasks.poll, tasks.harvest, tasks.poll, tasks.harvest):
        Part.objects.filter(pk=part.pk).update(rereads=9, completed=0, failed=0)
        task(str(due(part).pk))
    assert Part.objects.get(pk=part.pk).status == Part.Status.DONE


def places(connection: Connection) -> int:
    there = slots.holds_place(connection)
    return Part.objects.filter(there, batch__connection=connection).count()


def refuse_creates(call: str, request: httpx.Request) -> httpx.Response | None:
    if call != "POST /v1/batches":
        return None
    body = {"error": "too_many_requests", "message": FULL, "retry_after_seconds": 30}
    return httpx.Response(429, json=body, headers={"Retry-After": "60"})


def test_without_a_limit_everybody_goes_at_once(provider: Provider) -> None:
    for part in wait_at(make_project(), 5):
        assert submit(part).status == Part.Status.RUNNING


def test_who_finds_no_place_waits_and_reads_why_and_how_many_are_before(
    provider: Provider, project: Project
) -> None:
    parts = [submit(part) for part in wait_at(project, 5)]

    assert [part.status for part in parts] == [Part.Status.RUNNING] * 2 + [Part.Status.WAITING] * 3
    assert len(provider.batches) == 2
    where = f"Waiting for a free place at {project.connection}: 2 of 2 batches are there."
    assert [part.trouble for part in parts[2:]] == [
        f"{where} It is next.",
        f"{where} 1 is before it.",
        f"{where} 2 are before it.",
    ]
    assert all(part.next_check_at and not part.failures for part in parts[2:])


def test_a_part_that_ends_wakes_the_next_at_once(
    provider: Provider, project: Project, woken: list[str], committed: Committed
) -> None:
    first, _, third, fourth = [submit(part) for part in wait_at(project, 4)]

    with committed():
        end(provider, first)

    assert str(third.pk) in woken
    assert str(fourth.pk) not in woken
    third.refresh_from_db()
    assert third.next_check_at
    assert third.next_check_at <= timezone.now()
    assert submit(third).status == Part.Status.RUNNING
    assert submit(third).trouble == ""
    assert submit(fourth).status == Part.Status.WAITING


def test_a_part_that_is_refused_before_it_gets_there_leaves_its_place(
    provider: Provider, project: Project, woken: list[str], committed: Committed
) -> None:
    first, second, third = wait_at(project, 3)
    submit(first)
    submit(second)
    assert submit(third).status == Part.Status.WAITING
    Part.objects.filter(pk=second.pk).update(
        status=Part.Status.WAITING, upstream_id="", create_attempted_at=None
    )
    provider.before = lambda call, _: (
        httpx.Response(402, text="No credits.") if call == "POST /v1/batches" else None
    )

    with committed():
        stopped = submit(second)

    assert stopped.status == Part.Status.NEEDS_ATTENTION
    assert woken == [str(third.pk)]
    controls.try_again(stopped.batch, stopped.batch.created_by)
    provider.before = lambda *_: None
    assert submit(second).status == Part.Status.WAITING
    assert submit(third).status == Part.Status.RUNNING


def test_one_that_stopped_at_the_provider_keeps_its_place(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for part in (first, second):
        submit(part)
    Part.objects.filter(pk=first.pk).update(
        status=Part.Status.NEEDS_ATTENTION, stopped_in=Part.Status.RUNNING, next_check_at=None
    )

    assert submit(third).status == Part.Status.WAITING


def test_those_that_ran_before_there_were_places_are_counted(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for part in (first, second):
        submit(part)
    Part.objects.update(admitted_at=None)

    assert submit(third).status == Part.Status.WAITING


def test_one_that_may_be_at_the_provider_is_looked_for_without_a_place(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for part in (first, second):
        submit(part)
    lost = provider._create({"metadata": {"portal_submission": third.token}}).json()
    Part.objects.filter(pk=third.pk).update(create_attempted_at=timezone.now())

    assert submit(third).upstream_id == lost["id"]


def test_one_that_was_turned_away_after_a_create_in_vain_leaves_its_place(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    turned_away, next_one = wait_at(project, 2)
    submit(turned_away)
    provider.batches.clear()
    Part.objects.filter(pk=turned_away.pk).update(
        status=Part.Status.WAITING,
        upstream_id="",
        create_attempted_at=timezone.now() - timedelta(hours=1),
    )
    provider.before = refuse_creates
    submit(turned_away)
    provider.before = lambda *_: None

    assert submit(next_one).status == Part.Status.RUNNING
    assert submit(turned_away).status == Part.Status.WAITING
    assert len(provider.batches) == 1


def test_what_is_resumed_waits_for_a_place_like_any_other(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    paused, running = wait_at(project, 2)
    submit(paused)
    controls.request_pause(paused.batch, paused.batch.created_by)
    for _ in range(3):
        step(paused)
    assert step(running).status == Part.Status.RUNNING

    controls.resume(paused.batch, paused.batch.created_by)
    part = step(paused)

    assert part.status == Part.Status.REOPENING
    assert "1 of 1 batch is there. It is next." in part.trouble
    assert provider.batches[part.upstream_id]["status"] == "cancelled"
    end(provider, running)
    assert step(paused).status == Part.Status.RUNNING
    assert provider.batches[part.upstream_id]["status"] == "in_progress"


def test_what_is_reopened_waits_for_a_place_like_any_other(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    over, running = wait_at(project, 2)
    submit(over)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = go_on(over)
    assert submit(running).status == Part.Status.RUNNING

    assert retry_in_place.request_reopening(batch, batch.created_by) == 2

    assert step(over).status == Part.Status.REOPENING
    controls.request_cancel(running.batch, running.batch.created_by)
    go_on(running)
    assert step(over).status == Part.Status.RUNNING


def test_a_reopening_that_was_refused_leaves_its_place(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    (refused,) = wait_at(project)
    submit(refused)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = go_on(refused)
    retry_in_place.request_reopening(batch, batch.created_by)
    provider.before = lambda call, _: (
        httpx.Response(402, text="No credits.") if call.endswith("/retry") else None
    )
    assert step(refused).status == Part.Status.NEEDS_ATTENTION
    provider.before = lambda *_: None

    (next_one,) = wait_at(project)
    assert submit(next_one).status == Part.Status.RUNNING
    controls.try_again(batch, batch.created_by)
    assert step(refused).status == Part.Status.REOPENING


@pytest.mark.parametrize("wish", ["cancel_requested_at", "pause_requested_at"])
def test_whoever_is_to_stop_gets_no_place(provider: Provider, project: Project, wish: str) -> None:
    first, second, third, fourth = wait_at(project, 4)
    for part in (first, second, third, fourth):
        submit(part)
    Batch.objects.filter(pk=third.batch_id).update(**{wish: timezone.now()})

    end(provider, first)

    assert [part.pk for part in Part.objects.exclude(admitted_at=None).order_by("pk")] == sorted(
        [first.pk, second.pk, fourth.pk]
    )


def test_places_go_round_the_projects_not_to_who_asked_for_most(connection: Connection) -> None:
    busy, small, third = (make_project(connection=connection) for _ in range(3))
    wait_at(busy, 4)
    wait_at(small, 2)
    wait_at(third, 1)
    connection.max_active = 5
    connection.save()

    admitted = slots.admit(connection)

    assert Counter(part.batch.project for part in admitted) == {busy: 2, small: 2, third: 1}


def test_among_equals_the_one_whose_last_turn_is_longest_ago_is_next(
    provider: Provider, connection: Connection
) -> None:
    early, late = make_project(connection=connection), make_project(connection=connection)
    for project, ago in [(early, 2), (late, 1)]:
        (done,) = wait_at(project)
        Part.objects.filter(pk=done.pk).update(
            status=Part.Status.DONE,
            next_check_at=None,
            admitted_at=timezone.now() - timedelta(days=ago),
        )
    wait_at(late)
    (oldest_turn,) = wait_at(early)
    connection.max_active = 1
    connection.save()

    assert slots.admit(connection) == [oldest_turn]


def test_within_a_project_the_older_batch_and_the_lower_part_go_first(
    connection: Connection,
) -> None:
    connection.max_requests = 1
    connection.save()
    project = make_project(connection=connection)
    older = make_batch(project, upload=make_upload(project, content=request_file(2)))
    younger = make_batch(project, upload=make_upload(project, content=request_file(1)))
    for part in [*younger.parts.all(), *older.parts.all()]:
        prepare.prepare(part)
    prepare.prepare(older.parts.get(number=2))
    connection.max_active = 2
    connection.save()

    admitted = slots.admit(connection)

    assert {(part.batch_id, part.number) for part in admitted} == {(older.pk, 1), (older.pk, 2)}


def test_without_room_at_the_provider_it_waits_as_long_as_asked_and_is_never_failed(
    provider: Provider,
) -> None:
    (part,) = wait_at(make_project())
    provider.before = refuse_creates
    before = timezone.now()

    for _ in range(12):
        part = submit(part)

    assert part.status == Part.Status.WAITING
    assert part.admitted_at is None
    assert part.create_attempted_at is None
    assert part.next_check_at
    assert part.next_check_at >= before + timedelta(seconds=60)
    assert FULL in part.trouble
    assert "has no room for it just now" in part.trouble
    connection = Connection.objects.get(pk=part.batch.connection_id)
    assert connection.resting_until is None
    assert connection.failures == 0

    provider.before = lambda *_: None
    part = submit(part)
    assert part.status == Part.Status.RUNNING
    assert part.trouble == ""
    assert not part.may_have_twin
    assert provider.calls.count("POST /v1/files") == 1


def test_the_place_of_one_that_was_turned_away_goes_to_another(
    provider: Provider, connection: Connection, project: Project
) -> None:
    connection.max_active = 1
    connection.save()
    turned_away, next_one = wait_at(project, 2)
    provider.before = refuse_creates
    turned_away = submit(turned_away)
    provider.before = lambda *_: None

    assert submit(next_one).status == Part.Status.RUNNING
    assert submit(turned_away).status == Part.Status.WAITING
    end(provider, next_one)
    assert submit(turned_away).status == Part.Status.RUNNING


def test_one_that_was_admitted_while_it_was_being_put_off_comes_again_at_once(
    provider: Provider, connection: Connection, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    submit(first)
    submit(second)
    slow = Part.objects.claim(third.pk, Part.Status.WAITING)
    assert slow
    Part.objects.filter(pk=first.pk).update(status=Part.Status.DONE, next_check_at=None)
    slots.admit(connection)

    slots.wait(slow)

    third.refresh_from_db()
    assert third.admitted_at
    assert third.next_check_at
    assert third.next_check_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_however_many_ask_at_once_no_more_are_admitted_than_there_are_places() -> None:
    connection = make_connection(max_active=3)
    for _ in range(3):
        wait_at(make_project(connection=connection), 3)
    racers = 6
    start = threading.Barrier(racers)
    admitted: list[Part] = []

    def race() -> None:
        try:
            start.wait()
            admitted.extend(slots.admit(Connection.objects.get(pk=connection.pk)))
        finally:
            database.close()

    threads = [threading.Thread(target=race) for _ in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(admitted) == len({part.pk for part in admitted}) == 3
    assert places(connection) == 3
    assert len({part.batch.project_id for part in admitted}) == 3


def test_one_whose_results_wait_for_a_person_keeps_nobody_from_the_provider(
    provider: Provider, project: Project
) -> None:
    first, second, third = wait_at(project, 3)
    for part in (first, second):
        submit(part)
    Part.objects.filter(pk=first.pk).update(
        status=Part.Status.NEEDS_ATTENTION,
        stopped_in=Part.Status.HARVESTING,
        ended_at=timezone.now(),
        next_check_at=None,
    )

    assert submit(third).status == Part.Status.RUNNING


def test_who_waits_for_a_place_learns_nothing_of_who_the_provider_is(
    provider: Provider, project: Project
) -> None:
    *placed, last = wait_at(project, 3)
    for part in placed:
        submit(part)
    Connection.objects.update(is_sandbox=True)

    assert submit(last).status == Part.Status.WAITING

    assert Connection.objects.get(pk=project.connection_id).is_sandbox
