"""Poll many batches with one list, and leave a provider alone that does not answer."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, Connection, KeyPoll, ProviderBatch, ProviderKey
from batchapp.providers.errors import ProviderUnavailable
from batchapp.services.lifecycle import controls, prepare
from batchapp.services.providers import circuit_breaker
from tests.fixtures import Clock
from tests.make import answer_line, error_line, make_batch, make_key, make_project, make_upload
from tests.provider import Provider
from tests.steps import advance, exhaust_patience, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
LIST, GET = "GET /v1/batches", "GET /v1/batches/ID"
Running = Callable[[int], list[ProviderBatch]]


@pytest.fixture
def running(provider: Provider) -> Running:
    """Return a function that makes running provider batches of one key."""
    project = make_project()
    key, upload = make_key(project), make_upload(project)

    def make(number: int) -> list[ProviderBatch]:
        for _ in range(number):
            provider_batch = ProviderBatch.objects.get(
                batch=make_batch(project, upload=upload, key=key)
            )
            prepare.prepare(provider_batch)
            advance(provider_batch)
        provider.calls.clear()
        return list(ProviderBatch.objects.order_by("batch__created_at"))

    return make


def round_of_looks() -> KeyPoll:
    """Make the key due, and run one round."""
    KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
    key_poll = KeyPoll.objects.get()
    advance(key_poll)
    return KeyPoll.objects.get()


def counts(
    provider: Provider, provider_batch: ProviderBatch, completed: int, status: str = "in_progress"
) -> None:
    row = provider.batches[provider_batch.remote_id]
    row["request_counts"]["completed"] = completed
    row["status"] = status


def test_one_list_covers_all_batches_of_a_key(provider: Provider, running: Running) -> None:
    provider_batches = running(7)
    before = timezone.now()

    round_of_looks()

    assert provider.calls == [LIST]
    for provider_batch in ProviderBatch.objects.all():
        assert provider_batch.polled_at
        assert provider_batch.polled_at >= before
        assert (
            provider_batch.next_check_at
            > before + provider_batch.batch.connection.key_poll_timeout / 2
        )
    assert len(provider_batches) == 7


def test_pages_are_read_until_every_batch_was_listed_and_no_further(
    provider: Provider, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(7)
    monkeypatch.setattr("batchapp.services.lifecycle.poll_key.PAGE", 3)
    for _ in range(4):
        provider.batches |= {f"old-{len(provider.batches)}": _foreign(provider)}

    round_of_looks()

    assert provider.calls == [LIST] * 3


def _foreign(provider: Provider) -> dict[str, object]:
    row = next(iter(provider.batches.values()))
    return row | {"id": f"old-{len(provider.batches)}", "status": "completed"}


def test_only_batches_with_news_are_worked_on(
    provider: Provider,
    running: Running,
    woken: list[str],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[list[object]]],
) -> None:
    quiet, talking, done = running(3)
    counts(provider, talking, 2)
    counts(provider, done, 3, "completed")

    with django_capture_on_commit_callbacks(execute=True):
        round_of_looks()

    assert provider.calls == [LIST]
    status = dict(ProviderBatch.objects.values_list("pk", "status"))
    assert status[quiet.pk] == Status.RUNNING
    assert status[talking.pk] == status[done.pk] == Status.HARVESTING
    assert set(woken) == {str(talking.pk), str(done.pk)}
    assert ProviderBatch.objects.get(pk=done.pk).ended_at


def test_a_batch_that_the_list_does_not_name_is_polled_by_itself(
    provider: Provider, running: Running
) -> None:
    hidden, _ = running(2)
    provider.hidden.add(hidden.remote_id)

    round_of_looks()
    due = ProviderBatch.objects.due(timezone.now())

    assert [row.pk for row in due] == [hidden.pk]
    advance(hidden)
    assert provider.calls == [LIST, GET]


def test_a_batch_that_is_finalizing_is_polled_since_that_ends_it(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    counts(provider, provider_batch, 3, "finalizing")

    round_of_looks()

    assert [row.pk for row in ProviderBatch.objects.due(timezone.now())] == [provider_batch.pk]


def test_a_requested_cancel_is_forwarded_in_the_same_round(
    provider: Provider, running: Running
) -> None:
    provider_batch, _ = running(2)
    controls.request_cancel(provider_batch.batch, provider_batch.batch.created_by)

    round_of_looks()

    assert provider.calls == [LIST, "POST /v1/batches/ID/cancel"]
    assert ProviderBatch.objects.get(pk=provider_batch.pk).cancel_sent_at


def test_a_provider_batch_that_another_worker_holds_is_left_to_it(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    counts(provider, provider_batch, 3, "completed")
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(
        leased_until=timezone.now() + settings.LEASE
    )

    round_of_looks()

    assert ProviderBatch.objects.get(pk=provider_batch.pk).status == Status.RUNNING


def test_a_key_on_which_nothing_runs_is_not_polled_until_something_does(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(status=Status.DONE)

    assert round_of_looks().next_check_at is None
    assert provider.calls == []
    running(1)
    assert KeyPoll.objects.get().next_check_at


def test_a_round_that_asks_nothing_says_nothing_of_the_key_or_the_provider(
    provider: Provider, running: Running
) -> None:
    running(1)
    ProviderBatch.objects.update(status=Status.DONE, next_check_at=None)
    ProviderKey.objects.update(is_refused=True, last_used_at=None)
    Connection.objects.update(failures=2)

    round_of_looks()

    assert provider.calls == []
    key = ProviderKey.objects.get()
    assert (key.is_refused, key.last_used_at) == (True, None)
    assert key.connection.failures == 2


def test_a_batch_whose_results_are_being_fetched_keeps_its_key_polled(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(status=Status.HARVESTING)

    assert round_of_looks().next_check_at


def test_a_batch_that_runs_after_all_restarts_the_poll_of_its_key(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    KeyPoll.objects.update(next_check_at=None)
    ProviderBatch.objects.update(next_check_at=timezone.now())

    advance(provider_batch)

    assert KeyPoll.objects.get().next_check_at


def test_rounds_slow_down_as_the_batches_grow_older(
    provider: Provider, running: Running, clock: Clock
) -> None:
    clock.stop()
    running(1)
    Connection.objects.update(poll_seconds=40)
    waits = []
    for age in (0, 100, 10_000):
        ProviderBatch.objects.update(submitted_at=timezone.now() - timedelta(seconds=age))
        waits.append((round_of_looks().next_check_at - timezone.now()).total_seconds())

    assert 1 < waits[0] < 3
    assert 7 < waits[1] < 13
    assert 31 < waits[2] < 49


def test_a_round_that_fails_changes_nothing_and_comes_again(
    provider: Provider, running: Running, clock: Clock
) -> None:
    clock.stop()
    (provider_batch,) = running(1)
    provider.before = lambda call, request: httpx.Response(500)

    key_poll = round_of_looks()

    assert key_poll.next_check_at > timezone.now()
    assert (
        ProviderBatch.objects.get(pk=provider_batch.pk).next_check_at
        == provider_batch.next_check_at
    )
    assert Connection.objects.get(pk=provider_batch.batch.connection_id).failures == 1


def test_a_rejected_list_leaves_the_trouble_to_the_single_polls(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    provider.before = lambda call, request: httpx.Response(401, json={"error": {"message": "no"}})

    round_of_looks()
    ProviderBatch.objects.update(next_check_at=timezone.now())
    exhaust_patience()
    advance(provider_batch)

    provider_batch.refresh_from_db()
    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert ProviderKey.objects.get().is_refused


def test_batches_are_followed_to_their_end_by_rounds_alone(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    round_of_looks()
    advance(provider_batch)
    tasks.advance("batch", str(provider_batch.batch_id))

    assert Batch.objects.get().status == Batch.Status.COMPLETED
    assert GET not in provider.calls


def silence(status: int | None = None, wait: int | None = None) -> ProviderUnavailable:
    retry_after = timedelta(seconds=wait) if wait else None
    return ProviderUnavailable("nobody there", status=status, retry_after=retry_after)


def reload(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def test_a_provider_is_left_alone_from_the_third_failure_until_it_answers(clock: Clock) -> None:
    clock.stop()
    connection = Connection.objects.get()
    for failures in (1, 2):
        circuit_breaker.record_no_answer(connection, silence())
        assert circuit_breaker.wait_before_calling(reload(connection)) is None, failures

    circuit_breaker.record_no_answer(connection, silence(wait=60))

    wait = circuit_breaker.wait_before_calling(reload(connection))
    assert wait
    assert timedelta(seconds=50) < wait < timedelta(seconds=70)
    circuit_breaker.record_answer(reload(connection))
    assert circuit_breaker.wait_before_calling(reload(connection)) is None
    assert reload(connection).down_since is None


def test_after_a_rest_one_goes_ahead_and_the_others_wait_for_what_it_finds(clock: Clock) -> None:
    clock.stop()
    connection = Connection.objects.get()
    past = timezone.now() - timedelta(seconds=1)
    Connection.objects.update(failures=5, down_since=past, backoff_until=past)
    first, second = reload(connection), reload(connection)

    assert circuit_breaker.wait_before_calling(first) is None
    assert circuit_breaker.wait_before_calling(second)
    assert circuit_breaker.wait_before_calling(reload(connection))


def test_a_longer_silence_means_a_longer_rest_within_bounds(clock: Clock) -> None:
    clock.stop()
    connection, waits = Connection.objects.get(), []
    for minutes in (0, 2, 60):
        down = timezone.now() - timedelta(minutes=minutes)
        Connection.objects.update(failures=9, down_since=down, backoff_until=None)
        circuit_breaker.record_no_answer(connection, silence())
        waits.append(circuit_breaker.wait_before_calling(reload(connection)))

    seconds = [wait.total_seconds() for wait in waits if wait]
    assert 4 < seconds[0] < 6
    assert 105 < seconds[1] < 135
    assert 265 < seconds[2] < 335


def test_being_asked_to_slow_down_is_an_answer() -> None:
    connection = Connection.objects.get()
    for _ in range(5):
        circuit_breaker.record_no_answer(connection, silence(status=429, wait=60))

    assert reload(connection).failures == 0


def test_batches_of_a_resting_provider_wait_without_asking_it(
    provider: Provider, running: Running
) -> None:
    provider_batch, _ = running(2)
    later = timezone.now() + timedelta(minutes=3)
    Connection.objects.update(failures=4, down_since=timezone.now(), backoff_until=later)

    ProviderBatch.objects.update(next_check_at=timezone.now())
    advance(provider_batch)
    key_poll = round_of_looks()

    assert provider.calls == []
    provider_batch.refresh_from_db()
    assert provider_batch.failures == 0
    assert provider_batch.next_check_at >= later - timedelta(seconds=5)
    assert key_poll.next_check_at >= later - timedelta(seconds=5)


def test_a_key_is_polled_for_another_day_in_case_people_retry_at_the_provider(
    provider: Provider, running: Running
) -> None:
    (provider_batch,) = running(1)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    assert run_steps(provider_batch).is_over
    ProviderBatch.objects.update(ended_at=timezone.now() - timedelta(hours=1))
    provider.batches[provider_batch.remote_id]["status"] = "in_progress"

    rested = round_of_looks()

    assert ProviderBatch.objects.get().status == Status.RUNNING
    assert rested.next_check_at
    ProviderBatch.objects.update(retried_in_place_at=timezone.now() - timedelta(hours=1))
    provider.batches[provider_batch.remote_id]["status"] = "completed"
    assert run_steps(provider_batch).is_over
    assert round_of_looks().next_check_at > timezone.now() + timedelta(minutes=10)
    Batch.objects.update(finished_at=timezone.now() - timedelta(days=2))
    assert round_of_looks().next_check_at is None


def test_a_list_that_is_refused_for_a_while_postpones_single_polls_as_long(
    provider: Provider, running: Running
) -> None:
    running(3)
    busy = httpx.Response(429, headers={"Retry-After": "1800"}, text="Later")
    provider.before = lambda call, _: busy if call == LIST else None

    rested = round_of_looks()

    later = timezone.now() + timedelta(minutes=29)
    assert rested.next_check_at > later
    assert not ProviderBatch.objects.filter(next_check_at__lt=later).exists()


def test_one_unreadable_row_hides_no_other(provider: Provider, running: Running) -> None:
    provider_batches = running(3)

    def spoil(call: str, request: httpx.Request) -> httpx.Response | None:
        if call != LIST:
            return None
        rows = [provider.batches[row.remote_id] for row in provider_batches]
        return httpx.Response(200, json={"data": [{"id": 7}, None, *rows], "has_more": False})

    provider.after = spoil
    round_of_looks()

    assert ProviderBatch.objects.exclude(polled_at=None).count() == 3
    assert provider.calls == [LIST]


def test_a_provider_whose_clock_is_ahead_is_not_asked_the_more(
    provider: Provider, running: Running
) -> None:
    running(1)
    Connection.objects.update(poll_seconds=600)
    ProviderBatch.objects.update(submitted_at=timezone.now() + timedelta(hours=1))

    assert round_of_looks().next_check_at > timezone.now() + timedelta(minutes=4)
