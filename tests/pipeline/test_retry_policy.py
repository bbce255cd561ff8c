"""What a refusal or a silence of the provider means for a row."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from batchapp.models import Batch, BatchImport, Connection, ProviderBatch, ProviderKey
from batchapp.pipeline.retry_policy import PATIENCE
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import billed_cost, controls
from tests.fixtures import Clock
from tests.make import (
    answer_line,
    finish,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_user,
    set_state,
)
from tests.provider import Provider
from tests.steps import advance, make_due, run_step, run_steps

pytestmark = pytest.mark.django_db

Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
KEY_LOOK_UP_FAILED = httpx.Response(401, text="Authentication required")
LINE_503 = "Line 3: image fetch failed after retries, please retry: https://example.com/a.png"
FINAL_429 = (
    "This account may submit at most 24,000 requests per 24h window. This submission has 30,000 "
    "requests."
)
WRONG_WINDOW = "Model 'm' does not support completion window '1h'. Allowed: 24h"


def refuse(provider: Provider, answer: httpx.Response, call: str = "") -> None:
    """Let the provider give ``answer`` to each call, or to each of one kind."""
    provider.before = lambda this_call, _: answer if call in {"", this_call} else None


def go_on(provider: Provider) -> None:
    provider.before = lambda *_: None


def refused_until_a_person_is_asked(
    provider_batch: ProviderBatch, clock: Clock
) -> tuple[list[timedelta], ProviderBatch]:
    """Run the step whenever it is due; return the pauses until the row is parked."""
    pauses: list[timedelta] = []
    while not (row := ProviderBatch.objects.get(pk=provider_batch.pk)).parked_reason:
        assert len(pauses) < 50
        assert row.next_check_at
        pause = row.next_check_at - timezone.now()
        pauses.append(pause)
        clock.advance(seconds=max(pause.total_seconds(), 0))
        advance(row)
    assert not Connection.objects.exclude(backoff_until=None).exists(), "others may call it"
    return pauses, row


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_that_passes_needs_no_person_and_leaves_the_key_in_peace(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    refuse(provider, httpx.Response(status, text="Authentication required"))
    for _ in range(3):
        provider_batch = run_step(running)
        assert (provider_batch.status, provider_batch.parked_reason) == (Status.RUNNING, "")
    assert provider_batch.refused_since
    assert "you are asked what to do" in problem_text(provider_batch.problem)
    assert not ProviderKey.objects.get().is_refused

    go_on(provider)
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(running).succeeded == 3
    assert make_due(running).refused_since is None


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_that_stays_asks_a_person_after_twenty_minutes_of_growing_pauses(
    provider: Provider, running: ProviderBatch, status: int, clock: Clock
) -> None:
    clock.stop()
    refuse(provider, httpx.Response(status, text="No"))

    pauses, row = refused_until_a_person_is_asked(running, clock)

    waited = sum(pauses[1:], timedelta())
    assert PATIENCE <= waited < PATIENCE + timedelta(minutes=8)
    assert len(pauses) < 20
    assert pauses[1] < timedelta(seconds=10)
    assert pauses[-1] > timedelta(minutes=3)
    assert row.parked_reason == Parked.NEEDS_ATTENTION
    assert ProviderKey.objects.get().is_refused is (status == 401)


def test_each_refusal_is_waited_out_anew_after_a_usable_answer(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    refuse(provider, KEY_LOOK_UP_FAILED)
    run_step(running)
    clock.advance(minutes=19)
    go_on(provider)
    run_step(running)
    refuse(provider, KEY_LOOK_UP_FAILED)
    clock.advance(minutes=5)

    assert run_step(running).parked_reason == ""


def test_the_time_in_which_the_provider_was_down_counts_to_no_refusal(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    refuse(provider, httpx.Response(404, text="Not found"))
    run_step(running)
    Connection.objects.update(failures=3, backoff_until=timezone.now() + timedelta(minutes=5))
    run_step(running)
    Connection.objects.update(failures=0, backoff_until=None)
    clock.advance(minutes=21)

    assert run_step(running).parked_reason == "", "a replica that has just started may be behind"


def test_a_window_that_was_full_for_long_counts_to_no_refusal(
    provider: Provider, clock: Clock
) -> None:
    provider_batch = make_batch().provider_batches.get()
    run_step(provider_batch)
    refuse(provider, httpx.Response(404, text="Not found"), "POST /v1/files")
    run_step(provider_batch)
    go_on(provider)
    refuse(provider, httpx.Response(429, text="No capacity"), "POST /v1/batches")
    run_step(provider_batch)
    clock.advance(minutes=21)
    refuse(provider, httpx.Response(404, text="Not found"))

    assert run_step(provider_batch).parked_reason == ""


def test_after_a_person_tried_again_the_next_refusal_counts_at_once(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    clock.stop()
    refuse(provider, KEY_LOOK_UP_FAILED)
    refused_until_a_person_is_asked(running, clock)
    assert controls.try_again(running.batch, running.batch.created_by) == 1

    assert run_step(running).parked_reason == Parked.NEEDS_ATTENTION


@pytest.mark.parametrize(
    ("age", "is_asked"), [(timedelta(minutes=1), False), (timedelta(minutes=30), True)]
)
def test_a_key_that_never_worked_is_waited_for_only_while_it_is_new(
    provider: Provider, age: timedelta, is_asked: bool
) -> None:
    provider_batch = make_batch().provider_batches.get()
    ProviderKey.objects.update(secret_set_at=timezone.now() - age)
    refuse(provider, KEY_LOOK_UP_FAILED)

    provider_batch = run_step(run_step(provider_batch))

    assert provider_batch.status == Status.WAITING
    assert bool(provider_batch.parked_reason) is is_asked
    assert ProviderKey.objects.get().is_refused is is_asked


def test_a_replaced_secret_has_never_worked(provider: Provider, running: ProviderBatch) -> None:
    key = running.batch.key
    key.refresh_from_db()
    assert key.last_used_at
    key.set_secret("sk-another-000001")

    assert key.last_used_at is None


def test_a_passing_refusal_does_not_end_the_look_for_the_billed_sum(provider: Provider) -> None:
    batch = finish(make_batch())
    ProviderKey.objects.update(last_used_at=timezone.now())
    refuse(provider, KEY_LOOK_UP_FAILED)
    Batch.objects.update(next_check_at=timezone.now())
    advance(batch)
    batch.refresh_from_db()
    assert batch.next_check_at

    Batch.objects.update(finished_at=timezone.now() - billed_cost.MAX_WAIT - timedelta(hours=1))
    Batch.objects.update(next_check_at=timezone.now())
    advance(batch)

    batch.refresh_from_db()
    assert batch.next_check_at is None


def test_an_import_waits_out_a_refusal_as_well(provider: Provider, clock: Clock) -> None:
    user = make_user()
    project = make_project(user)
    key = make_key(project)
    ProviderKey.objects.update(last_used_at=timezone.now())
    remote_id = provider.run(b"")
    batch_import = BatchImport.objects.create(
        project=project,
        connection=project.connection,
        key=key,
        requested_by=user,
        remote_id=remote_id,
        name=remote_id,
        next_check_at=timezone.now(),
    )
    refuse(provider, KEY_LOOK_UP_FAILED)
    advance(batch_import)
    batch_import.refresh_from_db()
    assert batch_import.status == BatchImport.Status.FETCHING
    assert batch_import.refused_since

    clock.advance(minutes=25)
    advance(batch_import)

    batch_import.refresh_from_db()
    assert batch_import.status == BatchImport.Status.FAILED


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("POST /v1/files", {"status_code": 503, "json": {"message": LINE_503}}),
        ("POST /v1/batches", {"status_code": 429, "json": {"message": FINAL_429}}),
    ],
    ids=["a line", "the account"],
)
def test_a_refusal_of_the_file_or_the_account_is_not_repeated_for_ever(
    provider: Provider, call: str, answer: dict[str, Any], clock: Clock
) -> None:
    clock.stop()
    provider_batch = run_step(make_batch().provider_batches.get())
    refuse(provider, httpx.Response(**answer, headers={"Retry-After": "30"}), call)

    pauses, row = refused_until_a_person_is_asked(provider_batch, clock)

    assert len(pauses) < 20
    assert row.parked_reason == Parked.NEEDS_ATTENTION
    assert answer["json"]["message"] in problem_text(row.problem)
    assert provider.batches == {}
    assert provider.calls.count(call) < 20
    go_on(provider)
    controls.try_again(row.batch, row.batch.created_by)
    assert run_step(row).status == Status.RUNNING


def test_a_batch_too_large_for_the_account_leaves_its_slot_to_others(
    provider: Provider, clock: Clock
) -> None:
    project = make_project(connection=make_connection(max_active=1))
    large, small = (make_batch(project).provider_batches.get() for _ in range(2))
    clock.stop()  # the large one would come first again as soon as it is due
    run_step(large), run_step(small)
    refuse(provider, httpx.Response(429, json={"message": FINAL_429}), "POST /v1/batches")
    advance(large)
    assert provider.calls.count("POST /v1/batches") == 1
    go_on(provider)

    assert run_step(small).status == Status.RUNNING


def test_a_window_that_the_model_has_not_is_left_for_the_one_agreed_to(provider: Provider) -> None:
    batch = make_batch(window="1h", fallback_window="24h")
    provider_batch = run_step(batch.provider_batches.get())
    refuse(provider, httpx.Response(400, text=WRONG_WINDOW), "POST /v1/batches")
    provider_batch = run_step(provider_batch)
    assert (provider_batch.status, provider_batch.parked_reason) == (Status.WAITING, "")
    go_on(provider)

    assert run_step(provider_batch).status == Status.RUNNING
    (remote,) = provider.batches.values()
    assert remote["completion_window"] == "24h"


def test_a_window_that_the_model_has_not_asks_for_another_window(provider: Provider) -> None:
    batch = make_batch(window="1h")
    provider_batch = run_step(batch.provider_batches.get())
    refuse(provider, httpx.Response(400, text=WRONG_WINDOW), "POST /v1/batches")

    provider_batch = run_step(provider_batch)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert "Correct the file" not in problem_text(provider_batch.problem)
    assert "completion window" in problem_text(provider_batch.problem)


def test_a_batch_that_must_be_cancelled_is_closed_although_the_key_stays_refused(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    set_state(running.batch, create_attempted_at=timezone.now() - timedelta(hours=1))
    controls.request_cancel(running.batch, running.batch.created_by)
    refuse(provider, KEY_LOOK_UP_FAILED)
    assert run_step(running).status == Status.RUNNING

    clock.advance(minutes=16)

    assert run_step(running).status == Status.CANCELLED
