"""The clock of the portal runs ahead, and is then set right: nothing stands still until then."""

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from django.db.models import Min, Q
from django.utils import timezone

from batchapp import tasks
from batchapp.models import (
    Batch,
    BatchImport,
    Connection,
    KeyPoll,
    LeasedRow,
    ProviderBatch,
    ProviderKey,
    SourceTable,
)
from batchapp.models.fields.leased_row import MAX_DELAY, MAX_LEASES
from batchapp.models.files.source_table import RETENTION
from batchapp.pipeline.retry_policy import GIVE_UP_AFTER, PATIENCE
from batchapp.pipeline.states import ROW_STATES
from batchapp.services.lifecycle import controls, prepare, retry_in_place, submit
from batchapp.services.tables import table_import
from tests.fixtures import Clock
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_import,
    make_project,
    make_table,
    make_upload,
    make_user,
    request_file,
)
from tests.provider import Provider, lose_reply
from tests.steps import advance

pytestmark = pytest.mark.django_db

AHEAD = timedelta(hours=3)
CREATE = "POST /v1/batches"
ANSWERS = [answer_line(number) for number in (1, 2, 3)]


@pytest.fixture(autouse=True)
def _messages_arrive_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.advance, "delay", tasks.advance)


@pytest.fixture
def waiting(provider: Provider) -> ProviderBatch:
    """A provider batch that is sent next."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    return provider_batch


def run_ahead(clock: Clock) -> None:
    clock.advance(seconds=AHEAD.total_seconds())


def set_right(clock: Clock) -> None:
    clock.advance(seconds=-AHEAD.total_seconds())


def work(clock: Clock, length: timedelta) -> None:
    """Let ticks find what is due for this long, and workers do it.

    Ticks come every ten seconds; those that would find nothing are left out.
    """
    end = timezone.now() + length
    while timezone.now() < end:
        tasks.tick()
        idle_seconds = (min(_next_time(), end) - timezone.now()).total_seconds()
        clock.advance(seconds=max(10, 10 * math.ceil(idle_seconds / 10)))


def _next_time() -> datetime:
    """Return the earliest time at which a row may become due."""
    now = timezone.now()
    times = [now + timedelta(days=1)]
    for model in ROW_STATES:
        ahead = {
            name: Min(name, filter=Q(**{f"{name}__gt": now}))
            for name in ("next_check_at", "leased_until")
        }
        times += [time for time in model.objects.aggregate(**ahead).values() if time]
    return min(times)


def stay_cancelling(provider: Provider) -> None:
    """Let the only batch be cancelling for ever once the provider is told to cancel it."""
    (remote,) = provider.batches.values()

    def cancel(call: str, _: httpx.Request) -> httpx.Response | None:
        if not call.endswith("/cancel"):
            return None
        remote["status"] = "cancelling"
        return httpx.Response(200, json=remote)

    provider.after = cancel


def make_uploads_row() -> LeasedRow:
    return make_upload(is_checked=False)


def make_provider_batch() -> LeasedRow:
    return make_batch().provider_batches.get()


def make_settling_batch() -> LeasedRow:
    return make_batch(status=Batch.Status.SETTLING, next_check_at=timezone.now())


def make_key_poll() -> LeasedRow:
    batch = make_batch()
    KeyPoll.objects.poll_soon(batch.key)
    return batch.key.key_poll


def make_reading_table() -> LeasedRow:
    table = make_table()
    table_import.read_again(table, table.created_by, table.read_options)
    return table


def make_started_import() -> LeasedRow:
    return make_import(make_project())


every_kind_of_row = pytest.mark.parametrize(
    "make_row",
    [
        *(make_uploads_row, make_provider_batch, make_settling_batch),
        *(make_key_poll, make_reading_table, make_started_import),
    ],
)


@every_kind_of_row
def test_a_row_of_a_worker_that_died_with_its_clock_ahead_is_due_at_once(
    clock: Clock, make_row: Callable[[], LeasedRow]
) -> None:
    run_ahead(clock)
    row = make_row()
    rows = type(row).objects
    clock.advance(minutes=1)
    held = rows.claim(row.pk, row.status)
    assert held
    held.renew_lease(leases=MAX_LEASES)
    assert not rows.due(timezone.now()).exists()

    set_right(clock)

    assert rows.due(timezone.now()).get() == row
    assert rows.claim(row.pk, row.status, by=timezone.now())


@every_kind_of_row
def test_a_row_that_was_postponed_with_the_clock_ahead_is_due_at_once(
    clock: Clock, make_row: Callable[[], LeasedRow]
) -> None:
    run_ahead(clock)
    row = make_row()
    row.postpone(timedelta(minutes=5))
    assert not type(row).objects.due(timezone.now()).exists()

    set_right(clock)

    assert type(row).objects.due(timezone.now()).get() == row


def test_long_delays_that_are_meant_are_not_cut_short(clock: Clock) -> None:
    over, table, row = finish(make_batch()), make_table(), make_provider_batch()
    over.postpone(timedelta(days=1))
    row.postpone(timedelta(hours=1) * 1.3)  # the longest Retry-After, and jitter

    clock.advance(minutes=77)
    assert not ProviderBatch.objects.due(timezone.now()).exists()
    clock.advance(hours=22)
    assert not Batch.objects.due(timezone.now()).exists()
    clock.advance(days=6, minutes=-30)
    assert not SourceTable.objects.due(timezone.now()).exists()
    clock.advance(hours=2)
    assert SourceTable.objects.due(timezone.now()).get() == table


def test_a_delay_that_would_not_count_is_shortened(running: ProviderBatch) -> None:
    Connection.objects.update(poll_seconds=7200)
    running.batch.connection.refresh_from_db()

    running.postpone(timedelta(days=9))

    assert not ProviderBatch.objects.due(timezone.now()).exists()
    assert running.connection.key_poll_timeout <= MAX_DELAY


def test_no_lease_that_is_meant_is_too_long_to_count() -> None:
    assert max(submit.LEASES_PER_CALL, table_import.SILENT_LEASES) <= MAX_LEASES


def test_a_batch_that_began_with_the_clock_ahead_goes_on_at_once(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    work(clock, timedelta(minutes=2))
    assert ProviderBatch.objects.get().polled_at
    set_right(clock)
    provider.finish(ANSWERS)

    work(clock, timedelta(minutes=3))

    batch = Batch.objects.get()
    assert batch.status == Batch.Status.COMPLETED
    assert len(provider.batches) == len(provider.files) == 1
    assert batch.finished_at
    assert batch.created_at <= batch.finished_at <= timezone.now()


def test_a_batch_created_with_the_clock_ahead_and_a_lost_reply_is_found(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    provider.after = lose_reply(CREATE)
    advance(waiting)
    provider.after = lambda *_: None
    set_right(clock)

    work(clock, timedelta(minutes=2))

    assert ProviderBatch.objects.get().status == ProviderBatch.Status.RUNNING
    assert len(provider.batches) == 1


def test_a_create_that_never_arrived_is_repeated_after_the_grace_period_and_not_hours_later(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    provider.before = lose_reply(CREATE)
    advance(waiting)
    provider.before = lambda *_: None
    set_right(clock)
    grace = waiting.connection.create_grace

    work(clock, grace / 2)
    assert not provider.batches
    work(clock, grace)

    assert ProviderBatch.objects.get().status == ProviderBatch.Status.RUNNING
    assert len(provider.batches) == 1


def test_a_batch_that_is_older_than_its_order_seems_is_found_behind_many_others(
    provider: Provider, clock: Clock
) -> None:
    run_ahead(clock)
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    provider.after = lose_reply(CREATE)
    advance(provider_batch)
    provider.after = lambda *_: None
    set_right(clock)
    for batch in provider.batches.values():
        batch["created_at"] = int(time.time())
    for _ in range(101):
        provider.run(request_file(), created_at=int(time.time()))

    work(clock, timedelta(minutes=2))

    token = {"portal_submission": provider_batch.token}
    ours = [
        pk for pk, each in provider.batches.items() if token.items() <= each["metadata"].items()
    ]
    assert ours == [ProviderBatch.objects.get().remote_id]


def test_a_retry_in_place_with_the_clock_ahead_is_seen_to_end(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.finish(ANSWERS[:2], [error_line(3)])
    work(clock, timedelta(minutes=3))
    batch = Batch.objects.get()
    run_ahead(clock)
    assert retry_in_place.request_retry_in_place(batch, batch.created_by) == 1
    work(clock, timedelta(seconds=30))
    assert ProviderBatch.objects.get().status == ProviderBatch.Status.RUNNING
    set_right(clock)
    provider.finish(ANSWERS)

    work(clock, timedelta(minutes=5))

    batch.refresh_from_db()
    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)


def test_a_batch_that_ended_with_the_clock_ahead_is_followed_again(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    provider.finish(ANSWERS[:2], [error_line(3)])
    work(clock, timedelta(minutes=3))
    set_right(clock)
    next(iter(provider.batches.values()))["status"] = "in_progress"
    assert retry_in_place.follow_again(ProviderBatch.objects.get())

    provider.finish(ANSWERS)
    work(clock, timedelta(minutes=5))

    assert Batch.objects.get().succeeded == 3


def test_a_pause_that_was_asked_for_with_the_clock_ahead_is_sent_once(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    controls.request_pause(running.batch, running.batch.created_by)
    set_right(clock)
    provider.batches[running.remote_id]["in_progress_at"] = int(time.time())
    stay_cancelling(provider)

    work(clock, timedelta(minutes=10))

    assert provider.calls.count("POST /v1/batches/ID/cancel") == 1
    assert provider.calls.count("GET /v1/batches") > 2


def test_a_batch_stopped_with_the_clock_ahead_before_it_began_ends_soon(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    controls.request_cancel(running.batch, running.batch.created_by)
    stay_cancelling(provider)
    work(clock, timedelta(seconds=30))
    assert ProviderBatch.objects.get().cancel_sent_at
    set_right(clock)

    work(clock, timedelta(minutes=5))

    assert ProviderBatch.objects.get().status == ProviderBatch.Status.CANCELLED


def test_a_silent_provider_is_given_up_soon_after_the_clock_is_right(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    run_ahead(clock)
    work(clock, timedelta(minutes=2))
    controls.request_cancel(running.batch, running.batch.created_by)
    set_right(clock)
    provider.before = lambda *_: httpx.Response(503)

    work(clock, GIVE_UP_AFTER + timedelta(minutes=10))

    assert ProviderBatch.objects.get().status == ProviderBatch.Status.CANCELLED


def test_a_refusal_with_the_clock_ahead_is_waited_out_no_longer_than_others(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.before = lambda *_: httpx.Response(401)
    run_ahead(clock)
    work(clock, timedelta(minutes=5))
    assert ProviderBatch.objects.get().refused_since
    set_right(clock)

    work(clock, PATIENCE + timedelta(minutes=10))

    assert ProviderBatch.objects.needing_attention().exists()


def test_an_import_that_was_refused_with_the_clock_ahead_fails_no_later_than_others(
    provider: Provider, clock: Clock
) -> None:
    provider.before = lambda *_: httpx.Response(401)
    user = make_user()
    batch_import = make_import(make_project(user), user)
    ProviderKey.objects.update(last_used_at=timezone.now())  # the provider has accepted it before
    run_ahead(clock)
    work(clock, timedelta(minutes=5))
    batch_import.refresh_from_db()
    assert batch_import.refused_since
    set_right(clock)

    work(clock, PATIENCE + timedelta(minutes=10))

    batch_import.refresh_from_db()
    assert batch_import.status == BatchImport.Status.FAILED


def test_a_backoff_that_began_with_the_clock_ahead_is_over_and_the_next_one_grows(
    provider: Provider, running: ProviderBatch, clock: Clock
) -> None:
    provider.before = lambda *_: httpx.Response(503)
    run_ahead(clock)
    work(clock, timedelta(minutes=5))
    backing_off = Connection.objects.exclude(backoff_until=None)
    assert backing_off.update(backoff_until=timezone.now() + timedelta(minutes=5)) == 1
    set_right(clock)
    provider.calls.clear()

    work(clock, timedelta(minutes=1))
    assert provider.calls
    work(clock, timedelta(minutes=10))

    connection = Connection.objects.exclude(down_since=None).get()
    assert connection.down_since
    assert connection.backoff_until
    assert connection.down_since <= timezone.now() - timedelta(minutes=9)
    assert connection.backoff_until < timezone.now() + timedelta(minutes=6)


def test_a_batch_that_ended_with_the_clock_ahead_is_asked_about_ever_less_often(
    provider: Provider, clock: Clock
) -> None:
    run_ahead(clock)
    batch = finish(make_batch())
    assert batch.next_check_at
    set_right(clock)
    Batch.objects.update(next_check_at=timezone.now(), cancelled=1)

    work(clock, timedelta(minutes=40))

    batch.refresh_from_db()
    assert batch.finished_at
    assert batch.finished_at < timezone.now() - timedelta(minutes=39)
    assert provider.calls.count("GET /v1/batches/ID/analytics") < 8


def test_a_table_that_was_used_with_the_clock_far_ahead_is_kept_for_a_week(clock: Clock) -> None:
    clock.advance(days=30)
    table = make_table()
    clock.advance(days=-30)

    work(clock, timedelta(minutes=1))

    table.refresh_from_db()
    assert table.used_at <= timezone.now()
    assert table.next_check_at
    assert table.next_check_at <= timezone.now() + RETENTION
    assert not SourceTable.objects.due(timezone.now()).exists()


def test_a_clock_that_was_behind_makes_rows_due_and_nothing_is_created_twice(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    clock.advance(hours=-3)
    ProviderBatch.objects.update(next_check_at=timezone.now())
    provider.after = lose_reply(CREATE)
    provider_batch = ProviderBatch.objects.get()
    advance(provider_batch)
    provider.hidden = set(provider.batches)  # the provider's replica lags behind
    provider.after = lambda *_: None
    clock.advance(hours=3)
    work(clock, timedelta(seconds=20))
    provider.hidden = set()

    work(clock, timedelta(minutes=2))

    statuses = sorted(batch["status"] for batch in provider.batches.values())
    assert statuses in (["in_progress"], ["cancelled", "in_progress"])
    assert ProviderBatch.objects.get().status == ProviderBatch.Status.RUNNING
