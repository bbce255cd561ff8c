"""What is sent to endpoints that take it, refuse it, are slow, or are not there."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import HTTPServer
from itertools import chain, repeat
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from batchapp import tasks
from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.domain.webhooks.retries import MAX_ATTEMPTS
from batchapp.domain.webhooks.signature import new_secret
from batchapp.models import (
    Notice,
    NoticeKind,
    StaleRow,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.models.webhooks.webhook_endpoint import LONGEST_REST
from batchapp.outbound.sender import Sender
from batchapp.providers import network
from batchapp.services.webhooks import deliver, endpoints, messages
from tests.fixtures import Clock
from tests.make import OWNER, join, make_project, make_user
from tests.outbound.receiver import Receiver, answering, receiving
from tests.steps import Killed, advance, die
from tests.webhook_rows import (
    attempts_of,
    code_of_guide,
    fail_until_given_up,
    hours_later,
    make_endpoint,
    notify,
    send,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_receivers", "woken")]

Status, Reason = WebhookEndpoint.Status, WebhookEndpoint.Reason
Sent = WebhookMessage.Status


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def endpoint(receiver: Receiver) -> WebhookEndpoint:
    return make_endpoint(address=receiver.url)


def test_a_message_is_signed_and_the_official_library_accepts_it(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    (message,) = notify(endpoint)

    send(endpoint)

    ((headers, body),) = receiver.received
    (secret,) = endpoint.secrets_at(timezone.now())
    assert Webhook(secret).verify(body, headers)["type"] == "key.refused"
    assert headers["webhook-id"] == message.public_id
    message.refresh_from_db()
    (attempt,) = attempts_of(message)
    assert (message.status, message.next_attempt_at) == (Sent.DELIVERED, None)
    assert (attempt.status, attempt.error, attempt.answer) == (200, "", "ok")


def test_while_a_secret_is_rotated_both_secrets_sign_and_afterwards_the_new_one_alone(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    (old,) = endpoint.secrets_at(timezone.now())
    owner = join(make_user(), endpoint.project, OWNER)
    current = endpoints.state_of_secret(endpoint)
    new = endpoints.rotate_secret(endpoint, owner, hours=24, current=current).secret

    notify(endpoint)
    send(endpoint)
    WebhookEndpoint.objects.update(rotation_ends_at=timezone.now())
    notify(endpoint)
    send(endpoint)

    (during, body), (after, _) = receiver.received
    assert Webhook(new).verify(body, during) == Webhook(old).verify(body, during)
    assert len(during["webhook-signature"].split(" ")) == 2
    assert len(after["webhook-signature"].split(" ")) == 1


def test_an_old_secret_is_deleted_when_it_signs_nothing_any_more(
    endpoint: WebhookEndpoint,
) -> None:
    owner = join(make_user(), endpoint.project, OWNER)
    current = endpoints.state_of_secret(endpoint)
    endpoints.rotate_secret(endpoint, owner, hours=1, current=current)
    WebhookEndpoint.objects.update(rotation_ends_at=timezone.now())

    send(endpoint)

    assert endpoint.sealed_old_secret == ""
    assert endpoint.rotation_ends_at is None
    assert endpoint.sealed_secret


def test_a_message_that_was_refused_comes_again_with_the_same_id_and_body(
    endpoint: WebhookEndpoint, receiver: Receiver, clock: Clock
) -> None:
    clock.stop()
    receiver.statuses = [500]
    (message,) = notify(endpoint)

    send(endpoint)
    message.refresh_from_db()
    waits = message.next_attempt_at
    hours_later(message)
    send(endpoint)

    assert waits is not None
    assert timedelta(seconds=5) < waits - timezone.now() < timedelta(seconds=15)
    (first, first_body), (second, second_body) = receiver.received
    assert first["webhook-id"] == second["webhook-id"] == message.public_id
    assert first_body == second_body
    message.refresh_from_db()
    assert message.status == Sent.DELIVERED
    assert [attempt.status for attempt in attempts_of(message)] == [500, 200]
    assert endpoint.failures == 0


def test_a_message_is_given_up_after_its_last_attempt_and_the_endpoint_stays_active(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 503, b"down"
    (message,) = notify(endpoint)

    for _ in range(MAX_ATTEMPTS + 3):
        hours_later(message)
        send(endpoint)

    message.refresh_from_db()
    assert len(receiver.received) == len(attempts_of(message)) == MAX_ATTEMPTS
    assert (message.status, message.next_attempt_at) == (Sent.FAILED, None)
    assert {attempt.error for attempt in attempts_of(message)} == {AttemptError.REFUSED}
    assert {attempt.answer for attempt in attempts_of(message)} == {"down"}
    assert endpoint.is_active


def test_a_receiver_that_says_gone_gets_nothing_more_and_people_are_told(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 410
    waiting = notify(endpoint, 3)

    send(endpoint)
    send(endpoint)

    assert len(receiver.received) == 1
    assert (endpoint.status, endpoint.disabled_reason) == (Status.DISABLED, Reason.GONE)
    assert endpoint.disabled_at is not None
    states = {WebhookMessage.objects.get(pk=message.pk).status for message in waiting}
    assert states == {Sent.FAILED}
    notice = Notice.objects.get(kind=NoticeKind.WEBHOOK_DISABLED)
    assert notice.project == endpoint.project
    assert notice.data["name"] == endpoint.name
    assert notice.data["reason"] == "gone"


def test_an_endpoint_that_fails_for_days_is_disabled_once(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    notify(endpoint, 2)
    fail_until_given_up(endpoint)

    send(endpoint)
    send(endpoint)

    assert (endpoint.status, endpoint.disabled_reason) == (Status.DISABLED, Reason.FAILING)
    assert Notice.objects.filter(kind=NoticeKind.WEBHOOK_DISABLED).count() == 1
    assert len(receiver.received) == 1


def test_a_success_in_between_begins_the_count_of_failures_anew(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    notify(endpoint)
    fail_until_given_up(endpoint)

    send(endpoint)

    assert (endpoint.failures, endpoint.failing_since) == (0, None)
    assert endpoint.delivered_at is not None


def test_an_endpoint_that_was_disabled_gets_what_happens_after_it_is_enabled(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.statuses = [410]
    owner = join(make_user(), endpoint.project, OWNER)
    notify(endpoint)
    send(endpoint)
    missed = notify(endpoint)

    endpoints.enable(endpoint, owner)
    notify(endpoint)
    send(endpoint)

    assert missed == []
    assert len(receiver.received) == 2
    assert endpoint.is_active


def test_a_failing_endpoint_is_left_alone_for_longer_and_longer(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    notify(endpoint, 30)
    pauses = []

    for _ in range(14):
        send(endpoint)
        assert endpoint.next_check_at
        left = (endpoint.next_check_at - timezone.now()).total_seconds()
        pauses.append(round(left, -1))  # the machine of the test may be busy

    assert len(receiver.received) == 14  # one attempt in each step, of a message each
    assert WebhookAttempt.objects.values("message").distinct().count() == 14
    assert pauses == sorted(pauses)
    assert 3000 < pauses[-1] <= 3600


def test_a_receiver_that_asks_for_a_wait_gets_no_other_message_meanwhile(
    endpoint: WebhookEndpoint, receiver: Receiver, clock: Clock
) -> None:
    receiver.statuses, receiver.headers = [429], {"Retry-After": "600"}
    waiting = notify(endpoint, 4)

    send(endpoint)
    notify(endpoint)
    endpoint.refresh_from_db()
    pause = (endpoint.next_check_at or timezone.now()) - timezone.now()
    clock.advance(seconds=580)
    advance(endpoint)
    meanwhile = len(receiver.received)
    clock.advance(seconds=30)
    advance(endpoint)

    assert timedelta(seconds=580) < pause <= timedelta(seconds=600)
    assert meanwhile == 1
    assert len(receiver.received) == 6
    assert not endpoint.messages.exclude(status=Sent.DELIVERED).exists()
    assert attempts_of(waiting[0])[0].status == 429


def test_a_person_who_tests_an_endpoint_waits_for_no_receiver(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.statuses, receiver.headers = [503], {"Retry-After": "3600"}
    notify(endpoint)
    send(endpoint)

    messages.send_test(endpoint, join(make_user(), endpoint.project, OWNER), "{}")
    advance(endpoint)

    assert len(receiver.received) == 2


@pytest.mark.parametrize("asked", ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_of_years_is_one_of_an_hour_for_the_endpoint_and_of_two_for_the_message(
    endpoint: WebhookEndpoint, receiver: Receiver, asked: str
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": asked}
    (message,) = notify(endpoint)
    began = timezone.now()

    send(endpoint)

    message.refresh_from_db()
    assert endpoint.next_check_at
    assert message.next_attempt_at
    assert timedelta(minutes=59) < endpoint.next_check_at - began < timedelta(minutes=61)
    assert timedelta(minutes=119) < message.next_attempt_at - began < timedelta(minutes=121)


def test_a_wait_that_no_calendar_has_is_an_attempt_that_failed_and_nothing_more(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    """An error here would send the message again and again, with no attempt in the log."""
    receiver.status = 429
    receiver.headers = {"Retry-After": "Mon, 01 Jan 99999999999999 00:00:00 GMT"}
    (message,) = notify(endpoint)

    send(endpoint)

    message.refresh_from_db()
    assert (message.attempts, message.status) == (1, Sent.WAITING)
    assert attempts_of(message)[0].status == 429
    assert (endpoint.claims, endpoint.leased_until) == (0, None)


def test_a_notice_wakes_no_endpoint_that_failed_before_its_pause_is_over(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 6
    notify(endpoint)
    for _ in range(6):
        hours_later(endpoint.messages.get())
        send(endpoint)
    pause = endpoint.next_check_at

    notify(endpoint)

    endpoint.refresh_from_db()
    assert endpoint.next_check_at == pause


def test_a_notice_wakes_an_endpoint_that_rests(endpoint: WebhookEndpoint) -> None:
    send(endpoint)
    assert endpoint.next_check_at
    assert endpoint.next_check_at > timezone.now() + timedelta(minutes=50)

    notify(endpoint)

    endpoint.refresh_from_db()
    assert endpoint.next_check_at <= timezone.now()


def test_a_notice_shortens_no_pause_after_a_step_and_is_sent_after_it(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    """Notices that come one after another would otherwise keep a worker busy without a pause."""
    rest = timezone.now() + LONGEST_REST
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(next_check_at=rest)

    notify(endpoint)

    endpoint.refresh_from_db()
    assert endpoint.next_check_at == rest
    assert timedelta(seconds=deliver.STEP_SECONDS + deliver.ATTEMPT_SECONDS) <= LONGEST_REST
    send(endpoint)
    assert len(receiver.received) == 1


def test_a_notice_in_the_middle_of_a_step_is_not_overlooked(
    endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wake-up of a row that a worker has is overwritten when the worker gives it back."""
    send(endpoint)
    postpone = WebhookEndpoint.postpone

    def with_a_notice_before(row: WebhookEndpoint, delay: timedelta, **fields: object) -> None:
        notify(row)
        postpone(row, delay, **fields)

    with monkeypatch.context() as busy:
        busy.setattr(WebhookEndpoint, "postpone", with_a_notice_before)
        send(endpoint)

    endpoint.refresh_from_db()
    assert endpoint.next_check_at
    assert endpoint.next_check_at <= timezone.now()


def test_a_test_of_a_failing_endpoint_is_sent_at_once_and_first(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    notify(endpoint, 3)
    for _ in range(3):
        send(endpoint)
    owner = join(make_user(), endpoint.project, OWNER)
    notify(endpoint, 3)

    message = messages.send_test(endpoint, owner, "{}")
    endpoint.refresh_from_db()
    is_due = endpoint.next_check_at is not None and endpoint.next_check_at <= timezone.now()
    advance(endpoint)

    assert is_due
    assert receiver.received[-1][0]["webhook-id"] == message.public_id


def test_a_worker_that_dies_after_the_receiver_took_a_message_sends_it_again_with_its_id(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = notify(endpoint)

    with monkeypatch.context() as dying:
        dying.setattr(WebhookAttempt.objects, "create", die)
        with pytest.raises(Killed):
            send(endpoint)
    WebhookEndpoint.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    send(endpoint)

    assert [headers["webhook-id"] for headers, _ in receiver.received] == [message.public_id] * 2
    message.refresh_from_db()
    assert message.status == Sent.DELIVERED
    assert len(attempts_of(message)) == 1


def test_one_worker_alone_sends_to_an_endpoint(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    notify(endpoint)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        leased_until=timezone.now() + timedelta(seconds=30), next_check_at=timezone.now()
    )

    advance(endpoint)

    assert receiver.received == []


def test_an_endpoint_waits_for_its_turn_while_another_one_is_sent_to(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    other = make_endpoint()
    WebhookEndpoint.objects.filter(pk=other.pk).update(
        leased_until=timezone.now() + timedelta(seconds=30)
    )
    notify(endpoint)
    began = timezone.now()

    send(endpoint)
    waits, ended = endpoint.next_check_at, timezone.now()
    WebhookEndpoint.objects.filter(pk=other.pk).update(leased_until=None)
    send(endpoint)

    assert waits is not None
    assert began < waits < ended + timedelta(seconds=3)
    assert len(receiver.received) == 1


def test_a_step_stops_after_some_seconds_and_then_rests_as_long_as_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(connection: object) -> None:
        time.sleep(0.2)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]

    monkeypatch.setattr(deliver, "STEP_SECONDS", 0.3)
    with answering(slow) as url:
        endpoint = make_endpoint(address=url)
        waiting = notify(endpoint, 10)
        began = timezone.now()
        send(endpoint)

    delivered = endpoint.messages.filter(status=Sent.DELIVERED).count()
    assert 1 <= delivered < len(waiting)
    assert endpoint.next_check_at
    assert endpoint.next_check_at - began > 2 * timedelta(seconds=0.2)


def test_a_step_sends_no_more_than_its_share(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "MESSAGES_PER_STEP", 3)
    notify(endpoint, 5)

    send(endpoint)

    assert len(receiver.received) == 3
    assert receiver.connections == 1


def test_a_secret_that_cannot_be_decrypted_sends_nothing_and_is_told_in_the_log(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    (message,) = notify(endpoint)
    WebhookEndpoint.objects.update(sealed_secret="gAAAAA-of-a-lost-key")

    send(endpoint)

    assert receiver.received == []
    (attempt,) = attempts_of(message)
    assert attempt.error == AttemptError.UNREADABLE


@pytest.mark.parametrize("action", ["disable", "delete"])
def test_a_person_who_stops_an_endpoint_in_the_middle_of_an_attempt_is_obeyed(
    endpoint: WebhookEndpoint,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    owner = join(make_user(), endpoint.project, OWNER)
    notify(endpoint, 3)
    post = Sender.post

    def and_stop(sender: Sender, *arguments: object) -> object:
        outcome = post(sender, *arguments)  # type: ignore[arg-type]
        getattr(endpoints, action)(WebhookEndpoint.objects.get(pk=endpoint.pk), owner)
        return outcome

    monkeypatch.setattr(Sender, "post", and_stop)
    WebhookEndpoint.objects.update(next_check_at=timezone.now())
    advance(endpoint)

    assert len(receiver.received) == 1
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if action == "delete":
        assert not rows.exists()
        assert not WebhookMessage.objects.exists()
    else:
        assert rows.get().status == Status.DISABLED
        states = list(WebhookMessage.objects.order_by("status").values_list("status", flat=True))
        assert states == [Sent.DELIVERED, Sent.FAILED, Sent.FAILED]
        assert WebhookMessage.objects.get(status=Sent.DELIVERED).attempt_rows.count() == 1


def test_old_messages_are_deleted_and_those_that_wait_are_not(endpoint: WebhookEndpoint) -> None:
    old = timezone.now() - timedelta(days=31)
    delivered, waiting, new = notify(endpoint, 3)
    rows = WebhookMessage.objects
    over = {"status": Sent.DELIVERED, "next_attempt_at": None}
    rows.filter(pk=delivered.pk).update(**over, created_at=old)
    later = timezone.now() + timedelta(hours=1)
    rows.filter(pk=waiting.pk).update(created_at=old, next_attempt_at=later)
    rows.filter(pk=new.pk).update(**over)

    send(endpoint)

    assert set(rows.values_list("pk", flat=True)) == {waiting.pk, new.pk}


def test_chat_programs_get_no_signature_and_their_own_format(receiver: Receiver) -> None:
    project = make_project()
    slack = make_endpoint(project, address=receiver.url, format=WebhookEndpoint.Format.SLACK)
    teams = make_endpoint(project, address=receiver.url, format=WebhookEndpoint.Format.TEAMS)
    notify(slack)

    send(slack)
    send(teams)

    (headers, body), (_, card) = receiver.received
    assert "webhook-signature" not in headers
    assert json.loads(body)["text"].startswith("*Triage is over*\n9 of 10 usable\n<https://")
    assert json.loads(card)["attachments"][0]["content"]["type"] == "AdaptiveCard"


def test_a_dead_endpoint_costs_one_attempt_and_the_others_get_all_their_messages(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Ticks with the messages of one endpoint that never answers, and of two that do."""
    clock.stop()
    passed = [0]

    def never_end(connection: socket.socket) -> None:
        for byte in chain(b"HTTP/1.1 200 OK\r\nX-Long: ", repeat(ord("x"))):
            passed[0] += 1
            connection.sendall(bytes([byte]))

    monkeypatch.setattr(network, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    monkeypatch.setattr(tasks.advance, "delay", tasks.advance)
    with answering(never_end) as dead, receiving() as good, receiving() as better:
        project = make_project()
        rows = [make_endpoint(project, address=url) for url in (dead, good.url, better.url)]
        notify(rows[0], 20)
        WebhookEndpoint.objects.filter(pk=rows[0].pk).update(failures=4)
        for _ in range(3):
            WebhookEndpoint.objects.exclude(pk=rows[0].pk).update(next_check_at=timezone.now())
            tasks.tick()

    assert len(good.received) == len(better.received) == 20
    assert WebhookAttempt.objects.filter(error=AttemptError.TOO_SLOW).count() <= 1


def test_a_worker_that_lost_its_lease_writes_nothing(endpoint: WebhookEndpoint) -> None:
    claimed = WebhookEndpoint.objects.claim(endpoint.pk, Status.ACTIVE)
    assert claimed
    notify(endpoint)
    WebhookEndpoint.objects.update(leased_until=timezone.now() + 2 * settings.LEASE)

    with pytest.raises(StaleRow):
        deliver.deliver_due(claimed)

    assert WebhookAttempt.objects.count() == 0


def test_the_receiver_of_the_guide_takes_genuine_messages_alone(
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", endpoint.secrets_at(timezone.now())[0])
    example: dict[str, Any] = {"__name__": "example"}
    exec(code_of_guide("python"), example)  # our own guide
    example["Receiver"].log_message = lambda *_: None
    first, second = notify(endpoint, 2)

    with HTTPServer(("127.0.0.1", 0), example["Receiver"]) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        endpoint.address = f"http://127.0.0.1:{server.server_port}/"
        endpoint.save()
        send(endpoint)
        WebhookMessage.objects.filter(pk=first.pk).update(
            status=Sent.WAITING, next_attempt_at=timezone.now()
        )
        send(endpoint)
        endpoint.set_secret(new_secret())
        endpoint.save()
        WebhookMessage.objects.filter(pk=second.pk).update(
            status=Sent.WAITING, next_attempt_at=timezone.now()
        )
        send(endpoint)
        server.shutdown()

    assert [attempt.status for attempt in attempts_of(first)] == [204, 204]
    assert [attempt.status for attempt in attempts_of(second)] == [204, 401]
    assert capsys.readouterr().out.splitlines() == ["key.refused "] * 2
