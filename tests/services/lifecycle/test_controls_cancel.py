"""Cancelling ends a batch, whatever has become of it and of its provider."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Connection, KeyPoll, ProviderBatch, User
from batchapp.pipeline import retry_policy
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, find_created_batch, prepare
from tests.fixtures import Clock
from tests.make import answer_line, error_line, make_batch, set_state
from tests.provider import Provider, lose_reply
from tests.sentences import timeline, told
from tests.steps import advance, exhaust_patience, make_due, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
CREATE, CANCEL = "POST /v1/batches", "POST /v1/batches/ID/cancel"
CONTENT = "GET /v1/files/ID/content"


@pytest.fixture
def in_doubt(provider: Provider) -> ProviderBatch:
    """A provider batch whose create lost its reply, and that the provider does not list yet."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)

    provider.after = lose_reply(CREATE)
    run_step(provider_batch)
    provider.after = lambda *_: None
    provider.hidden = set(provider.batches)
    assert len(provider.hidden) == 1
    return make_due(provider_batch)


def cancel(provider_batch: ProviderBatch) -> None:
    batch = Batch.objects.get(pk=provider_batch.batch_id)
    assert controls.request_cancel(batch, batch.created_by)


def ask_again(provider_batch: ProviderBatch) -> ProviderBatch:
    """Make the provider batch due and reset the circuit breaker, then run a step."""
    Connection.objects.update(backoff_until=None)
    return run_step(provider_batch)


def last_words(provider_batch: ProviderBatch) -> str:
    return timeline(provider_batch.batch)[-1]


def away(*_: object) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


def test_a_batch_that_turns_up_long_after_it_was_cancelled_is_cancelled_there(
    provider: Provider, in_doubt: ProviderBatch, clock: Clock
) -> None:
    cancel(in_doubt)
    clock.advance(minutes=20)
    provider_batch = run_step(in_doubt)
    assert provider_batch.status == Status.WAITING
    assert "to stop it as soon as it is found" in problem_text(provider_batch.problem)

    provider.hidden.clear()
    batch = run_steps(provider_batch)

    (remote,) = provider.batches.values()
    assert remote["status"] == "cancelled"
    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)


def test_a_batch_that_never_turns_up_is_cancelled_in_the_end(
    provider: Provider, in_doubt: ProviderBatch, clock: Clock
) -> None:
    cancel(in_doubt)
    clock.advance(minutes=5)
    assert run_step(in_doubt).status == Status.WAITING
    clock.advance(seconds=find_created_batch.CREATE_SEARCH_LIMIT.total_seconds())

    assert run_step(in_doubt).status == Status.CANCELLED
    assert provider.calls.count(CREATE) == 1


def test_looking_for_a_batch_is_no_silence_of_its_provider(
    provider: Provider, in_doubt: ProviderBatch
) -> None:
    for _ in range(5):
        assert run_step(in_doubt).status == Status.WAITING

    connection = Connection.objects.get(batches=in_doubt.batch)
    assert (connection.failures, connection.backoff_until) == (0, None)
    assert "nothing is lost" in problem_text(make_due(in_doubt).problem)


def test_a_provider_that_is_gone_for_good_does_not_hold_a_cancelled_batch(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    assert run_step(run_step(running)).output_lines == 1
    provider.before = away
    cancel(running)
    provider_batch = ask_again(running)
    assert provider_batch.status == Status.RUNNING
    assert "If no answer comes for 15 minutes, the batch is closed here." in problem_text(
        provider_batch.problem
    )

    clock.advance(seconds=retry_policy.GIVE_UP_AFTER.total_seconds() + 1)
    provider_batch = ask_again(provider_batch)

    assert provider_batch.status == Status.CANCELLED
    assert "may still run it and bill it" in last_words(provider_batch)
    batch = run_steps(provider_batch)
    assert (batch.succeeded, batch.cancelled) == (1, 2)


def test_a_provider_batch_that_waits_for_a_silent_provider_is_closed_too(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    cancel(running)
    clock.advance(hours=1)
    Connection.objects.update(backoff_until=timezone.now() + timedelta(minutes=5))

    assert run_step(running).status == Status.CANCELLED
    assert "has not answered for a long time" in last_words(running)


def test_results_that_can_never_be_read_do_not_hold_a_cancelled_batch(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    garbage = httpx.Response(200, html="<html>Sorry</html>")
    provider.before = lambda call, _: garbage if call == CONTENT else None
    assert run_step(running).status == Status.HARVESTING
    assert ask_again(running).status == Status.HARVESTING
    clock.advance(minutes=20)
    provider_batch = ask_again(running)
    assert "Cancel to close it here" in problem_text(provider_batch.problem)

    cancel(provider_batch)
    assert ask_again(provider_batch).status == Status.HARVESTING
    clock.advance(minutes=20)
    assert ask_again(provider_batch).status == Status.CANCELLED


def test_a_slow_provider_that_still_brings_something_is_not_given_up(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    cancel(running)
    for _ in range(3):
        clock.advance(minutes=10)
        provider.before = away
        assert ask_again(running).status == Status.RUNNING
        provider.before = lambda call, _: (
            httpx.Response(503, text="later") if call == CANCEL else None
        )
        assert ask_again(running).status == Status.RUNNING

    provider.before = lambda *_: None
    run_steps(ask_again(running))
    assert next(iter(provider.batches.values()))["status"] == "cancelled"


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_a_refusal_ends_what_is_to_be_cancelled(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    cancel(running)
    provider.before = lambda *_: httpx.Response(status, text="No")
    exhaust_patience()

    assert run_step(running).status == Status.CANCELLED
    assert "It is closed here, and what was fetched so far is kept." in last_words(running)


def test_a_key_that_cannot_be_read_any_more_does_not_hold_a_cancelled_batch(
    running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # a real client needs a real key
    key = running.batch.key
    key.ciphertext = "garbage"
    key.save()
    cancel(running)

    assert run_step(running).status == Status.CANCELLED


def test_a_batch_closed_here_and_still_running_there_is_cancelled_when_it_is_seen(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    cancel(running)
    provider.before = away
    clock.advance(hours=1)
    ask_again(running)
    batch = run_steps(running)
    assert batch.status == Batch.Status.CANCELLED
    provider.before = lambda *_: None
    other = make_batch(batch.project, key=batch.key).provider_batches.get()
    prepare.prepare(other)
    clock.advance(hours=1)
    Connection.objects.update(backoff_until=None)
    run_step(other)

    for _ in range(2):
        look_round(batch)

    assert provider.batches[running.remote_id]["status"] == "cancelled"
    assert len(told(batch, "still runs this batch")) == 1
    assert run_steps(running).status == Batch.Status.CANCELLED


def look_round(batch: Batch) -> None:
    KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
    tasks.advance("keypoll", str(batch.key_id))


def test_a_batch_cancelled_before_it_began_is_followed_until_it_says_so(
    provider: Provider, running: ProviderBatch
) -> None:
    (remote,) = provider.batches.values()

    def hesitate(call: str, _: httpx.Request) -> httpx.Response | None:
        if call != CANCEL:
            return None
        remote["status"] = "cancelling"
        return httpx.Response(200, json=remote)

    provider.before = hesitate
    cancel(running)
    for _ in range(3):
        assert run_step(running).status == Status.RUNNING
    assert provider.calls.count(CANCEL) == 1

    remote["status"] = "cancelled"
    batch = run_steps(running)

    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)


def test_cancelling_closes_an_unreachable_provider_batch_that_needs_attention(
    provider: Provider, running: ProviderBatch
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.before = lambda *_: httpx.Response(401, text="Revoked")
    exhaust_patience()
    assert run_step(running).parked_reason == Parked.NEEDS_ATTENTION

    cancel(running)

    assert run_step(running).status == Status.CANCELLED


def refuse_once(provider: Provider, refused_call: str, status: int) -> None:
    """Reject the next ``refused_call``, and no later one."""
    refused: list[str] = []

    def refuse(call: str, _: httpx.Request) -> httpx.Response | None:
        if call != refused_call or refused:
            return None
        refused.append(call)
        return httpx.Response(status, text="Insufficient permissions")

    provider.before = refuse


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_cancellation_that_is_refused_once_is_sent_again(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    refuse_once(provider, CANCEL, status)
    cancel(running)

    provider_batch = run_step(running)

    assert (provider_batch.status, provider_batch.cancel_sent_at) == (Status.RUNNING, None)
    assert (
        "did not cancel it (Insufficient permissions). The portal keeps asking."
        in problem_text(provider_batch.problem)
    )
    assert run_steps(provider_batch).status == Batch.Status.CANCELLED
    assert provider.calls.count(CANCEL) == 2
    assert next(iter(provider.batches.values()))["status"] == "cancelled"


def test_a_refusal_that_stays_is_told_once_and_the_answers_are_fetched(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.before = lambda call, _: httpx.Response(403, text="No") if call == CANCEL else None
    cancel(running)
    for _ in range(3):
        assert run_step(running).status == Status.RUNNING
    assert len(told(running.batch, "did not cancel it")) == 1

    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(running).succeeded == 3


def test_a_batch_that_runs_on_although_it_was_to_be_cancelled_can_be_cancelled_again(
    provider: Provider, running: ProviderBatch
) -> None:
    refuse_once(provider, CANCEL, 400)
    cancel(running)
    for _ in range(3):
        assert run_step(running).status == Status.RUNNING
    assert provider.calls.count(CANCEL) == 1
    assert summarise(Batch.objects.get()).can_be_cancelled

    cancel(running)

    assert run_steps(running).status == Batch.Status.CANCELLED
    assert provider.calls.count(CANCEL) == 2


def test_a_batch_that_is_being_cancelled_is_not_cancelled_again(
    provider: Provider, running: ProviderBatch
) -> None:
    cancel(running)
    assert not controls.request_cancel(Batch.objects.get(), running.batch.created_by)
    (remote,) = provider.batches.values()
    provider.before = lambda call, _: (
        httpx.Response(200, json=remote | {"status": "cancelling"}) if call == CANCEL else None
    )
    run_step(running)

    assert not controls.request_cancel(Batch.objects.get(), running.batch.created_by)
    assert not summarise(Batch.objects.get()).can_be_cancelled


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_one_refusal_does_not_cost_a_cancelled_batch_its_answers(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(1), answer_line(2)], status="in_progress")
    refuse_once(provider, CONTENT, status)
    cancel(running)

    batch = run_steps(running)

    assert (batch.status, batch.succeeded) == (Batch.Status.CANCELLED, 2)


def test_a_cancel_requested_during_the_rejection_counts(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    run_step(running)

    def cancel_and_refuse(call: str, _: httpx.Request) -> httpx.Response:
        provider.before = lambda *_: None
        cancel(running)
        return httpx.Response(403, text="No")

    provider.before = cancel_and_refuse

    assert run_step(running).status == Status.HARVESTING
    assert run_steps(running).succeeded == 3


def test_results_that_stay_refused_do_not_hold_a_cancelled_batch(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    provider.before = lambda call, _: httpx.Response(403, text="No") if call == CONTENT else None
    cancel(running)
    for _ in range(3):
        assert run_step(running).status == Status.HARVESTING

    clock.advance(minutes=20)

    assert run_step(running).status == Status.CANCELLED
    assert "what was fetched so far is kept" in last_words(running)
    assert "may still run it" not in last_words(running), "it has ended"
    assert "Correct the model" not in last_words(running)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_what_a_deleted_batch_has_answered_is_fetched_before_it_is_left(
    provider: Provider, running: ProviderBatch, *, is_cancelled: bool
) -> None:
    """Its files can be read for some minutes after it is gone."""
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(1)], [error_line(2)], status="in_progress")
    provider.batches.clear()
    if is_cancelled:
        cancel(running)
    exhaust_patience()

    provider_batch = run_step(running)

    state = provider_batch.parked_reason or provider_batch.status
    assert state == ("cancelled" if is_cancelled else "needs_attention")
    outcomes = dict(provider_batch.results.values_list("custom_id", "outcome"))
    assert outcomes == {"row-1": "ok", "row-2": "provider_error", "row-3": "pending"}


def test_a_deleted_batch_whose_provider_falls_silent_is_asked_for_again(
    provider: Provider, running: ProviderBatch
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.finish([answer_line(1)], status="in_progress")
    provider.batches.clear()
    provider.before = lambda call, _: httpx.Response(502) if call == CONTENT else None
    cancel(running)
    assert run_step(running).status == Status.RUNNING

    provider.before = lambda *_: None
    exhaust_patience()
    provider_batch = ask_again(running)

    assert provider_batch.status == Status.CANCELLED
    assert provider_batch.results.filter(outcome=Outcome.OK).count() == 1


@pytest.mark.parametrize("request_stop", [controls.request_cancel, controls.request_pause])
def test_a_stop_requested_while_results_are_fetched_is_forwarded_at_once(
    provider: Provider, running: ProviderBatch, request_stop: Callable[[Batch, User], bool]
) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    assert run_step(running).status == Status.HARVESTING

    def ask(call: str, _: httpx.Request) -> None:
        if call == CONTENT:
            assert request_stop(Batch.objects.get(), running.batch.created_by)

    provider.before = ask
    advance(running)

    provider_batch = ProviderBatch.objects.get()
    assert provider_batch.status == Status.RUNNING
    assert provider_batch.next_check_at
    assert provider_batch.next_check_at <= timezone.now()
