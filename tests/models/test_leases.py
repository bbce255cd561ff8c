"""One row, one worker: the lease is lock, heartbeat and fencing token."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from batchapp.models import Part, StaleRow
from tests.make import make_batch, set_part

RACERS = 8


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_exactly_one_gets_the_row() -> None:
    part = Part.objects.get(batch=make_batch())
    start, wins = threading.Barrier(RACERS), []

    def race() -> None:
        try:
            start.wait()
            wins.append(Part.objects.claim(part.pk, Part.Status.PREPARING))
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
class TestALease:
    @pytest.fixture
    def part(self) -> Part:
        return Part.objects.get(batch=make_batch())

    def test_it_keeps_others_out_until_it_runs_out(self, part: Part) -> None:
        assert Part.objects.claim(part.pk, part.status)
        assert Part.objects.claim(part.pk, part.status) is None

        set_part(part.batch, leased_until=timezone.now() - timedelta(seconds=1))
        assert Part.objects.claim(part.pk, part.status)

    def test_a_worker_that_outlived_it_writes_nothing(self, part: Part) -> None:
        slow = Part.objects.claim(part.pk, part.status)
        assert slow
        set_part(part.batch, leased_until=timezone.now() - timedelta(seconds=1))
        successor = Part.objects.claim(part.pk, part.status)
        assert successor

        with pytest.raises(StaleRow):
            slow.renew()
        with pytest.raises(StaleRow):
            slow.move_to(Part.Status.WAITING)

        successor.move_to(Part.Status.WAITING)
        assert Part.objects.get(pk=part.pk).status == Part.Status.WAITING

    def test_renewing_moves_its_end(self, part: Part) -> None:
        held = Part.objects.claim(part.pk, part.status)
        assert held
        assert held.leased_until
        before = held.leased_until

        held.renew()

        assert before < held.leased_until <= timezone.now() + settings.LEASE

    def test_a_forbidden_transition_is_a_bug(self, part: Part) -> None:
        with pytest.raises(ValueError, match="preparing -> done"):
            part.move_to(Part.Status.DONE)

    def test_what_waits_for_a_person_is_never_due(self, part: Part) -> None:
        part.move_to(Part.Status.NEEDS_ATTENTION)

        assert part.next_check_at is None
        assert not Part.objects.due(timezone.now() + timedelta(days=999)).exists()

    def test_what_was_postponed_is_due_later(self, part: Part) -> None:
        part.postpone(timedelta(minutes=5))

        assert not Part.objects.due(timezone.now()).exists()
        assert Part.objects.due(timezone.now() + timedelta(minutes=6)).exists()
