"""The log of a webhook, tests, and messages that are sent again."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import (
    NoticeKind,
    Project,
    User,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.services.webhooks import fan_out
from batchapp.views.webhooks import webhook_messages
from tests.html import Page
from tests.make import OWNER, make_batch, make_project
from tests.outbound.receiver import Receiver, receiving
from tests.webhook_rows import TEXT, make_endpoint, make_notice, notify, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken", "local_receivers")]

Status = WebhookMessage.Status


@pytest.fixture
def project(user: User) -> Project:
    return make_project(user, role=OWNER, slug="support")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def endpoint(project: Project, user: User, receiver: Receiver) -> WebhookEndpoint:
    return make_endpoint(project, user, name="Nightly", address=receiver.url)


def log_of(endpoint: WebhookEndpoint) -> str:
    return reverse("webhook_detail", args=[endpoint.pk])


def test_a_test_is_sent_at_once_and_its_page_shows_what_came_of_it(
    browser: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.body = b"received, thanks"

    page = browser.post(reverse("webhook_test", args=[endpoint.pk]), follow=True)
    before = page.content.decode()
    send(endpoint)
    after = browser.get(page.redirect_chain[-1][0]).content.decode()

    assert "No attempt was made yet" in before
    assert 'hx-trigger="every 2s"' in before
    assert "received, thanks" in after
    assert "Status 200" in after
    assert 'hx-trigger="every 2s"' not in after
    ((_, body),) = receiver.received
    assert json.loads(body)["type"] == "webhook.test"


def test_a_second_test_waits_for_the_first(browser: Client, endpoint: WebhookEndpoint) -> None:
    url = reverse("webhook_test", args=[endpoint.pk])

    browser.post(url)
    page = browser.post(url, follow=True)

    assert "on its way already" in page.content.decode()
    assert endpoint.messages.count() == 1


def test_a_failed_attempt_says_why_with_the_status_and_the_answer(
    browser: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 500, b"<b>database is down</b>"
    (message,) = notify(endpoint)
    send(endpoint)

    page = browser.get(reverse("webhook_message_detail", args=[message.pk])).content.decode()

    assert "Status 500" in page
    assert "did not take the message" in page
    assert "&lt;b&gt;database is down&lt;/b&gt;" in page
    assert "Attempt 2 of 8 waits" in page
    assert message.public_id in page


def test_the_log_is_filtered_by_state(browser: Client, endpoint: WebhookEndpoint) -> None:
    waiting, failed, delivered = notify(endpoint, 3)
    over = {"next_attempt_at": None}
    WebhookMessage.objects.filter(pk=failed.pk).update(status=Status.FAILED, **over)
    WebhookMessage.objects.filter(pk=delivered.pk).update(status=Status.DELIVERED, **over)

    def shown(state: str) -> set[str]:
        page = browser.get(log_of(endpoint), {"state": state}).content.decode()
        rows = (waiting, failed, delivered)
        return {row.status for row in rows if str(row.pk) in page}

    for row in (waiting, failed, delivered):
        row.refresh_from_db()
    assert shown("waiting") == {"waiting"}
    assert shown("failed") == {"failed"}
    assert shown("") == shown("nonsense") == {"waiting", "failed", "delivered"}


def test_an_empty_filter_is_told_from_an_empty_log(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    assert "Nothing was sent yet" in browser.get(log_of(endpoint)).content.decode()
    notify(endpoint)
    page = browser.get(log_of(endpoint), {"state": "failed"}).content.decode()
    assert "No message is in this state" in page


def test_the_log_has_pages_and_takes_as_many_queries_for_many_messages_as_for_one(
    browser: Client,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(webhook_messages, "PAGE_SIZE", 5)
    batch = make_batch(endpoint.project)
    for _ in range(12):
        notice = make_notice(endpoint.project, NoticeKind.BATCH_LATE, batch=batch)
        fan_out.fan_out(notice, lambda _: TEXT)

    with django_assert_max_num_queries(12):
        first = browser.get(log_of(endpoint)).content.decode()
    last = browser.get(log_of(endpoint), {"page": "3"}).content.decode()

    assert first.count("Batch is late</a>") == 5
    assert last.count("Batch is late</a>") == 2
    assert "Next" in first
    assert batch.name in first


def test_a_message_that_failed_is_sent_again(browser: Client, endpoint: WebhookEndpoint) -> None:
    (message,) = notify(endpoint)
    WebhookMessage.objects.update(status=Status.FAILED, next_attempt_at=None, attempts=8)

    browser.post(reverse("webhook_message_replay", args=[message.pk]))
    send(endpoint)

    message.refresh_from_db()
    assert message.status == Status.DELIVERED


def test_all_failed_messages_are_sent_again_after_a_confirmation_with_their_number(
    browser: Client, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    notify(endpoint, 3)
    WebhookMessage.objects.update(status=Status.FAILED, next_attempt_at=None, attempts=8)
    url = reverse("webhook_replay", args=[endpoint.pk])

    asked = browser.get(url)
    done = browser.post(url, follow=True)
    send(endpoint)
    none_left = browser.get(url)

    assert "Send 3 messages again?" in Page(asked).text
    assert "3 messages are sent again." in done.content.decode()
    assert len(receiver.received) == 3
    assert "No message has failed" in none_left.content.decode()


def test_what_is_off_is_not_replayed_and_says_so(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    (message,) = notify(endpoint)
    WebhookEndpoint.objects.update(status="disabled", disabled_reason="person", next_check_at=None)

    for name, pk in [
        ("webhook_test", endpoint.pk),
        ("webhook_replay", endpoint.pk),
        ("webhook_message_replay", message.pk),
    ]:
        page = browser.post(reverse(name, args=[pk]), follow=True)
        assert "Enable it first" in page.content.decode()


def test_a_message_that_waits_is_shown_with_the_time_of_its_next_attempt(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    (message,) = notify(endpoint)
    later = timezone.now() + timedelta(hours=2)
    WebhookMessage.objects.update(attempts=4, next_attempt_at=later)
    WebhookAttempt.objects.create(
        message=message, at=timezone.now(), milliseconds=10_000, error="too_slow"
    )

    text = Page(browser.get(reverse("webhook_message_detail", args=[message.pk]))).text

    assert "The next attempt is due" in text
    assert "within 10 seconds" in text
    assert "Send now" in text
