"""Pause, resume, cancel and try again while a batch runs."""

import threading
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from django.db import connection, transaction
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Connection, ProviderBatch, ProviderKey, StaleRow
from batchapp.pipeline import attention
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare
from tests.fixtures import Clock
from tests.make import (
    answer_line,
    error_line,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    set_state,
)
from tests.provider import Provider, lose_reply
from tests.sentences import problem, timeline, told
from tests.steps import make_due, race, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
CANCEL, RETRY = "POST /v1/batches/ID/cancel", "POST /v1/batches/ID/retry"


def pause(provider_batch: ProviderBatch) -> bool:
    return controls.request_pause(batch_of(provider_batch), provider_batch.batch.created_by)


def resume(provider_batch: ProviderBatch) -> bool:
    return controls.resume(batch_of(provider_batch), provider_batch.batch.created_by)


def cancel(provider_batch: ProviderBatch) -> bool:
    return controls.request_cancel(batch_of(provider_batch), provider_batch.batch.created_by)


def batch_of(provider_batch: ProviderBatch) -> Batch:
    return Batch.objects.get(pk=provider_batch.batch_id)


@pytest.fixture
def paused(provider: Provider, running: ProviderBatch) -> ProviderBatch:
    """A provider batch that was paused with one of three requests answered."""
    provider.finish([answer_line(1)], status="in_progress")
    assert pause(running)
    run_steps(running)
    provider_batch = make_due(running)
    assert provider_batch.parked_reason == Parked.PAUSED
    return provider_batch


def test_a_pause_stops_the_batch_over_there_once_and_keeps_what_is_answered(
    provider: Provider, paused: ProviderBatch
) -> None:
    batch = batch_of(paused)

    assert provider.calls.count(CANCEL) == 1
    assert batch.status == Batch.Status.RUNNING
    assert paused.next_check_at is None
    assert dict(batch.results.values_list("custom_id", "outcome")) == {
        "row-1": Outcome.OK,
        "row-2": Outcome.PENDING,
        "row-3": Outcome.PENDING,
    }
    texts = timeline(batch)
    assert "Asked to pause." in texts
    assert f"Stopped for the pause at {batch.connection}." in texts


def test_late_answers_to_a_pause_are_waited_for(
    provider: Provider, running: ProviderBatch
) -> None:
    pause(running)

    provider_batch = run_step(running)  # and so it is made due
    assert provider_batch.status == Status.HARVESTING
    provider.finish([answer_line(1), answer_line(2)], status="cancelled")
    run_steps(provider_batch)

    assert batch_of(provider_batch).results.filter(outcome=Outcome.OK).count() == 2
    assert make_due(provider_batch).parked_reason == Parked.PAUSED


def test_a_resumed_batch_has_every_request_answered_once(
    provider: Provider, paused: ProviderBatch
) -> None:
    assert resume(paused)
    provider_batch = run_step(paused)
    assert provider_batch.status == Status.RUNNING
    assert (provider_batch.ended_at, provider_batch.pause_sent_at, provider_batch.error_lines) == (
        None,
        None,
        0,
    )
    ProviderBatch.objects.update(retried_in_place_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    batch = run_steps(provider_batch)

    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.input_tokens) == (3, 300)
    assert len(provider.batches) == 1
    assert provider.calls.count(RETRY) == 1


def test_requests_that_failed_before_a_pause_run_again_and_count_once(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], [error_line(2)], status="in_progress")
    pause(running)
    run_steps(running)
    assert batch_of(running).results.get(custom_id="row-2").outcome == Outcome.PROVIDER_ERROR

    resume(running)
    provider_batch = run_step(running)
    assert batch_of(provider_batch).results.get(custom_id="row-2").outcome == Outcome.PENDING
    ProviderBatch.objects.update(retried_in_place_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(1), answer_line(3)], [error_line(2, "Still broken.")])
    batch = run_steps(provider_batch)

    assert (batch.succeeded, batch.failed) == (2, 1)
    assert batch.results.get(custom_id="row-2").error_message == "Still broken."
    assert batch.provider_batches.get().result_chunks.filter(kind="error").count() == 1


def test_what_never_got_to_the_provider_waits_here(provider: Provider) -> None:
    provider_batch = make_batch().provider_batches.get()
    pause(provider_batch)

    run_steps(provider_batch)

    assert make_due(provider_batch).parked_reason == Parked.PAUSED
    assert make_due(provider_batch).status == Status.PREPARING
    assert provider.calls == []
    resume(provider_batch)
    assert run_step(run_step(provider_batch)).status == Status.RUNNING


def test_a_pause_during_the_upload_creates_nothing(provider: Provider) -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)

    def ask(call: str, _: httpx.Request) -> None:
        if call == "POST /v1/files":
            pause(provider_batch)

    provider.after = ask
    run_step(provider_batch)

    assert make_due(provider_batch).parked_reason == Parked.PAUSED
    assert provider.batches == {}
    resume(provider_batch)
    run_step(provider_batch)
    assert len(provider.batches) == len(provider.files) == 1


def test_a_batch_that_ended_in_the_meantime_simply_finishes(
    provider: Provider, running: ProviderBatch
) -> None:
    pause(running)
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    batch = run_steps(running)

    assert batch.status == Batch.Status.COMPLETED
    assert CANCEL not in provider.calls


def test_a_pause_that_comes_a_moment_after_the_end_simply_finishes(
    provider: Provider, running: ProviderBatch
) -> None:
    """The provider relabels a batch that was over, and says "cancelled"."""
    pause(running)

    def finish(call: str, _: httpx.Request) -> None:
        if call == CANCEL:
            provider.finish([answer_line(n) for n in (1, 2)], [error_line(3)])

    provider.before = finish

    batch = run_steps(running)

    assert provider.calls.count(CANCEL) == 1
    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.failed, batch.cancelled) == (2, 1, 0)


def test_a_provider_that_refuses_to_stop_is_followed_to_the_end(
    provider: Provider, running: ProviderBatch
) -> None:
    refusal = httpx.Response(400, text="Cannot stop it")
    provider.before = lambda call, _: refusal if call == CANCEL else None
    pause(running)
    run_step(running)
    run_step(running)
    assert provider.calls.count(CANCEL) == 1
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(running).succeeded == 3


def test_a_batch_resumed_before_it_was_stopped_runs_on(
    provider: Provider, running: ProviderBatch
) -> None:
    pause(running)
    resume(running)
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert CANCEL not in provider.calls


def test_a_batch_resumed_while_its_answers_are_fetched_is_retried_in_place(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    pause(running)
    provider_batch = run_step(running)
    assert provider_batch.status == Status.HARVESTING

    resume(provider_batch)
    for _ in range(5):
        provider_batch = run_step(provider_batch)
        if provider_batch.status == Status.RUNNING and RETRY in provider.calls:
            break

    assert provider_batch.status == Status.RUNNING
    assert next(iter(provider.batches.values()))["status"] == "in_progress"


def test_pausing_again_stops_it_again(provider: Provider, paused: ProviderBatch) -> None:
    resume(paused)
    provider_batch = run_step(paused)
    assert pause(provider_batch)

    run_steps(provider_batch)

    assert provider.calls.count(CANCEL) == 2
    assert make_due(provider_batch).parked_reason == Parked.PAUSED


def test_a_pause_before_the_retry_in_place_makes_no_call(
    provider: Provider, paused: ProviderBatch
) -> None:
    resume(paused)
    pause(paused)
    provider.calls.clear()

    run_steps(paused)

    assert make_due(paused).parked_reason == Parked.PAUSED
    assert provider.calls == []


def test_a_pause_requested_twice_is_one_request(running: ProviderBatch) -> None:
    assert [pause(running), pause(running)] == [True, False]
    assert [resume(running), resume(running)] == [True, False]
    assert len(told(running.batch, "Asked to")) == 2


def test_a_batch_being_cancelled_is_not_paused(running: ProviderBatch) -> None:
    cancel(running)

    assert not pause(running)
    assert not resume(running)


def test_a_provider_that_cannot_retry_in_place_is_not_asked_to_stop(
    running: ProviderBatch,
) -> None:
    Connection.objects.update(has_retry=False)

    assert not pause(running)


def test_cancelling_a_paused_batch_keeps_the_answers(
    provider: Provider, paused: ProviderBatch
) -> None:
    provider.calls.clear()
    assert cancel(paused)

    batch = run_steps(paused)

    assert batch.status == Batch.Status.CANCELLED
    assert (batch.succeeded, batch.cancelled) == (1, 2)
    assert CANCEL not in provider.calls, "it is stopped there"
    assert make_due(paused).ended_at == paused.ended_at


def test_a_paused_batch_that_was_taken_up_over_there_is_cancelled_there(
    provider: Provider, paused: ProviderBatch
) -> None:
    provider.calls.clear()
    provider.finish([answer_line(1), answer_line(2)], status="in_progress")
    cancel(paused)

    batch = run_steps(paused)

    assert provider.calls.count(CANCEL) == 1
    assert next(iter(provider.batches.values()))["status"] == "cancelled"
    assert (batch.status, batch.succeeded) == (Batch.Status.CANCELLED, 2)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_pause_that_is_refused_once_is_asked_for_again(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    refusals = [httpx.Response(status, text="No")]
    provider.before = lambda call, _: refusals.pop() if call == CANCEL and refusals else None
    pause(running)

    provider_batch = run_step(running)

    assert (provider_batch.status, provider_batch.pause_sent_at) == (Status.RUNNING, None)
    assert "did not stop it (No). The portal keeps asking." in problem_text(provider_batch.problem)
    run_steps(provider_batch)
    assert make_due(provider_batch).parked_reason == Parked.PAUSED


def test_cancelling_during_a_retry_in_place_ends_it(
    provider: Provider, paused: ProviderBatch
) -> None:
    resume(paused)
    cancel(paused)

    batch = run_steps(paused)

    assert (batch.status, batch.succeeded) == (Batch.Status.CANCELLED, 1)
    assert RETRY not in provider.calls


@pytest.mark.parametrize(("stop", "end"), [(cancel, "cancelled"), (pause, "paused")])
def test_an_unconfirmed_retry_in_place_is_stopped_at_the_provider(
    provider: Provider, paused: ProviderBatch, stop: Callable[[ProviderBatch], bool], end: str
) -> None:
    provider.after = lose_reply(RETRY)
    resume(paused)
    provider_batch = run_step(paused)
    assert provider_batch.status == Status.RETRYING_IN_PLACE
    stop(provider_batch)

    run_steps(provider_batch)

    assert provider.calls.count(RETRY) == 1
    assert provider.calls.count(CANCEL) == 2
    assert next(iter(provider.batches.values()))["status"] == "cancelled"
    provider_batch = make_due(provider_batch)
    state = provider_batch.parked_reason or provider_batch.status
    assert state == (Parked.PAUSED if end == "paused" else Status.DONE)


def test_a_pause_while_a_create_is_in_doubt_finds_and_stops_it(provider: Provider) -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)
    provider.after = lose_reply("POST /v1/batches")
    provider_batch = run_step(provider_batch)
    assert provider_batch.status == Status.WAITING
    provider.after = lambda *_: None
    pause(provider_batch)

    run_steps(provider_batch)

    (remote,) = provider.batches.values()
    assert remote["status"] == "cancelled"
    assert make_due(provider_batch).parked_reason == Parked.PAUSED
    resume(provider_batch)
    run_step(provider_batch)
    assert remote["status"] == "in_progress"
    assert len(provider.batches) == 1


def test_cancelling_a_paused_batch_whose_create_was_in_doubt_looks_for_it(
    provider: Provider, clock: Clock
) -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)
    provider.after = lose_reply("POST /v1/batches")
    run_step(provider_batch)
    provider.hidden = set(provider.batches)
    pause(provider_batch)
    clock.advance(hours=1)
    assert run_step(provider_batch).parked_reason == Parked.PAUSED

    provider.hidden.clear()
    cancel(provider_batch)
    batch = run_steps(provider_batch)

    (remote,) = provider.batches.values()
    assert remote["status"] == "cancelled"
    assert batch.status == Batch.Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_two_people_who_try_again_with_different_keys_get_one_of_them() -> None:
    user = make_user()
    project = make_project(user)
    batch = make_batch(project, user)
    set_state(
        batch,
        parked_reason=Parked.NEEDS_ATTENTION,
        status=Status.WAITING,
        next_check_at=None,
    )
    keys = [make_key(user, project.connection) for _ in range(2)]
    moved: list[tuple[int, ProviderKey]] = []
    refused = []

    def attempt(mine: Batch, key: ProviderKey) -> None:
        try:
            moved.append((controls.try_again(mine, user, key), key))
        except StaleRow:
            refused.append(key)

    race(*[lambda key=key: attempt(Batch.objects.get(pk=batch.pk), key) for key in keys])

    assert len(moved) + len(refused) == 2
    (winner,) = [key for number, key in moved if number]
    batch.refresh_from_db()
    assert batch.key == winner
    assert len(told(batch, f"Asked to try again, on the key {winner}.")) == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_who_resume_at_once_resume_once(
    provider: Provider, paused: ProviderBatch
) -> None:
    outcomes: list[bool] = []

    race(*[lambda: outcomes.append(resume(paused))] * 2)

    assert sorted(outcomes) == [False, True]
    assert make_due(paused).status == Status.RETRYING_IN_PLACE


@pytest.mark.django_db(transaction=True)
def test_a_batch_resumed_the_moment_it_is_put_aside_does_not_stay_behind(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    pause(running)
    provider_batch = run_step(running)

    race(lambda: run_step(provider_batch), lambda: resume(provider_batch))
    run_steps(provider_batch)

    assert make_due(provider_batch).parked_reason != Parked.PAUSED
    assert not batch_of(provider_batch).pause_requested_at


def test_a_stop_whose_reply_was_lost_is_no_end_for_a_batch_that_goes_on(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.after = lose_reply(CANCEL)
    provider.finish([answer_line(1)], status="in_progress")
    pause(running)
    provider_batch = run_step(running)
    provider.after = lambda *_: None
    resume(provider_batch)

    while make_due(provider_batch).status != Status.RUNNING or RETRY not in provider.calls:
        assert run_step(provider_batch).status != Status.DONE
    ProviderBatch.objects.update(retried_in_place_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(provider_batch).succeeded == 3


def test_a_stop_that_did_not_arrive_is_sent_again(
    provider: Provider, running: ProviderBatch
) -> None:
    def refuse(call: str, request: httpx.Request) -> None:
        if call == CANCEL:
            raise httpx.ReadTimeout("no reply", request=request)

    provider.before = refuse
    pause(running)
    run_step(running)
    provider.before = lambda *_: None

    run_steps(running)

    assert provider.calls.count(CANCEL) == 2
    assert make_due(running).parked_reason == Parked.PAUSED


def test_a_batch_resumed_while_a_lost_create_is_looked_for_is_sent_again(
    provider: Provider,
) -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(hours=1))
    pause(provider_batch)

    def go_back(call: str, _: httpx.Request) -> None:
        if call == "GET /v1/batches":
            resume(provider_batch)

    provider.after = go_back
    run_step(provider_batch)

    provider_batch = run_step(provider_batch)
    assert (provider_batch.status, provider_batch.problem) == (Status.RUNNING, None)
    (remote,) = provider.batches.values()
    assert remote["input_file_id"] in provider.files


@pytest.mark.django_db(transaction=True)
def test_a_provider_batch_that_stops_while_its_batch_is_cancelled_waits_for_nobody(
    provider: Provider, running: ProviderBatch
) -> None:
    provider_batch = ProviderBatch.objects.claim(running.pk, Status.RUNNING)
    assert provider_batch

    def stop() -> None:
        attention.stop_for_person(provider_batch, problem("The key was refused."))
        connection.close()

    stopping = threading.Thread(target=stop)
    with transaction.atomic():
        assert cancel(provider_batch)
        stopping.start()
        stopping.join(0.5)
    stopping.join()

    assert make_due(provider_batch).status == Status.CANCELLED


def two_provider_batches(provider: Provider) -> tuple[Batch, ProviderBatch, ProviderBatch]:
    """A batch of two provider batches ready to be sent; the second needs attention."""
    user = make_user()
    project = make_project(user, connection=make_connection(max_requests=2))
    batch = make_batch(project, user, upload=make_upload(project, user))
    for provider_batch in batch.provider_batches.all():
        prepare.prepare(provider_batch)
    for provider_batch in batch.provider_batches.filter(status=Status.PREPARING):
        prepare.prepare(provider_batch)
    first, second = batch.provider_batches.all()
    second.park(Parked.NEEDS_ATTENTION)
    return batch, first, second


def test_a_batch_with_another_provider_batch_already_sent_stays_with_its_key(
    provider: Provider,
) -> None:
    batch, first, second = two_provider_batches(provider)
    assert run_step(first).status == Status.RUNNING
    before, other = batch.key, make_key(batch.created_by, batch.connection)

    assert controls.try_again(batch, batch.created_by, other) == 1

    batch.refresh_from_db()
    assert batch.key == before
    assert make_due(second).status == Status.WAITING


def test_a_provider_batch_on_its_way_with_the_old_key_sends_its_file_with_the_new_one(
    provider: Provider,
) -> None:
    batch, first, _ = two_provider_batches(provider)
    other = make_key(batch.created_by, batch.connection)

    def change_key(call: str, _: httpx.Request) -> None:
        if call == "POST /v1/files" and len(provider.files) == 1:
            controls.try_again(Batch.objects.get(), batch.created_by, other)

    provider.after = change_key
    provider_batch = run_step(first)

    assert (provider_batch.status, provider_batch.remote_file_id) == (Status.WAITING, "")
    assert provider.batches == {}, "it would run where the other key does not see it"
    assert run_step(provider_batch).status == Status.RUNNING
    assert Batch.objects.get().key == other


def test_a_provider_batch_that_is_ready_to_be_sent_at_this_moment_keeps_its_key(
    provider: Provider,
) -> None:
    batch, first, _ = two_provider_batches(provider)
    ProviderBatch.objects.filter(pk=first.pk).update(status=Status.PREPARING)
    before, other = batch.key, make_key(batch.created_by, batch.connection)

    def send_first(execute: Callable[..., object], sql: str, *args: object) -> object:
        if sql.startswith("UPDATE") and "key_id" in sql.partition("WHERE")[0]:
            ProviderBatch.objects.filter(pk=first.pk).update(status=Status.WAITING)
            assert ProviderBatch.objects.claim(first.pk, Status.WAITING)
        return execute(sql, *args)

    with connection.execute_wrapper(send_first), pytest.raises(StaleRow):
        controls.try_again(batch, batch.created_by, other)

    assert Batch.objects.get().key == before
