"""E-mails are kept until a real SMTP server took them, and tell nobody else when it does not."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.mail import send_mail
from django.utils import timezone

from batchapp import tasks
from batchapp.models import AuditEvent, OutgoingEmail, User
from batchapp.services.mail import outbox
from batchapp.services.mail.outbox import NotSent, Trouble
from tests.fixtures import Clock
from tests.mail import Letters, hanging_up, smtp_server
from tests.make import make_administrator
from tests.processes.portal import free_port

pytestmark = pytest.mark.django_db

SECRET = "https://portal.test/password/reset/1-secret/"


@pytest.fixture(autouse=True)
def own_backend(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "batchapp.services.mail.backend.OutboxBackend"


@pytest.fixture
def letters(settings: LazySettings) -> Iterator[Letters]:
    with smtp_server() as (taken, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
        yield taken


@pytest.fixture
def nobody_listens(settings: LazySettings) -> None:
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}


def write(recipient: str = "ada@example.com") -> None:
    send_mail("A new password", f"Open {SECRET}", None, [recipient])


def test_an_e_mail_is_sent_by_a_worker_and_then_forgotten(letters: Letters) -> None:
    write()
    assert letters.taken == []
    assert outbox.is_due()

    outbox.send_due()

    assert letters.taken[0].rcpt_tos == ["ada@example.com"]
    assert SECRET in letters.text()
    assert not OutgoingEmail.objects.exists()


def test_a_tick_wakes_a_worker_for_what_is_due(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.send_emails, "delay", tasks.send_emails)
    tasks.tick()
    write()

    tasks.tick()

    assert len(letters.taken) == 1


def test_the_text_is_not_readable_in_the_database(letters: Letters) -> None:
    write()

    row = str(OutgoingEmail.objects.values().get())

    assert "secret" not in row
    assert SECRET in OutgoingEmail.objects.get().text


def test_a_server_that_is_away_is_asked_again_later_and_then_given_up(
    nobody_listens: None, clock: Clock
) -> None:
    write()
    for _ in range(len(outbox.WAITS)):
        outbox.send_due()
        email = OutgoingEmail.objects.get()
        assert email.trouble == Trouble.UNREACHABLE
        assert email.next_attempt_at is not None
        assert email.next_attempt_at > timezone.now()
        clock.advance(seconds=(email.next_attempt_at - timezone.now()).total_seconds() + 1)

    outbox.send_due()

    assert OutgoingEmail.objects.get().next_attempt_at is None
    assert not outbox.is_due()


def test_a_silent_server_is_asked_for_one_e_mail_and_gets_all_when_it_is_back(
    settings: LazySettings, clock: Clock
) -> None:
    people = [f"person{n}@example.com" for n in range(3)]
    with hanging_up() as (calls, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 20}
        for person in people:
            write(person)
        outbox.send_due()
        write("late@example.com")
        assert not outbox.is_due()
        clock.advance(minutes=1, seconds=1)
        outbox.send_due()
    assert calls == [1, 1]
    assert list(OutgoingEmail.objects.values_list("trouble", "attempts").order_by("attempts")) == [
        *[("unreachable", 1)],
        *[("unreachable", 2)] * 3,
    ]
    with smtp_server() as (taken, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 20}
        clock.advance(minutes=1, seconds=1)

        outbox.send_due()
        outbox.send_due()

    got = [letter.rcpt_tos[0] for letter in taken.taken]
    assert sorted(got) == ["late@example.com", *people]
    assert not OutgoingEmail.objects.exists()


def test_while_a_worker_waits_for_the_server_no_other_worker_is_woken(letters: Letters) -> None:
    write()
    write("late@example.com")
    under_way = OutgoingEmail.objects.get(recipient="ada@example.com")

    under_way.claim(timezone.now())

    assert not outbox.is_due()
    assert outbox.try_again(make_administrator()) == 1
    under_way.refresh_from_db()
    assert under_way.next_attempt_at == under_way.claimed_until
    OutgoingEmail.objects.update(claimed_until=timezone.now())  # the worker died
    assert outbox.is_due()


def test_a_recipient_that_is_refused_for_good_is_not_tried_again(letters: Letters) -> None:
    letters.answer = "550 No such person here"
    write()

    outbox.send_due()

    email = OutgoingEmail.objects.get()
    assert (email.trouble, email.server_said) == (
        Trouble.RECIPIENT_REFUSED,
        "No such person here",
    )
    assert email.next_attempt_at is None


def test_an_address_that_cannot_be_written_holds_up_no_other_e_mail(letters: Letters) -> None:
    """The name of its host is longer than a name may be; no server is asked for it."""
    write("ada@" + "\u00e4" * 70 + ".example")
    write("grace@example.com")

    outbox.send_due()

    assert [letter.rcpt_tos for letter in letters.taken] == [["grace@example.com"]]
    email = OutgoingEmail.objects.get()
    assert (email.trouble, email.next_attempt_at) == (Trouble.RECIPIENT_REFUSED, None)


def test_ten_hours_of_e_mails_for_a_closed_port_all_arrive_once_and_cost_one_call_a_minute(
    settings: LazySettings, clock: Clock
) -> None:
    clock.stop()
    port = free_port()
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
    people = [f"person{n}@example.com" for n in range(120)]
    runs = 0
    for number, person in enumerate(people):
        write(person)
        for _ in range(5 if number % 10 == 0 else 1):
            clock.advance(minutes=1)
            while outbox.is_due():
                outbox.send_due()
                runs += 1
    clock.advance(hours=10)
    while outbox.is_due():
        outbox.send_due()
        runs += 1
    assert OutgoingEmail.objects.exclude(next_attempt_at=None).count() == len(people)

    with smtp_server() as (taken, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
        clock.advance(hours=12)
        while outbox.is_due():
            outbox.send_due()

    assert sorted(letter.rcpt_tos[0] for letter in taken.taken) == sorted(people)
    assert not OutgoingEmail.objects.exists()
    assert runs < 250


def test_a_recipient_that_is_refused_for_now_is_tried_again(letters: Letters) -> None:
    letters.answer = "451 Try again later"
    write()

    outbox.send_due()

    assert OutgoingEmail.objects.get().next_attempt_at is not None


def test_two_workers_send_an_e_mail_once(letters: Letters) -> None:
    write()
    ours, theirs = OutgoingEmail.objects.get(), OutgoingEmail.objects.get()

    assert ours.claim(timezone.now())
    assert not theirs.claim(timezone.now())


def test_without_a_server_the_text_is_in_the_log_and_waits_for_an_administrator(
    settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_SERVER = {}
    with caplog.at_level(logging.INFO, "batchapp.services.mail.outbox"):
        write()

    assert SECRET in caplog.text
    assert not outbox.is_due()
    assert outbox.unsent(make_administrator())[0].trouble == Trouble.NO_SERVER


def test_with_a_server_the_log_never_has_the_text(
    nobody_listens: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        write()
        outbox.send_due()

    assert "was not sent" in caplog.text
    assert "secret" not in caplog.text


def test_after_a_week_an_e_mail_is_forgotten(nobody_listens: None) -> None:
    write()
    OutgoingEmail.objects.update(created_at=timezone.now() - outbox.KEPT - timedelta(minutes=1))

    outbox.send_due()

    assert not OutgoingEmail.objects.exists()


def test_who_reads_an_e_mail_is_recorded(nobody_listens: None) -> None:
    write()
    administrator = make_administrator()

    email = outbox.read(administrator, OutgoingEmail.objects.get().pk)

    event = AuditEvent.objects.get()
    assert SECRET in email.text
    assert (event.actor, event.kind) == (administrator, "email_read")
    assert "secret" not in str(event.data)


def test_all_can_be_tried_again_at_once(letters: Letters) -> None:
    letters.answer = "550 No"
    write()
    outbox.send_due()
    letters.answer = ""

    assert outbox.try_again(make_administrator()) == 1
    outbox.send_due()

    assert len(letters.taken) == 1


def test_a_test_goes_to_the_administrator_at_once(letters: Letters) -> None:
    administrator = make_administrator()

    outbox.send_test(administrator)

    assert letters.taken[0].rcpt_tos == [administrator.email]


def test_a_test_says_what_is_wrong(nobody_listens: None, user: User) -> None:
    with pytest.raises(NotSent, match="refused") as raised:
        outbox.send_test(make_administrator())

    assert raised.value.trouble == Trouble.UNREACHABLE


def test_a_server_without_tls_is_not_trusted_with_a_password(
    letters: Letters, settings: LazySettings
) -> None:
    settings.EMAIL_SERVER = settings.EMAIL_SERVER | {"use_tls": True}

    with pytest.raises(NotSent, match="STARTTLS"):
        outbox.send_test(make_administrator())
