"""One row, one worker: the lease is lock, heartbeat and fencing token."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from batchapp.models import ProviderBatch, StaleRow
from tests.make import make_batch, set_state

RACERS = 8


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_exactly_one_gets_the_row() -> None:
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    start, wins = threading.Barrier(RACERS), []

    def race() -> None:
        try:
            start.wait()
            wins.append(
                ProviderBatch.objects.claim(provider_batch.pk, ProviderBatch.Status.PREPARING)
            )
        finally:
            connection.close()

    racers = [threading.Thread(target=race) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert len(wins) == RACERS
    assert len([win for win in wins if win]) == 1


@pytest.mark.django_db
def test_due_rows_are_found_without_reading_the_rows_that_have_no_time() -> None:
    # A tick asks every few seconds. With few rows, PostgreSQL reads the table whatever is asked.
    plan = ProviderBatch.objects.due(timezone.now()).order_by("next_check_at").explain()

    assert "SCAN " not in plan  # as SQLite calls the reading of a whole index or table


@pytest.mark.django_db
class TestALease:
    @pytest.fixture
    def provider_batch(self) -> ProviderBatch:
        return ProviderBatch.objects.get(batch=make_batch())

    def test_it_keeps_others_out_until_it_runs_out(self, provider_batch: ProviderBatch) -> None:
        assert ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status)
        assert ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status) is None

        set_state(provider_batch.batch, leased_until=timezone.now() - timedelta(seconds=1))
        assert ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status)

    def test_a_worker_that_outlived_it_writes_nothing(self, provider_batch: ProviderBatch) -> None:
        slow = ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status)
        assert slow
        set_state(provider_batch.batch, leased_until=timezone.now() - timedelta(seconds=1))
        successor = ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status)
        assert successor

        with pytest.raises(StaleRow):
            slow.renew_lease()
        with pytest.raises(StaleRow):
            slow.move_to(ProviderBatch.Status.WAITING)

        successor.move_to(ProviderBatch.Status.WAITING)
        assert (
            ProviderBatch.objects.get(pk=provider_batch.pk).status == ProviderBatch.Status.WAITING
        )

    def test_renewing_moves_its_end(self, provider_batch: ProviderBatch) -> None:
        held = ProviderBatch.objects.claim(provider_batch.pk, provider_batch.status)
        assert held
        assert held.leased_until
        before = held.leased_until

        held.renew_lease()

        assert before < held.leased_until <= timezone.now() + settings.LEASE

    def test_a_forbidden_transition_is_a_bug(self, provider_batch: ProviderBatch) -> None:
        with pytest.raises(ValueError, match="preparing -> done"):
            provider_batch.move_to(ProviderBatch.Status.DONE)

    def test_what_waits_for_a_person_is_never_due(self, provider_batch: ProviderBatch) -> None:
        provider_batch.park(ProviderBatch.Parked.NEEDS_ATTENTION)

        assert provider_batch.next_check_at is None
        assert not ProviderBatch.objects.due(timezone.now() + timedelta(days=999)).exists()

    def test_what_was_postponed_is_due_later(self, provider_batch: ProviderBatch) -> None:
        provider_batch.postpone(timedelta(minutes=5))

        assert not ProviderBatch.objects.due(timezone.now()).exists()
        assert ProviderBatch.objects.due(timezone.now() + timedelta(minutes=6)).exists()
