"""Retry a batch in place, at the request of a person here or at the provider."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.results.outcome import Outcome
from batchapp.models import (
    Batch,
    Connection,
    EventKind,
    KeyPoll,
    ModelCost,
    ProviderBatch,
    ResultChunk,
    StaleRow,
    User,
)
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare, retry_in_place
from batchapp.services.providers import connections, provider_keys
from batchapp.services.reports.scope import Scope
from batchapp.services.results import browse
from tests.make import (
    answer_line,
    error_line,
    join,
    make_batch,
    make_key,
    make_user,
    set_state,
)
from tests.provider import Provider, lose_reply
from tests.sentences import told
from tests.steps import advance, exhaust_patience, make_due, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
RETRY, GET = "POST /v1/batches/ID/retry", "GET /v1/batches/ID"


@pytest.fixture
def ended(provider: Provider, running: ProviderBatch) -> ProviderBatch:
    """A finished provider batch: one of three requests answered, two failed."""
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    assert run_steps(running).status == Batch.Status.COMPLETED
    provider.calls.clear()
    return make_due(running)


def ask(provider_batch: ProviderBatch) -> int:
    batch = Batch.objects.get(pk=provider_batch.batch_id)
    return retry_in_place.request_retry_in_place(batch, batch.created_by)


def let_time_pass() -> None:
    """Move the time of the end and of the retry far into the past."""
    long_ago = timezone.now() - timedelta(hours=1)
    ProviderBatch.objects.exclude(retried_in_place_at=None).update(retried_in_place_at=long_ago)
    ProviderBatch.objects.exclude(ended_at=None).update(ended_at=long_ago)


def remote_of(provider: Provider) -> dict[str, object]:
    (remote,) = provider.batches.values()
    return remote


def test_what_failed_runs_again_in_place_and_is_counted_and_paid_once(
    provider: Provider, ended: ProviderBatch
) -> None:
    assert ask(ended) == 2
    provider_batch = run_step(ended)
    assert provider_batch.status == Status.RUNNING
    let_time_pass()
    provider.finish([answer_line(1), answer_line(3)], [error_line(2, "Still broken.")])

    batch = run_steps(provider_batch)

    assert provider.calls.count(RETRY) == 1
    assert len(provider.batches) == 1
    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.failed, batch.cancelled) == (2, 1, 0)
    assert (batch.input_tokens, batch.actual_cost_usd) == (200, Decimal("0.0004"))
    stored = {
        kind: b"".join(browse.download(batch, batch.created_by, kind)) for kind in ResultChunk.Kind
    }
    assert stored[ResultChunk.Kind.OUTPUT].splitlines() == [answer_line(1), answer_line(3)]
    assert stored[ResultChunk.Kind.ERROR].splitlines() == [error_line(2, "Still broken.")]
    assert len(stored[ResultChunk.Kind.PAST].splitlines()) == 2, "a harvested line is never lost"


def test_a_retry_in_place_is_not_made_on_the_key_of_a_person_who_is_gone_meanwhile(
    provider: Provider, ended: ProviderBatch
) -> None:
    owner = join(make_user("grace@example.com"), ended.batch.project)
    key = make_key(owner, ended.connection)
    Batch.objects.filter(pk=ended.batch_id).update(key=key)
    assert ask(ended) == 2
    User.objects.filter(pk=owner.pk).update(is_active=False)

    provider_batch = run_step(ended)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert "grace@example.com" in problem_text(provider_batch.problem)
    assert "as a new batch on another key" in problem_text(provider_batch.problem)
    assert provider.calls == []

    batch = Batch.objects.get(pk=ended.batch_id)
    assert controls.request_cancel(batch, batch.created_by)
    batch = run_steps(provider_batch)
    assert (batch.status, batch.succeeded, batch.failed) == (Batch.Status.COMPLETED, 1, 2)
    assert RETRY not in provider.calls


def test_a_batch_retried_in_place_is_reported_and_learnt_from_once(
    provider: Provider, ended: ProviderBatch
) -> None:
    ask(ended)
    provider_batch = run_step(ended)
    let_time_pass()
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    batch = run_steps(provider_batch)

    today = timezone.localdate()
    scope = Scope(
        first=today - timedelta(days=1),
        last=today + timedelta(days=1),
        viewer=batch.created_by,
    )

    assert scope.model_costs().count() == 1
    assert ModelCost.objects.exclude(measured_at=None).count() == 1
    assert batch.model_costs.get().answers == 3
    assert batch.model_costs.get().cost_usd == batch.actual_cost_usd


def test_a_batch_that_is_being_run_again_is_not_over(ended: ProviderBatch) -> None:
    Batch.objects.update(
        billed_cost_usd=Decimal("0.5"),
        billed_answers=4,
        discrepancy=[{"text": "Two answers to one."}],
    )

    ask(ended)

    batch = Batch.objects.get()
    assert batch.status == Batch.Status.RUNNING
    assert (batch.finished_at, batch.billed_cost_usd, batch.discrepancy) == (None, None, [])
    assert batch.billed_answers is None
    assert batch.next_check_at is None
    event = batch.events.get(kind=EventKind.RETRY_IN_PLACE_REQUESTED, data={"requests": 2})
    assert event.actor == batch.created_by


def test_a_cancelled_batch_is_taken_up_again(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    controls.request_cancel(running.batch, running.batch.created_by)
    assert run_steps(running).cancelled == 2
    assert ask(running) == 2
    provider_batch = run_step(running)
    let_time_pass()
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    batch = run_steps(provider_batch)

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)


def test_asking_twice_retries_in_place_once(provider: Provider, ended: ProviderBatch) -> None:
    first, second = Batch.objects.get(), Batch.objects.get()

    assert retry_in_place.request_retry_in_place(first, first.created_by) == 2
    with pytest.raises(StaleRow):
        retry_in_place.request_retry_in_place(second, second.created_by)
    assert ask(ended) == 0

    run_step(ended)
    assert provider.calls.count(RETRY) == 1
    assert len(told(first, "Asked to retry")) == 1


@pytest.mark.parametrize(
    "hindrance", ["no retry", "never there", "key removed", "archived", "all answered"]
)
def test_a_batch_that_cannot_be_retried_in_place_is_not(
    provider: Provider, ended: ProviderBatch, hindrance: str
) -> None:
    if hindrance == "no retry":
        Connection.objects.update(has_retry=False)
    elif hindrance == "never there":
        set_state(ended.batch, remote_id="")
    elif hindrance == "key removed":
        provider_keys.remove(ended.batch.key, OPERATOR)
    elif hindrance == "archived":
        connections.archive(ended.batch.connection, OPERATOR, timezone.now())
    else:
        ended.results.update(outcome=Outcome.TRUNCATED)

    assert ask(ended) == 0
    assert Batch.objects.get().status == Batch.Status.COMPLETED


def test_a_lost_reply_is_asked_for_again(provider: Provider, ended: ProviderBatch) -> None:
    provider.after = lose_reply(RETRY)
    ask(ended)
    provider_batch = run_step(ended)
    assert provider_batch.status == Status.RETRYING_IN_PLACE
    provider.after = lambda *_: None

    provider_batch = run_step(provider_batch)  # "Nothing to retry": it runs already
    let_time_pass()
    provider.finish([answer_line(1), answer_line(2)], [error_line(3, "Again.")])
    batch = run_steps(provider_batch)

    assert (batch.succeeded, batch.failed) == (2, 1)
    assert batch.results.get(custom_id="row-3").error_message == "Again."


def test_a_provider_that_has_nothing_to_run_again_ends_it_as_it_was(
    provider: Provider, ended: ProviderBatch
) -> None:
    refusal = httpx.Response(400, text="Nothing to retry")
    provider.before = lambda call, _: refusal if call == RETRY else None
    ask(ended)
    provider_batch = run_step(ended)
    assert provider_batch.status == Status.RUNNING
    let_time_pass()

    batch = run_steps(provider_batch)

    assert (batch.succeeded, batch.failed) == (1, 2)
    errors = b"".join(browse.download(batch, batch.created_by, ResultChunk.Kind.ERROR))
    assert errors.count(b"\n") == 2


def test_a_provider_that_refuses_the_key_waits_for_a_person(
    provider: Provider, ended: ProviderBatch
) -> None:
    provider.before = lambda call, _: httpx.Response(401, text="No") if call == RETRY else None
    ask(ended)
    exhaust_patience()
    provider_batch = run_step(ended)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert ended.batch.results.filter(outcome=Outcome.PROVIDER_ERROR).count() == 2
    provider.before = lambda *_: None
    controls.try_again(provider_batch.batch, provider_batch.batch.created_by)
    assert run_step(provider_batch).status == Status.RUNNING


def test_cancelling_before_the_retry_in_place_leaves_the_batch_as_it_was(
    provider: Provider, ended: ProviderBatch
) -> None:
    ask(ended)
    batch = Batch.objects.get()
    controls.request_cancel(batch, batch.created_by)

    batch = run_steps(ended)

    assert provider.calls == []
    assert (batch.succeeded, batch.failed) == (1, 2)
    assert batch.is_over


@pytest.mark.parametrize(
    ("output", "errors"), [([1, 2], [3]), ([1, 2], []), ([], [1, 2, 3])], ids=str
)
def test_a_batch_that_was_not_retried_after_all_has_the_same_end(
    provider: Provider, running: ProviderBatch, output: list[int], errors: list[int]
) -> None:
    provider.finish([*map(answer_line, output)], [*map(error_line, errors)])
    before = run_steps(running)
    ended_at = make_due(running).ended_at
    ask(running)
    assert summarise(Batch.objects.get()).status.label == "Running"
    controls.request_cancel(Batch.objects.get(), before.created_by)

    batch = run_steps(running)

    figures = ("status", "succeeded", "failed", "cancelled", "missing", "discrepancy")
    assert [getattr(batch, name) for name in figures] == [
        getattr(before, name) for name in figures
    ]
    assert (make_due(running).status, make_due(running).ended_at) == (Status.DONE, ended_at)


def test_a_report_of_the_old_end_is_ignored_for_a_while(
    provider: Provider, ended: ProviderBatch
) -> None:
    ask(ended)
    provider_batch = run_step(ended)
    remote_of(provider)["status"] = "completed"  # a replica that has not heard of it

    provider_batch = run_step(provider_batch)
    assert provider_batch.status == Status.RUNNING
    KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
    advance(KeyPoll.objects.get())
    assert make_due(provider_batch).status == Status.RUNNING

    let_time_pass()
    assert run_step(provider_batch).status == Status.HARVESTING


@pytest.fixture
def look(provider: Provider) -> Callable[[], None]:
    """A round of the key's list, kept going by another batch that runs."""
    key = Batch.objects.get().key
    other = make_batch(key.project, key=key).provider_batches.get()
    prepare.prepare(other)
    advance(other)

    def go_round() -> None:
        KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
        advance(key.key_poll)

    return go_round


def test_a_batch_retried_in_the_providers_console_is_followed_again(
    provider: Provider, ended: ProviderBatch, look: Callable[[], None]
) -> None:
    let_time_pass()
    remote = provider.batches[ended.remote_id]
    remote["status"] = "in_progress"

    look()

    batch = Batch.objects.get(pk=ended.batch_id)
    assert (batch.status, batch.finished_at) == (Batch.Status.RUNNING, None)
    assert len(told(batch, "runs this batch again")) == 1
    assert RETRY not in provider.calls
    let_time_pass()
    provider.contents[remote["output_file_id"]] = [answer_line(n) for n in (1, 2, 3)]
    remote |= {"status": "completed", "request_counts": {"completed": 3, "failed": 0, "total": 3}}
    assert run_steps(ended).succeeded == 3


@pytest.mark.parametrize("status", ["cancelling", "finalizing", "completed"])
def test_a_batch_that_nobody_works_on_is_left_alone(
    provider: Provider, ended: ProviderBatch, look: Callable[[], None], status: str
) -> None:
    let_time_pass()
    provider.batches[ended.remote_id]["status"] = status

    look()

    assert make_due(ended).status == Status.DONE


def test_a_list_that_lags_behind_the_end_restarts_nothing(
    provider: Provider, ended: ProviderBatch, look: Callable[[], None]
) -> None:
    provider.batches[ended.remote_id]["status"] = "in_progress"

    look()

    assert make_due(ended).status == Status.DONE


def test_what_is_followed_again_is_followed_once(ended: ProviderBatch) -> None:
    let_time_pass()
    first, second = (ProviderBatch.objects.get(pk=ended.pk) for _ in range(2))

    assert retry_in_place.follow_again(first)
    with pytest.raises(StaleRow):
        retry_in_place.follow_again(second)
    assert not retry_in_place.follow_again(ProviderBatch.objects.get(pk=ended.pk))


def test_news_of_a_batch_that_was_settled_meanwhile_is_not_half_believed(
    ended: ProviderBatch,
) -> None:
    """A provider batch alone would run in a batch that is over, and never be settled again."""
    let_time_pass()
    Batch.objects.update(status=Batch.Status.RUNNING)
    provider_batch = ProviderBatch.objects.select_related("batch").get(pk=ended.pk)
    Batch.objects.update(status=Batch.Status.COMPLETED)

    with pytest.raises(StaleRow):
        retry_in_place.follow_again(provider_batch)

    assert make_due(ended).status == Status.DONE
    assert retry_in_place.follow_again(ProviderBatch.objects.get(pk=ended.pk))
    assert Batch.objects.get().status == Batch.Status.RUNNING


@pytest.mark.django_db(transaction=True)
def test_a_batch_does_not_end_while_a_provider_batch_is_being_followed_again(
    ended: ProviderBatch,
) -> None:
    let_time_pass()
    Batch.objects.update(status=Batch.Status.RUNNING)
    ender = threading.Thread(target=_end_batches)

    with transaction.atomic():
        assert retry_in_place.follow_again(ProviderBatch.objects.get(pk=ended.pk))
        ender.start()
        ender.join(0.5)
    ender.join()

    assert Batch.objects.get().status == Batch.Status.RUNNING


def _end_batches() -> None:
    ProviderBatch.objects.start_settling()
    database.close()
