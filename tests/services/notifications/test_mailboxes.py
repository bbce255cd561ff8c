"""E-mails of notices: few as they are, many folded into one, and none lost or doubled."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection, transaction
from django.utils import timezone

from batchapp.models import (
    Batch,
    InboxItem,
    Mailbox,
    Membership,
    Notice,
    NoticeKind,
    OutgoingEmail,
    Project,
    StaleRow,
    User,
    WaitingEmail,
)
from batchapp.models.notifications.preferences import Channels
from batchapp.pipeline import notice_steps
from batchapp.services.mail import outbox
from batchapp.services.notifications import mailboxes, preferences
from batchapp.services.notifications.mailboxes import IDS_AT_ONCE, MAX_PER_HOUR
from tests.fixtures import Clock
from tests.mail import Letters, smtp_server
from tests.make import make_administrator, make_batch, make_user
from tests.notices import (
    ENDED,
    deliver,
    emails_to,
    let_out,
    record,
    record_end,
    write_emails,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail_server(settings: LazySettings) -> None:
    """A server that is named; what is sent there is up to each test."""
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}


@pytest.fixture
def letters(settings: LazySettings) -> Iterator[Letters]:
    with smtp_server() as (taken, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
        yield taken


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    batch = make_batch(project, user)
    Batch.objects.update(name="Reviews")
    batch.refresh_from_db()
    return batch


def test_an_e_mail_has_the_outcome_the_cost_and_the_link(batch: Batch, user: User) -> None:
    deliver(record_end(batch))

    (email,) = emails_to(user)
    assert email.subject == "Reviews is completed with errors (Support tickets)"
    assert "9,871 of 10,000 usable, 102 failed, 27 missing." in email.text
    assert "Cost $0.69, estimated $4.88." in email.text
    assert f"http://localhost:8000{batch.get_absolute_url()}" in email.text


def test_names_are_not_escaped_for_html_in_an_e_mail(batch: Batch, user: User) -> None:
    deliver(record_end(batch, name="R&D <reviews>\nBcc: all@example.com"))

    (email,) = emails_to(user)
    assert email.subject.startswith("R&D <reviews> Bcc: all@example.com is completed")


def test_an_e_mail_says_that_a_program_wrote_it_and_how_to_get_no_more(
    batch: Batch, letters: Letters
) -> None:
    deliver(record_end(batch))
    let_out()

    headers = letters.taken[0].content.decode().split("\r\n\r\n")[0].replace("\r\n ", "")
    assert "Auto-Submitted: auto-generated" in headers
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in headers
    assert "List-Unsubscribe: <http://localhost:8000/notifications/off/" in headers


def test_of_two_workers_with_the_same_notice_one_delivers_it(batch: Batch, user: User) -> None:
    slow = record_end(batch)
    deliver(Notice.objects.get())

    with pytest.raises(StaleRow):
        notice_steps.deliver_notice(slow)

    write_emails()
    assert len(emails_to(user)) == InboxItem.objects.count() == 1
    assert not WaitingEmail.objects.exists()


def test_a_worker_that_lost_its_mailbox_keeps_no_e_mail(batch: Batch, user: User) -> None:
    advance(record_end(batch))
    mailbox = Mailbox.objects.get()
    Mailbox.objects.update(leased_until=timezone.now())

    with pytest.raises(StaleRow):
        notice_steps.write_emails(mailbox)

    assert emails_to(user) == []
    assert WaitingEmail.objects.count() == 1


def test_what_is_delivered_while_a_worker_ends_its_step_is_not_forgotten(batch: Batch) -> None:
    advance(record_end(batch))
    mailbox = Mailbox.objects.get()
    result = mailboxes.plan(mailbox)
    second = record_end(batch)
    advance(second)

    mailboxes.finish(mailbox, result)
    assert Mailbox.objects.get().next_check_at is None
    mailboxes.make_due_again(mailbox)

    assert WaitingEmail.objects.get().notice == second
    due_at = Mailbox.objects.get().next_check_at
    assert due_at is not None
    assert due_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("woken")
@pytest.mark.parametrize("digest", ["at_once", "daily"])
def test_a_notice_that_comes_while_e_mails_are_planned_is_written_once(
    batch: Batch, user: User, digest: str
) -> None:
    """In PostgreSQL each query of a transaction sees what others committed before that query."""
    preferences.save_settings(user, digest=digest, quiet_below=0)
    advance(record_end(batch, name="Early"))
    late, began = record_end(batch, name="Late"), timezone.now()
    WaitingEmail.objects.update(due_at=began)
    Mailbox.objects.update(next_check_at=began)

    def deliver_late() -> None:
        try:
            with transaction.atomic():  # which began before the worker did, and commits now
                advance(late)
                WaitingEmail.objects.filter(notice=late).update(due_at=began)
        finally:
            connection.close()

    comes = threading.Thread(target=deliver_late)

    def after_the_first_query(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "waitingemail" in sql and comes.ident is None:
            comes.start()
            comes.join(1)  # on SQLite it waits until the letters are kept
        return result

    with connection.execute_wrapper(after_the_first_query):
        write_emails()
    comes.join()
    Mailbox.objects.update(next_check_at=timezone.now())
    write_emails()

    texts = [email.text for email in emails_to(user)]
    assert [sum(name in text for text in texts) for name in ("Early is", "Late is")] == [1, 1]
    assert not WaitingEmail.objects.exists()


def test_of_thousands_of_notices_a_daily_digest_is_one_e_mail(batch: Batch, user: User) -> None:
    number = 2 * IDS_AT_ONCE + 7
    mailbox = Mailbox.objects.create(person=user, next_check_at=timezone.now())
    notices = Notice.objects.bulk_create(
        Notice(
            kind=NoticeKind.BATCH_FINISHED,
            project=batch.project,
            batch=batch,
            data=ENDED | {"name": f"Run {n}"},
            status=Notice.Status.DELIVERED,
            next_check_at=None,
        )
        for n in range(number)
    )
    WaitingEmail.objects.bulk_create(
        WaitingEmail(mailbox=mailbox, notice=row, digest="daily", due_at=timezone.now())
        for row in notices
    )

    write_emails()
    write_emails()

    (email,) = emails_to(user)
    assert email.subject == "1,007 notices of the last day"
    assert f"Run {number - 1} is completed" in email.text
    assert "Run 0 is" not in email.text
    assert "And 957 more, which are in your inbox." in email.text
    assert not WaitingEmail.objects.exists()


def test_a_row_of_small_batches_ends_in_silence_for_who_wants_that(
    batch: Batch, user: User
) -> None:
    preferences.save_settings(user, digest="at_once", quiet_below=100)
    for _ in range(20):
        deliver(record_end(batch, requests=99))

    assert not InboxItem.objects.exists()
    assert not WaitingEmail.objects.exists()
    deliver(record_end(batch, requests=100))
    assert InboxItem.objects.count() == len(emails_to(user)) == 1


def test_above_ten_in_an_hour_the_rest_is_one_summary(
    batch: Batch, user: User, clock: Clock
) -> None:
    for _ in range(MAX_PER_HOUR + 3):
        deliver(record_end(batch))
    assert len(emails_to(user)) == MAX_PER_HOUR

    clock.advance(minutes=59)
    write_emails()
    assert len(emails_to(user)) == MAX_PER_HOUR
    clock.advance(minutes=2)
    write_emails()

    *_, summary = emails_to(user)
    assert len(emails_to(user)) == MAX_PER_HOUR + 1
    assert summary.subject == "3 notices of the last hour"
    assert "- Batch finished: 3" in summary.text
    assert not WaitingEmail.objects.exists()
    deliver(record_end(batch))
    assert emails_to(user)[-1].subject == "Reviews is completed with errors (Support tickets)"


def test_ten_thousand_notices_in_an_hour_are_eleven_e_mails(
    batch: Batch, user: User, clock: Clock
) -> None:
    Notice.objects.bulk_create(
        [
            Notice(
                kind=NoticeKind.BATCH_FINISHED,
                project=batch.project,
                batch=batch,
                data=dict(ENDED),
                status=Notice.Status.DELIVERED,
                next_check_at=None,
            )
            for _ in range(10_000)
        ]
    )
    mailbox = Mailbox.objects.create(person=user, next_check_at=timezone.now())
    WaitingEmail.objects.bulk_create(
        [
            WaitingEmail(mailbox=mailbox, notice=notice, digest="at_once", due_at=timezone.now())
            for notice in Notice.objects.all()
        ]
    )

    write_emails()
    clock.advance(minutes=61)
    write_emails()

    emails = emails_to(user)
    assert len(emails) == MAX_PER_HOUR + 1
    assert emails[-1].subject == "9,990 notices of the last hour"
    assert "And 9,940 more, which are in your inbox." in emails[-1].text
    assert len(emails[-1].text) < 20_000
    assert not WaitingEmail.objects.exists()


def test_a_daily_digest_is_one_e_mail_at_eight_of_the_clock_of_the_reader(
    batch: Batch, user: User
) -> None:
    User.objects.update(time_zone="Asia/Tokyo")
    preferences.save_settings(user, digest="daily", quiet_below=0)
    with time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False) as moment:
        deliver(record_end(batch), record_end(batch, state="completed"))
        assert emails_to(user) == []
        assert InboxItem.objects.count() == 2
        moment.move_to(datetime(2026, 11, 29, 22, 59, tzinfo=UTC))
        assert Mailbox.objects.get().next_check_at == datetime(2026, 11, 29, 23, tzinfo=UTC)

        moment.move_to(datetime(2026, 11, 29, 23, 1, tzinfo=UTC))
        write_emails()

    (email,) = emails_to(user)
    assert email.subject == "2 notices of the last day"
    assert "Reviews is completed (Support tickets)" in email.text


def test_nobody_is_told_by_e_mail_of_a_project_that_he_or_she_has_left(
    batch: Batch, user: User
) -> None:
    preferences.save_settings(user, digest="daily", quiet_below=0)
    deliver(record_end(batch))
    Membership.objects.all().delete()
    WaitingEmail.objects.update(due_at=timezone.now())
    Mailbox.objects.update(next_check_at=timezone.now())

    write_emails()

    assert emails_to(user) == []
    assert not WaitingEmail.objects.exists()


def test_a_person_who_is_deactivated_meanwhile_gets_nothing(batch: Batch, user: User) -> None:
    advance(record_end(batch))
    User.objects.update(is_active=False)

    write_emails()

    assert emails_to(user) == []
    assert not WaitingEmail.objects.exists()


def test_a_person_who_is_deleted_meanwhile_takes_the_e_mails_along(project: Project) -> None:
    guest = make_user("guest@example.com")
    notice = record(NoticeKind.INVITED, project, person=guest, inviter="Ada", role="editor")
    preferences.save_channels(guest, None, {NoticeKind.INVITED: Channels()})
    advance(notice)
    assert WaitingEmail.objects.count() == 1

    guest.delete()

    assert not WaitingEmail.objects.exists()
    assert not InboxItem.objects.exists()
    assert Notice.objects.get().person is None


def test_a_notice_of_a_deleted_person_still_ends(project: Project) -> None:
    guest = make_user("guest@example.com")
    notice = record(NoticeKind.INVITED, project, person=guest, inviter="Ada", role="editor")
    guest.delete()

    deliver(notice)

    assert not InboxItem.objects.exists()


def test_in_an_archived_project_people_are_told_how_batches_end(batch: Batch, user: User) -> None:
    Project.objects.update(archived_at=timezone.now())

    deliver(record_end(batch))

    assert len(emails_to(user)) == InboxItem.objects.count() == 1


def test_without_a_mail_server_no_e_mail_waits(
    batch: Batch, user: User, settings: LazySettings
) -> None:
    settings.EMAIL_SERVER = {}

    deliver(record_end(batch))

    assert emails_to(user) == []
    assert InboxItem.objects.count() == 1
    assert not Mailbox.objects.exists()


def test_a_mail_server_that_is_away_for_a_day_loses_and_doubles_nothing(
    project: Project, settings: LazySettings, clock: Clock
) -> None:
    people = [make_user() for _ in range(3)]
    batches = [make_batch(project, person) for person in people]
    deliver(*(record_end(batch) for batch in batches))
    assert OutgoingEmail.objects.count() == 3
    back_at = timezone.now() + timedelta(hours=24)
    while timezone.now() < back_at:
        let_out()
        waiting = list(OutgoingEmail.objects.exclude(next_attempt_at=None))
        assert [email.trouble for email in waiting] == ["unreachable"] * 3
        next_attempt = max(email.next_attempt_at for email in waiting if email.next_attempt_at)
        clock.advance(seconds=(next_attempt - timezone.now()).total_seconds() + 1)
    assert len(outbox.unsent(make_administrator())) == 3
    with smtp_server() as (taken, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}

        let_out()
        let_out()

    assert sorted(letter.rcpt_tos[0] for letter in taken.taken) == sorted(
        person.email for person in people
    )
    assert not OutgoingEmail.objects.exists()
