"""Fetch the billed cost after a batch is over."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, ProviderBatch, ProviderKey
from batchapp.pipeline import provider_access, runner
from batchapp.services.lifecycle import billed_cost
from tests.fixtures import Clock
from tests.make import answer_line, error_line, finish, make_batch
from tests.provider import Provider
from tests.sentences import told
from tests.steps import advance, run_steps

pytestmark = pytest.mark.django_db

ASKED = "GET /v1/batches/ID/analytics"


def says(answer: object, *, status: int = 200) -> Callable[..., httpx.Response | None]:
    return lambda call, _request: httpx.Response(status, json=answer) if call == ASKED else None


def ask(batch: Batch) -> Batch:
    """Let the time pass until the batch is due, and a worker come by."""
    Batch.objects.filter(pk=batch.pk, next_check_at__isnull=False).update(
        next_check_at=timezone.now(), leased_until=None
    )
    advance(batch)
    batch.refresh_from_db()
    return batch


def test_the_tick_finds_a_batch_that_ended_and_asks(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = finish(make_batch())
    provider.before = says({"total_requests": 3, "total_cost": "0.00061"})
    monkeypatch.setattr(tasks.advance, "delay", tasks.advance)
    Batch.objects.update(next_check_at=timezone.now())

    tasks.tick()

    batch.refresh_from_db()
    assert batch.billed_cost_usd == Decimal("0.00061")
    assert batch.next_check_at is None
    assert batch.status == Batch.Status.COMPLETED


def test_a_sum_that_is_not_complete_is_asked_for_again(provider: Provider, clock: Clock) -> None:
    clock.stop()
    batch = finish(make_batch())
    answers: list[dict[str, object]] = [
        {"total_requests": 0},
        {"total_requests": 2, "total_cost": "0.0004"},
    ]
    for answer in answers:
        provider.before = says(answer)
        assert ask(batch).billed_cost_usd is None
        assert batch.next_check_at
        assert batch.next_check_at > timezone.now()

    provider.before = says({"total_requests": 3, "total_cost": "0.0006"})

    assert ask(batch).billed_cost_usd == Decimal("0.0006")


def test_the_longer_a_batch_is_over_the_seldomer_it_is_asked_for(provider: Provider) -> None:
    batch = finish(make_batch())
    provider.before = says({"total_requests": 0})
    Batch.objects.update(finished_at=timezone.now() - timedelta(hours=3))

    ask(batch)

    assert batch.next_check_at
    assert batch.next_check_at > timezone.now() + timedelta(hours=2)
    Batch.objects.update(finished_at=timezone.now() - billed_cost.MAX_WAIT - timedelta(minutes=1))
    assert ask(batch).next_check_at is None


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_provider_that_tells_no_sums_is_asked_once(provider: Provider, status: int) -> None:
    batch = finish(make_batch())
    provider.before = says({"error": "no"}, status=status)

    ask(batch)
    ask(batch)

    assert provider.calls == [ASKED]
    assert batch.billed_cost_usd is None


def test_a_provider_that_is_down_is_asked_again(provider: Provider) -> None:
    batch = finish(make_batch())
    provider.before = says({"error": "down"}, status=503)

    assert ask(batch).next_check_at


def test_without_a_readable_key_nobody_is_asked(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = finish(make_batch())
    ProviderKey.objects.update(ciphertext="of another portal")

    def refuse(key: ProviderKey, **_: object) -> None:
        key.secret()

    monkeypatch.setattr(provider_access, "provider_client", refuse)

    assert ask(batch).next_check_at is None
    assert provider.calls == []


def test_a_batch_whose_asking_keeps_dying_is_left_alone(provider: Provider) -> None:
    batch = finish(make_batch())
    Batch.objects.update(claims=runner.MAX_CLAIMS)

    assert ask(batch).next_check_at is None
    assert provider.calls == []
    assert not told(batch, "Adding up broke off")


def test_a_provider_batch_without_answers_does_not_hold_up_the_billed_cost(
    provider: Provider,
) -> None:
    batch = finish(make_batch())
    ProviderBatch.objects.create(
        batch=batch, number=2, status=ProviderBatch.Status.CANCELLED, remote_id="x" * 36
    )
    sums: list[dict[str, object]] = [{"total_requests": 3, "total_cost": "0.0006"}, {}]
    provider.before = lambda *_: httpx.Response(200, json=sums.pop(0))

    assert ask(batch).billed_cost_usd == Decimal("0.0006")
    assert batch.next_check_at is None


@pytest.mark.parametrize(
    ("requests", "too_many"), [(3, None), (4, (4, 3)), (90, (90, 3)), (2**60, (2**60, 3))]
)
def test_the_number_of_billed_answers_is_recorded(
    provider: Provider, requests: int, too_many: tuple[int, int] | None
) -> None:
    batch = finish(make_batch())
    provider.before = says({"total_requests": requests, "total_cost": "0.0006"})

    batch = ask(batch)

    assert batch.billed_answers == requests
    assert batch.billed_too_many() == too_many


def test_an_answer_that_holds_an_error_is_billed_and_came(provider: Provider) -> None:
    error = {"error": {"message": "No.", "code": "overloaded"}}
    failed = json.loads(answer_line(3)) | {"response": {"status_code": 200, "body": error}}
    batch = finish(make_batch(), [answer_line(1), answer_line(2), json.dumps(failed).encode()])
    provider.before = says({"total_requests": 3, "total_cost": "0.0006"})

    batch = ask(batch)

    assert (batch.succeeded, batch.failed, batch.billed_answers) == (2, 1, 3)
    assert batch.billed_too_many() is None


def test_a_batch_whose_requests_all_failed_was_billed_for_nothing(provider: Provider) -> None:
    batch = finish(make_batch(), [], [error_line(n) for n in (1, 2, 3)])
    provider.before = says({"total_requests": 0})

    batch = ask(batch)

    assert (batch.billed_cost_usd, batch.billed_answers) == (None, None)
    assert batch.next_check_at is None


def test_an_impossible_number_of_answers_is_recorded_as_the_largest(provider: Provider) -> None:
    batch = finish(make_batch())
    ProviderBatch.objects.create(
        batch=batch, number=2, status=ProviderBatch.Status.DONE, remote_id="f" * 36
    )
    provider.before = says({"total_requests": 2**63 - 1, "total_cost": "0.0006"})

    assert ask(batch).billed_answers == billed_cost.MAX_ANSWERS


@pytest.mark.parametrize("minutes_ago", [0, 10], ids=["within the grace", "later"])
def test_answers_that_only_the_bill_tells_of_are_fetched(
    provider: Provider, running: ProviderBatch, clock: Clock, minutes_ago: int
) -> None:
    """Somebody ran the failed request again there, and it ended between two polls."""
    provider.finish([answer_line(1), answer_line(2)], [error_line(3)])
    batch = run_steps(running)
    assert (batch.succeeded, batch.failed) == (2, 1)
    clock.advance(minutes=minutes_ago)
    provider.finish([answer_line(1), answer_line(2), answer_line(3)])
    provider.before = says({"total_requests": 3, "total_cost": "0.00061"})

    ask(batch)
    while (row := ProviderBatch.objects.get()).status in ProviderBatch.OVER and row.next_check_at:
        clock.advance(seconds=max(0, (row.next_check_at - timezone.now()).total_seconds()))
        advance(row)
    assert row.status == ProviderBatch.Status.RUNNING
    clock.advance(minutes=2)  # until then a reply may come from a replica that is behind

    batch = run_steps(row)
    assert (batch.succeeded, batch.failed) == (3, 0)


def test_answers_billed_twice_are_looked_for_once(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    batch = run_steps(running)
    provider.before = says({"total_requests": 4, "total_cost": "0.00081"})

    ask(batch)
    advance(ProviderBatch.objects.get())

    row = ProviderBatch.objects.get()
    assert (row.status, row.next_check_at) == (ProviderBatch.Status.DONE, None)
    assert provider.calls[-1] == "GET /v1/batches/ID"
    assert Batch.objects.get().billed_answers == 4
