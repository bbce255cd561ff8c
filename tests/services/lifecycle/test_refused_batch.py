"""Providers that refuse in ways of their own: with other statuses, or only after the create."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.utils import timezone

from batchapp.models import Batch, Connection, ProviderBatch
from batchapp.presenters.batches.batch_actions import allowed_controls_of
from batchapp.presenters.batches.batch_headline import headline
from batchapp.presenters.batches.batch_summary import summarise, with_outcomes
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare
from batchapp.services.results import retry_file
from batchapp.services.results.outcome_counts import count_outcomes
from tests.make import answer_line, error_line, make_batch
from tests.provider import Provider
from tests.sentences import told
from tests.steps import exhaust_patience, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
CREATE, UPLOAD = "POST /v1/batches", "POST /v1/files"


@pytest.fixture
def waiting(provider: Provider) -> ProviderBatch:
    """A provider batch ready to be submitted."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    return provider_batch


def answers_create(provider: Provider, status: int, error: object) -> None:
    refusal = httpx.Response(status, json={"error": error})
    provider.before = lambda call, _request: refusal if call == CREATE else None


def takes_creates(provider: Provider) -> None:
    provider.before = lambda call, _request: None


def fails(provider: Provider, **error: object) -> None:
    """Let the only batch fail before any request ran, as OpenAI does."""
    (batch,) = provider.batches.values()
    batch |= {"status": "failed", "output_file_id": None, "error_file_id": None}
    batch["request_counts"] = {"total": 0, "completed": 0, "failed": 0}
    batch["errors"] = {"object": "list", "data": [{"line": None} | error]}


def completes(provider: Provider) -> Callable[..., None]:
    """Let each batch complete as soon as it is created."""

    def complete(call: str, _request: httpx.Request) -> None:
        if call == CREATE:
            batch = [*provider.batches.values()][-1]
            provider.contents[batch["output_file_id"]] = [answer_line(n) for n in (1, 2, 3)]
            batch["status"] = "completed"
            batch["request_counts"] |= {"completed": 3}

    return complete


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "Too many batches in progress: at most 2 allowed.", "code": None}),
        (403, {"message": "No.", "code": "batch_limit_exceeded"}),
        (429, {"message": "Slow down.", "code": "rate_limit_exceeded"}),
    ],
)
def test_no_room_sends_the_batch_back_to_the_queue_in_whatever_form_it_is_told(
    provider: Provider, waiting: ProviderBatch, status: int, error: dict[str, object]
) -> None:
    answers_create(provider, status, error)
    refused = run_step(waiting)
    takes_creates(provider)
    sent = run_step(refused)

    assert (refused.status, refused.parked_reason) == (Status.WAITING, "")
    assert "has no room for it just now" in problem_text(refused.problem)
    assert sent.status == Status.RUNNING
    assert provider.calls.count(UPLOAD) == 1


def test_no_room_after_the_create_sends_the_batch_again_and_pays_it_once(
    provider: Provider, waiting: ProviderBatch
) -> None:
    Connection.objects.update(kind="openai")
    running = run_step(waiting)
    fails(provider, code="token_limit_exceeded", message="Enqueued token limit reached.")

    queued = run_step(running)
    provider.after = completes(provider)
    batch = run_steps(queued)

    assert (queued.status, queued.remote_id) == (Status.WAITING, "")
    assert "has no room" in problem_text(queued.problem)
    assert "Enqueued token limit reached." in problem_text(queued.problem)
    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert provider.calls.count(UPLOAD) == 1
    assert [row["status"] for row in provider.batches.values()] == ["failed", "completed"]
    assert len(told(batch, "ran nothing for want of room")) == 1


def test_a_batch_without_room_that_is_to_be_cancelled_is_not_sent_again(
    provider: Provider, waiting: ProviderBatch
) -> None:
    running = run_step(waiting)
    fails(provider, code="token_limit_exceeded", message="Enqueued token limit reached.")
    controls.request_cancel(running.batch, running.batch.created_by)

    batch = run_steps(running)

    assert batch.is_over
    assert provider.calls.count(CREATE) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "You exceeded your current quota.", "code": "insufficient_quota"}),
        (400, {"message": "Billing hard limit has been reached.", "code": None}),
        (200, {"message": "Insufficient Balance"}),
    ],
)
def test_no_money_stops_the_batch_and_says_so(
    provider: Provider, waiting: ProviderBatch, status: int, error: dict[str, object]
) -> None:
    answers_create(provider, status, error)

    stopped = run_step(waiting)

    assert (stopped.status, stopped.parked_reason) == (Status.WAITING, Parked.NEEDS_ATTENTION)
    assert "has no credits left" in problem_text(stopped.problem)
    assert str(error["message"]) in problem_text(stopped.problem)
    assert "upload it again" not in problem_text(stopped.problem)


def test_no_money_after_the_create_stops_the_batch_until_it_is_tried_again(
    provider: Provider, waiting: ProviderBatch
) -> None:
    running = run_step(waiting)
    fails(provider, code="insufficient_quota", message="Quota used up.")

    stopped = run_step(running)
    provider.after = completes(provider)
    controls.try_again(stopped.batch, stopped.batch.created_by)
    batch = run_steps(stopped)

    assert (stopped.status, stopped.parked_reason) == (Status.WAITING, Parked.NEEDS_ATTENTION)
    assert "has no credits left" in problem_text(stopped.problem)
    assert batch.status == Batch.Status.COMPLETED
    assert len(told(batch, "ran nothing for want of credits")) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "The input file must be in processed state; its status is pending."),
        (404, "Input file not found"),
        (409, "The file is still being validated."),
    ],
)
def test_a_file_that_is_not_ready_yet_is_waited_for_and_not_sent_anew(
    provider: Provider, waiting: ProviderBatch, status: int, message: str
) -> None:
    answers_create(provider, status, {"message": message})
    unready = [run_step(waiting), run_step(waiting)]
    takes_creates(provider)
    sent = run_step(waiting)

    for row in unready:
        assert (row.status, row.parked_reason) == (Status.WAITING, "")
        assert "cannot use the file yet" in problem_text(row.problem)
    assert (sent.status, sent.problem) == (Status.RUNNING, None)
    assert provider.calls.count(UPLOAD) == 1


def test_a_file_that_is_never_ready_stops_for_a_person_and_is_then_sent_anew(
    provider: Provider, waiting: ProviderBatch
) -> None:
    answers_create(provider, 400, {"message": "The file has not been processed yet."})
    run_step(waiting)
    exhaust_patience()

    stopped = run_step(waiting)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "still cannot use it" in problem_text(stopped.problem)
    takes_creates(provider)
    controls.try_again(stopped.batch, stopped.batch.created_by)
    assert run_step(stopped).status == Status.RUNNING
    assert provider.calls.count(UPLOAD) == 2


def test_a_create_that_is_answered_with_an_error_is_shown_and_made_once(
    provider: Provider, waiting: ProviderBatch
) -> None:
    answers_create(provider, 200, {"message": "no deployment of gpt-x"})

    stopped = run_step(waiting)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "no deployment of gpt-x" in problem_text(stopped.problem)
    assert provider.calls.count(CREATE) == 1
    assert stopped.create_attempted_at is not None  # who tries again searches first


def test_a_create_without_a_readable_batch_is_searched_for_and_not_repeated(
    provider: Provider, waiting: ProviderBatch
) -> None:
    provider.after = lambda call, _request: (
        httpx.Response(200, json={"job": "accepted"}) if call == CREATE else None
    )
    run_step(waiting)
    provider.hidden = set(provider.batches)
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(hours=1))

    stopped = run_step(waiting)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "names a batch that can be followed" in problem_text(stopped.problem)
    assert len(provider.batches) == 1
    provider.hidden = set()
    controls.try_again(stopped.batch, stopped.batch.created_by)
    assert run_step(stopped).remote_id == next(iter(provider.batches))
    assert len(provider.batches) == 1


def test_ids_of_hundreds_of_characters_are_followed_and_cancelled(
    provider: Provider, waiting: ProviderBatch
) -> None:
    long_id = "batch_" + "x" * 1_900

    def lengthen(call: str, _request: httpx.Request) -> httpx.Response | None:
        if call == UPLOAD:
            return httpx.Response(200, json={"id": "file-" + "y" * 1_900, "filename": "f"})
        if call == CREATE:
            (batch,) = provider.batches.values()
            provider.batches = {long_id: batch | {"id": long_id}}
            return httpx.Response(200, json=provider.batches[long_id])
        return None

    def find(call: str, request: httpx.Request) -> httpx.Response | None:
        if long_id not in request.url.path:
            return None
        batch = provider.batches[long_id]
        if call.endswith("/cancel"):
            batch["status"] = "cancelled"
        return httpx.Response(200, json=batch)

    provider.after, provider.before = lengthen, find
    running = run_step(waiting)
    assert running.remote_id == long_id
    controls.request_cancel(running.batch, running.batch.created_by)

    run_step(running)

    assert provider.batches[long_id]["status"] == "cancelled"


def test_a_word_that_nobody_knows_is_said_and_another_spelling_ends_the_batch(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)], status="simmering")
    odd = run_step(running)
    provider.finish([answer_line(n) for n in (1, 2, 3)], status="SUCCEEDED")
    batch = run_steps(odd)

    assert "“simmering”" in problem_text(odd.problem)
    summary = summarise(odd.batch)
    assert "left" not in headline(summary)
    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert ProviderBatch.objects.get().problem is None


def test_a_failure_as_a_whole_is_told_up_front_and_costs_nothing_even_without_a_price(
    provider: Provider, waiting: ProviderBatch
) -> None:
    waiting.batch.model_costs.update(unit_price=None)
    running = run_step(waiting)
    fails(provider, code="mismatched_model", line=2, message="One model for each batch.")

    batch = run_steps(running)

    assert batch.status == Batch.Status.FAILED
    summary = with_outcomes(summarise(batch), count_outcomes(batch, with_retries=False))
    assert "It said: Line 2: One model for each batch." in headline(summary)
    assert batch.actual_cost_usd == Decimal(0)


def test_a_batch_that_its_provider_cannot_take_up_again_is_not_paused_but_continued_as_another(
    provider: Provider, running: ProviderBatch
) -> None:
    batch = running.batch
    Connection.objects.filter(pk=batch.connection_id).update(kind="openai")
    batch = Batch.objects.get(pk=batch.pk)

    controls_offered = allowed_controls_of(summarise(batch), may_spend=True)
    assert not controls_offered.pause
    assert not controls.request_pause(batch, batch.created_by)
    stopped = [error_line(n, "Cancelled before it ran.", code="batch_cancelled") for n in (2, 3)]
    provider.finish([answer_line(1)], stopped, status="cancelled")
    provider.batches[running.remote_id]["request_counts"] |= {"failed": 0}
    batch = run_steps(running)

    assert (batch.status, batch.succeeded, batch.cancelled) == (Batch.Status.CANCELLED, 1, 2)
    assert retry_file.has_retryable(batch)
    assert not allowed_controls_of(summarise(batch), may_spend=True).retry_in_place


def test_a_paused_batch_goes_on_although_the_provider_writes_rows_of_what_it_stopped(
    provider: Provider, running: ProviderBatch
) -> None:
    assert controls.request_pause(running.batch, running.batch.created_by)
    run_step(running)
    stopped = [error_line(n, "Cancelled before it ran.", code="batch_cancelled") for n in (2, 3)]
    provider.finish([answer_line(1)], stopped, status="cancelled")
    provider.batches[running.remote_id]["request_counts"] |= {"failed": 0}
    for _ in range(4):
        paused = run_step(running)

    assert paused.parked_reason == Parked.PAUSED
    assert controls.resume(paused.batch, paused.batch.created_by)
