"""How a connection fares, by what its rows say."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Connection, KeyPoll, ProviderBatch, ProviderKey
from batchapp.services.health.connection_health import ConnectionHealth, health_of
from tests.make import make_batch, make_connection, make_key, make_project, set_state

pytestmark = pytest.mark.django_db


def health(connection: Connection) -> ConnectionHealth:
    connection.refresh_from_db()
    return health_of([connection])[connection.pk]


def test_a_new_connection_has_no_trouble() -> None:
    facts = health(make_connection())

    assert not facts.has_trouble
    assert (facts.last_answer_at, facts.poll_lag, facts.keys) == (None, None, 0)


def test_a_poll_that_is_overdue_is_a_lag() -> None:
    key = make_key(make_project())
    now = timezone.now()
    KeyPoll.objects.create(key=key, next_check_at=now - timedelta(minutes=10))

    facts = health(key.connection)

    assert facts.poll_lag
    assert timedelta(minutes=10) <= facts.poll_lag < timedelta(minutes=11)
    assert facts.has_trouble
    KeyPoll.objects.update(next_check_at=now + timedelta(seconds=20))
    assert health(key.connection).poll_lag is None


def test_keys_that_cannot_be_used_are_counted() -> None:
    project = make_project()
    key, refused = make_key(project), make_key(project)
    ProviderKey.objects.filter(pk=refused.pk).update(is_refused=True)
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())

    before = health(project.connection)
    Connection.objects.update(base_url="https://elsewhere.test")
    after = health(project.connection)

    assert (before.keys, before.refused_keys, before.moved_keys) == (2, 1, 0)
    assert before.last_answer_at
    assert after.moved_keys == 2


def test_batches_that_wait_are_told_from_those_that_need_a_person() -> None:
    connection = make_connection()
    waiting, stuck = (make_batch(make_project(connection=connection)) for _ in range(2))
    no_answer = Problem(ProblemCode.NO_ANSWER, {"connection": "Acme", "error": "no"})
    set_state(waiting, problem=no_answer)
    set_state(stuck, problem=no_answer, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    make_batch()  # of another connection

    facts = health(connection)

    assert (facts.waiting, facts.stuck) == (1, 1)


def test_a_backoff_of_a_clock_that_ran_ahead_is_none() -> None:
    now = timezone.now()
    connection = make_connection(failures=3, backoff_until=now + timedelta(minutes=1))

    assert health(connection).is_backing_off
    Connection.objects.update(backoff_until=now + timedelta(days=3))
    assert not health(connection).is_backing_off
