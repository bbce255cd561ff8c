"""Tests of endpoints, and messages that people send again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, User, WebhookEndpoint, WebhookMessage
from batchapp.services.webhooks import endpoints, messages
from tests.make import OWNER, make_project, make_user
from tests.webhook_rows import make_endpoint, notify

pytestmark = pytest.mark.django_db

Status = WebhookMessage.Status


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def endpoint(owner: User) -> WebhookEndpoint:
    return make_endpoint(make_project(owner, role=OWNER), owner)


def give_up(*rows: WebhookMessage) -> None:
    WebhookMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
        status=Status.FAILED, attempts=8, next_attempt_at=None
    )


def test_a_test_is_due_at_once_and_a_second_one_waits_for_the_first(
    endpoint: WebhookEndpoint, owner: User
) -> None:
    WebhookEndpoint.objects.update(
        failures=9, next_check_at=timezone.now() + timedelta(minutes=50)
    )

    message = messages.send_test(endpoint, owner, "{}")
    with pytest.raises(Refused) as refused:
        messages.send_test(endpoint, owner, "{}")

    assert refused.value.code == Refusal.WEBHOOK_TEST_WAITS
    assert message.requested_by == owner
    endpoint.refresh_from_db()
    assert endpoint.next_check_at is not None
    assert endpoint.next_check_at <= timezone.now()


def test_a_message_that_was_given_up_is_sent_again_with_its_id(
    endpoint: WebhookEndpoint, owner: User
) -> None:
    (message,) = notify(endpoint)
    give_up(message)
    message.refresh_from_db()

    assert messages.replay(message, owner)

    again = WebhookMessage.objects.get()
    assert again.pk == message.pk
    assert (again.status, again.attempts, again.is_urgent) == (Status.WAITING, 0, True)
    assert again.requested_by == owner


def test_a_message_that_is_due_is_not_replayed_since_a_worker_may_be_sending_it(
    endpoint: WebhookEndpoint, owner: User
) -> None:
    (message,) = notify(endpoint)

    assert not messages.replay(message, owner)
    assert not AuditEvent.objects.filter(kind=AuditKind.WEBHOOK_REPLAYED).exists()


def test_a_message_that_waits_for_hours_may_be_sent_now(
    endpoint: WebhookEndpoint, owner: User
) -> None:
    (message,) = notify(endpoint)
    later = timezone.now() + timedelta(hours=5)
    WebhookMessage.objects.update(attempts=4, next_attempt_at=later)

    assert messages.replay(message, owner)

    message.refresh_from_db()
    assert message.next_attempt_at is not None
    assert message.next_attempt_at <= timezone.now()


def test_all_failed_messages_are_replayed_together_and_no_other(
    endpoint: WebhookEndpoint, owner: User
) -> None:
    first, second, delivered = notify(endpoint, 3)
    (foreign,) = notify(make_endpoint())
    give_up(first, second, foreign)
    WebhookMessage.objects.filter(pk=delivered.pk).update(
        status=Status.DELIVERED, next_attempt_at=None
    )

    replayed = messages.replay_failed(endpoint, owner)

    assert replayed == 2
    states = {row.pk: row.status for row in WebhookMessage.objects.all()}
    assert states[first.pk] == states[second.pk] == Status.WAITING
    assert states[delivered.pk] == Status.DELIVERED
    assert states[foreign.pk] == Status.FAILED
    assert AuditEvent.objects.get(kind=AuditKind.WEBHOOK_REPLAYED).data["messages"] == 2
    assert messages.replay_failed(endpoint, owner) == 0


def test_nothing_is_sent_to_a_disabled_endpoint(endpoint: WebhookEndpoint, owner: User) -> None:
    (message,) = notify(endpoint)
    endpoints.disable(endpoint, owner)
    message.refresh_from_db()

    for call in (
        lambda: messages.send_test(endpoint, owner, "{}"),
        lambda: messages.replay(message, owner),
        lambda: messages.replay_failed(endpoint, owner),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == Refusal.WEBHOOK_DISABLED
