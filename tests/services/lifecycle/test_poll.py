"""From running at the provider to a settled batch."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Connection, KeyPoll, ProviderBatch, ResultChunk, User
from batchapp.pipeline import runner
from batchapp.services.lifecycle import controls, prepare, retry_in_place
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.results import browse, retry_file
from tests.fixtures import Clock
from tests.make import answer_line, error_line, finish, make_batch, make_upload, set_state
from tests.provider import Provider
from tests.sentences import timeline, told
from tests.steps import advance, exhaust_patience, make_due, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked


def output(batch: Batch) -> bytes:
    return b"".join(browse.download(batch, batch.created_by, ResultChunk.Kind.OUTPUT))


def test_every_request_is_accounted_for_and_paid_at_the_frozen_price(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(3), answer_line(1)], [error_line(2)])
    running.batch.connection.prices.update(input_usd=999)  # an edit never rewrites history

    batch = run_steps(running)

    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.failed, batch.missing) == (2, 1, 0)
    assert batch.is_accounted_for
    assert (batch.input_tokens, batch.output_tokens) == (200, 100)
    assert batch.actual_cost_usd == Decimal("0.0004")
    assert output(batch) == answer_line(3) + b"\n" + answer_line(1) + b"\n"
    assert list(batch.results.values_list("custom_id", "outcome")) == [
        ("row-1", Outcome.OK),
        ("row-2", Outcome.PROVIDER_ERROR),
        ("row-3", Outcome.OK),
    ]


def test_results_come_in_while_the_batch_runs_and_each_line_once(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(2)], status="in_progress")
    advance(running)
    advance(make_due(running))
    provider_batch = make_due(running)
    assert provider_batch.status == Status.RUNNING
    assert provider_batch.output_lines == 1

    provider.finish([answer_line(2), answer_line(1), answer_line(3)])
    batch = run_steps(provider_batch)

    assert output(batch).count(b"row-2") == 1
    assert batch.succeeded == 3


def test_a_line_that_slipped_behind_the_cursor_is_found_at_the_end(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(2), answer_line(3)], status="in_progress")
    advance(running)
    advance(make_due(running))

    provider.finish([answer_line(2), answer_line(1), answer_line(3)])  # committed out of order
    batch = run_steps(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 3


def test_a_body_cut_in_the_middle_is_fetched_again(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    def cut(call: str, request: httpx.Request) -> None:
        if call == "GET /v1/files/ID/content":
            raise httpx.RemoteProtocolError("peer closed connection", request=request)

    provider.after = cut
    advance(running)
    advance(make_due(running))
    assert make_due(running).status == Status.HARVESTING

    provider.after = lambda *_: None
    batch = run_steps(running)

    assert batch.succeeded == 3


def test_a_death_between_storing_and_recording_loses_and_doubles_nothing(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    advance(running)
    with monkeypatch.context() as dying:
        dying.setattr(ProviderBatch, "renew_lease", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            advance(make_due(running))
    assert not ResultChunk.objects.exists()

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 3


def test_lines_nobody_asked_for_and_garbage_are_kept_and_reported(
    provider: Provider, running: ProviderBatch
) -> None:
    strange = [answer_line(99), b"<html>", b"\xff\xfe", b'{"custom_id": 5}']
    provider.finish([answer_line(1), *strange, answer_line(2), answer_line(3)])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 7
    assert len(told(batch, "4 unmatched lines")) == 1


def test_what_never_came_back_is_missing_and_said_so(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)])

    batch = run_steps(running)

    assert (batch.succeeded, batch.missing) == (1, 2)
    assert not batch.is_accounted_for
    assert told(batch, "3 in = 1 answered + 2 no result")


def test_a_batch_without_one_answer_has_failed(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([], [error_line(n) for n in (1, 2, 3)], status="failed")

    batch = run_steps(running)

    assert batch.status == Batch.Status.FAILED
    assert batch.actual_cost_usd == 0


def test_cancelling_keeps_and_pays_what_was_answered(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    controls.request_cancel(running.batch, running.batch.created_by)

    batch = run_steps(running)

    assert batch.status == Batch.Status.CANCELLED
    assert (batch.succeeded, batch.cancelled) == (1, 2)
    assert output(batch) == answer_line(1) + b"\n"
    assert batch.actual_cost_usd == Decimal("0.0002")


def test_a_batch_that_ended_is_not_cancelled_over_there(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    controls.request_cancel(running.batch, running.batch.created_by)

    batch = run_steps(running)

    assert batch.status == Batch.Status.COMPLETED
    assert "POST /v1/batches/ID/cancel" not in provider.calls


def test_a_batch_the_provider_lost_waits_for_a_person(
    provider: Provider, running: ProviderBatch
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.before = lambda *_: httpx.Response(404, text="Batch with ID x not found")
    exhaust_patience()

    advance(running)

    provider_batch = make_due(running)
    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert provider_batch.status == Status.RUNNING
    controls.try_again(provider_batch.batch, provider_batch.batch.created_by)
    provider.before = lambda *_: None
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    assert run_steps(provider_batch).succeeded == 3


def test_an_unknown_status_counts_as_running(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([], status="pondering")

    advance(running)

    assert make_due(running).status == Status.RUNNING


def test_a_plain_provider_is_read_at_the_end_only(
    provider: Provider, running: ProviderBatch
) -> None:
    connection = running.batch.connection
    connection.has_partial_results = False
    connection.save()
    provider.finish([answer_line(1)], status="in_progress")
    advance(running)
    assert make_due(running).status == Status.RUNNING

    provider.finish([answer_line(n) for n in (1, 2, 3)])
    assert run_steps(running).succeeded == 3


def test_a_model_without_a_price_is_never_free() -> None:
    batch = make_batch()
    batch.model_costs.update(unit_price=None)

    batch = finish(batch)

    assert batch.actual_cost_usd is None
    assert batch.model_costs.get().cost_usd is None
    assert batch.model_costs.get().input_tokens == 300


def test_answers_without_usage_are_counted(provider: Provider, running: ProviderBatch) -> None:
    silent = answer_line(1).replace(b'"usage"', b'"usages"')
    provider.finish([silent, answer_line(2), answer_line(3)])

    batch = run_steps(running)

    assert batch.model_costs.get().answers_without_usage == 1


def test_cancelling_before_the_results_are_written_still_adds_up() -> None:
    batch = make_batch(upload=make_upload())
    controls.request_cancel(batch, batch.created_by)
    set_state(batch, status=Status.CANCELLED, next_check_at=None)

    ProviderBatch.objects.start_settling()
    advance(batch)

    batch.refresh_from_db()
    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)


def test_late_results_of_a_cancelled_batch_are_waited_for(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], status="cancelled")

    advance(running)

    provider_batch = ProviderBatch.objects.get(pk=running.pk)
    assert provider_batch.status == Status.HARVESTING
    assert provider_batch.next_check_at
    assert provider_batch.next_check_at > timezone.now() + timedelta(seconds=20)


def test_a_batch_not_to_be_seen_yet_is_looked_for_again(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.before = lambda *_: httpx.Response(404, text="Batch with ID x not found")

    advance(running)  # at once: the provider's replica lags behind

    provider_batch = make_due(running)
    assert provider_batch.status == Status.RUNNING
    assert provider_batch.failures == 1


@pytest.mark.parametrize("status", [404, 410])
def test_cancelling_what_the_provider_has_deleted_ends_it(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    provider.before = lambda *_: httpx.Response(status, text="Batch with ID x not found")
    exhaust_patience()
    advance(running)
    assert make_due(running).parked_reason == Parked.NEEDS_ATTENTION

    controls.request_cancel(running.batch, running.batch.created_by)
    batch = run_steps(running)

    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)


def test_a_slow_transfer_keeps_its_lease(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    provider.finish([])
    advance(running)
    line, pieces, monotonic = answer_line(1) + b"\n", list[int](), time.monotonic
    # Lease renewals are spaced by the monotonic clock, which ``clock`` does not move.
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 50 * len(pieces))

    def dribble(call: str, request: httpx.Request) -> httpx.Response | None:
        if call != "GET /v1/files/ID/content":
            return None
        return httpx.Response(200, content=slowly())

    def slowly() -> Iterator[bytes]:
        for start in range(0, len(line), 50):
            yield line[start : start + 50]
            clock.advance(seconds=50)
            pieces.append(start)
            assert not ProviderBatch.objects.due(timezone.now()).exists()

    provider.before = dribble
    advance(make_due(running))

    assert running.results.get(custom_id="row-1").outcome == Outcome.OK


def test_a_commit_whose_confirmation_was_lost_keeps_its_bytes(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def losing() -> Iterator[None]:
        with transaction.atomic():
            yield
        raise OperationalError("server closed the connection unexpectedly")

    provider.finish([answer_line(n) for n in (1, 2, 3)])
    advance(running)
    with monkeypatch.context() as broken:
        broken.setattr(fetch_results, "transaction", SimpleNamespace(atomic=losing))
        with pytest.raises(OperationalError):
            advance(make_due(running))

    batch = run_steps(running)

    assert output(batch).count(b"\n") == 3


def test_a_result_file_named_after_the_end_is_still_fetched(
    provider: Provider, running: ProviderBatch
) -> None:
    set_state(running.batch, output_file_id="", error_file_id="")
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    (remote,) = provider.batches.values()
    named = remote.pop("output_file_id")
    advance(running)
    advance(make_due(running))

    remote["output_file_id"] = named
    batch = run_steps(running)

    assert batch.succeeded == 3
    assert len(told(batch, "reports completed")) == 1


def test_a_batch_retried_before_its_harvest_is_followed_to_its_new_end(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    advance(running)
    provider.finish([answer_line(1)], status="in_progress")
    advance(make_due(running))
    advance(make_due(running))
    assert make_due(running).ended_at is None

    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(running).succeeded == 3


def test_counts_that_never_come_true_end_all_the_same(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)])
    next(iter(provider.batches.values()))["request_counts"]["completed"] = 10**12

    batch = run_steps(running)

    assert (batch.succeeded, batch.missing) == (1, 2)


def test_errors_a_provider_does_not_count_are_read(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    del next(iter(provider.batches.values()))["request_counts"]

    batch = run_steps(running)

    assert (batch.succeeded, batch.failed) == (1, 2)


def test_absurd_values_of_a_provider_are_stored_or_dropped(
    provider: Provider, running: ProviderBatch
) -> None:
    absurd = json.loads(answer_line(1))
    absurd["id"] = "i" * 1000
    absurd["response"]["body"]["model"] = "m\0" * 1000
    absurd["response"]["body"]["choices"][0]["finish_reason"] = "r" * 1000
    absurd["response"]["body"]["usage"] = {
        "prompt_tokens": 2**31 - 1,
        "cache_read_input_tokens": 2**31 - 1,
        "completion_tokens": 10**12,
    }
    failed = {"custom_id": "row-2", "error": {"code": "c" * 1000, "message": "\0" * 1000}}
    provider.finish([json.dumps(absurd).encode(), answer_line(3)], [json.dumps(failed).encode()])
    remote = next(iter(provider.batches.values()))
    remote["status_text"], remote["expires_at"] = "s" * 1000, 10**30

    batch = run_steps(running)

    assert (batch.succeeded, batch.failed) == (2, 1)
    assert batch.model_costs.get().answers_without_usage == 1


@pytest.mark.parametrize("file_id", ["f" * 3000, "..", 5])
def test_a_file_id_that_is_none_counts_as_absent(
    provider: Provider, running: ProviderBatch, file_id: object
) -> None:
    set_state(running.batch, output_file_id="", error_file_id="")
    provider.finish([], [error_line(n) for n in (1, 2, 3)], status="failed")
    next(iter(provider.batches.values()))["output_file_id"] = file_id

    assert run_steps(running).failed == 3


def test_a_step_that_dies_after_each_sign_of_life_stops_for_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider_batch = make_batch().provider_batches.get()

    monkeypatch.setattr(prepare, "RESULTS_PER_INSERT", 1)
    monkeypatch.setattr(prepare.ProviderBatch, "move_to", lambda *_, **__: 1 / 0)
    for _ in range(runner.MAX_CLAIMS):
        with pytest.raises(ZeroDivisionError):
            advance(make_due(provider_batch))
    monkeypatch.undo()
    advance(make_due(provider_batch))

    assert make_due(provider_batch).parked_reason == Parked.NEEDS_ATTENTION


def test_a_batch_that_cannot_be_added_up_says_so_once() -> None:
    batch = make_batch()
    set_state(batch, status=Status.DONE, next_check_at=None)
    ProviderBatch.objects.start_settling()
    for _ in range(2):
        Batch.objects.update(claims=runner.MAX_CLAIMS, next_check_at=timezone.now())
        advance(batch)

    batch.refresh_from_db()
    assert batch.status == Batch.Status.SETTLING
    assert batch.next_check_at
    assert len(told(batch, "keeps trying")) == 1


@pytest.mark.parametrize("status", [400, 404])
def test_a_batch_that_cannot_be_cancelled_is_followed_to_its_end(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    refusal = httpx.Response(status, text="Cannot cancel it")
    provider.before = lambda call, _: refusal if call.endswith("/cancel") else None
    controls.request_cancel(running.batch, running.batch.created_by)
    advance(running)
    assert make_due(running).status == Status.RUNNING

    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(running).succeeded == 3


def test_what_a_plain_provider_sends_again_after_a_break_is_kept_once(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_results, "LINES_PER_CHUNK", 1)
    Connection.objects.update(has_partial_results=False)
    lines = [b"garbage", answer_line(1), answer_line(2), answer_line(3)]
    provider.finish(lines)
    advance(running)

    def break_off() -> Iterator[bytes]:
        yield b"\n".join(lines[:2]) + b"\n"
        raise httpx.RemoteProtocolError("peer closed connection")

    provider.after = lambda *_: httpx.Response(200, content=break_off())
    advance(make_due(running))
    assert make_due(running).output_lines == 2
    provider.after = lambda *_: None

    batch = run_steps(running)

    assert output(batch).splitlines() == lines
    assert len(told(batch, "unmatched line")) == 1


UNSTARTED = {
    "status": "cancelling",
    "request_counts": {"total": 3, "completed": 0, "failed": 0},
    "cancelling_at": 1_700_000_000,
}


def cancel_for_ever(provider: Provider) -> None:
    """Let the provider leave the batch cancelling, as one does that has not populated it yet."""

    def answer(call: str, _: httpx.Request) -> httpx.Response | None:
        if call != "POST /v1/batches/ID/cancel":
            return None
        (remote,) = provider.batches.values()
        remote |= UNSTARTED
        return httpx.Response(200, json=remote)

    provider.before = answer


@pytest.mark.parametrize("request_stop", [controls.request_cancel, controls.request_pause])
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_batch_that_was_stopped_before_it_began_is_over_after_a_minute(
    provider: Provider,
    running: ProviderBatch,
    clock: Clock,
    request_stop: Callable[[Batch, User], bool],
    *,
    is_listed: bool,
) -> None:
    def look() -> ProviderBatch:
        if not is_listed:
            return run_step(running)
        KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
        tasks.advance("keypoll", str(running.batch.key_id))
        return ProviderBatch.objects.get(pk=running.pk)

    cancel_for_ever(provider)
    request_stop(running.batch, running.batch.created_by)
    assert look().status == Status.RUNNING
    clock.advance(seconds=50)
    assert look().status == Status.RUNNING

    clock.advance(seconds=30)

    assert look().status == Status.CANCELLED
    batch = run_steps(running)
    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)
    assert "as a new batch" in " ".join(timeline(batch))
    # It never runs again there, so it is not retried in place, but in a file.
    assert retry_in_place.count_retryable(batch, batch.created_by) == 0
    assert retry_file.has_retryable(batch)
    Batch.objects.update(next_check_at=timezone.now())
    advance(batch)
    assert ProviderBatch.objects.get().status == Status.CANCELLED


def test_a_batch_that_began_is_followed_however_long_it_is_cancelling(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    (remote,) = provider.batches.values()
    remote |= {"in_progress_at": 1_700_000_000}
    cancel_for_ever(provider)
    controls.request_cancel(running.batch, running.batch.created_by)
    run_step(running)

    clock.advance(minutes=10)

    assert run_step(running).status == Status.RUNNING


def test_answers_that_come_after_such_an_end_are_fetched(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    cancel_for_ever(provider)
    controls.request_cancel(running.batch, running.batch.created_by)
    run_step(running)
    clock.advance(minutes=3)
    assert run_steps(running).cancelled == 3

    provider.finish([answer_line(1)], status="cancelled")
    Batch.objects.update(next_check_at=timezone.now())
    tasks.advance("batch", str(running.batch_id))

    assert run_steps(running).succeeded == 1
