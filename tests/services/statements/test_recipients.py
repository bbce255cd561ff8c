"""Statements are mailed to addresses without an account: once confirmed, and once a month."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    OutgoingEmail,
    Project,
    StatementRecipient,
    User,
)
from batchapp.pipeline import statement_mail_steps
from batchapp.presenters.audit_text import audit_text
from batchapp.services.archive import project_deletion
from batchapp.services.mail import outbox
from batchapp.services.statements import recipients
from tests.direct import DirectRequests
from tests.mail import smtp_server
from tests.make import OWNER, make_administrator, make_project, make_user
from tests.statements import PaidBatches, at, close_due_months, settle_again, utc
from tests.steps import Killed, advance, die

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

Status = StatementRecipient.Status
BOOKS = "books@accountants.test"
CLOSED = utc(2026, 2, 5)  # January is closed then


@pytest.fixture(autouse=True)
def mail_server(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "batchapp.services.mail.backend.OutboxBackend"
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}


@pytest.fixture
def owner() -> User:
    return make_user(first_name="Ada", last_name="Owner", email="ada@acme.test")


@pytest.fixture
def acme(owner: User) -> Project:
    return make_project(owner, role=OWNER, name="Acme", slug="acme")


@pytest.fixture
def paid(acme: Project) -> PaidBatches:
    return PaidBatches(acme)


def confirmed(project: Project | None, user: User, email: str = BOOKS, **fields: Any) -> Any:
    with at(utc(2026, 1, 2)):
        recipient = recipients.add(project, user, email, **fields)
        assert recipients.confirm(recipient)
    return recipient


def mail_due() -> list[OutgoingEmail]:
    """Do as workers do until no address is due, and return the e-mails, the oldest first."""
    for _ in range(50):
        row = StatementRecipient.objects.due(timezone.now()).order_by("email").first()
        if row is None:
            return list(OutgoingEmail.objects.order_by("created_at", "recipient"))
        advance(row)
    raise AssertionError("an address is always due")


def close_and_mail(moment: Any = CLOSED) -> list[OutgoingEmail]:
    with at(moment):
        close_due_months()
        return mail_due()


def rows_of(email: OutgoingEmail) -> list[dict[str, str]]:
    (file,) = email.attachments.all()
    assert file.content.startswith("\N{BYTE ORDER MARK}")
    return list(csv.DictReader(io.StringIO(file.content[1:])))


def test_the_e_mail_has_the_figures_and_a_csv_that_adds_up_to_them(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10), "1.5", name="Reviews", cost_centre="4711")
    paid.make(utc(2026, 1, 11), "2.25", name="Titles", model="other-model")

    (email,) = close_and_mail()

    assert email.recipient == BOOKS
    assert email.subject == "Statement of Acme, January 2026"
    assert "Sum: $3.75\n" in email.text
    assert "closed on 5 February 2026" in email.text
    assert "other-model: $2.25 (1 batch)" in email.text
    assert "  4711: $1.50 (1 batch)\n" in email.text
    assert "because Ada Owner (ada@acme.test) entered your address" in email.text
    (file,) = email.attachments.all()
    assert (file.name, file.content_type) == ("statement-acme-2026-01.csv", "text/csv")
    assert [row["name"] for row in rows_of(email)] == ["Reviews", "Titles"]
    assert sum(float(row["cost_usd"]) for row in rows_of(email)) == 3.75


def test_the_only_link_unsubscribes(acme: Project, owner: User, paid: PaidBatches) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))

    (email,) = close_and_mail()

    links = [word for word in email.text.split() if "://" in word and word.count("/") > 2]
    assert len(links) == 1
    assert email.headers["List-Unsubscribe"] == f"<{links[0]}>"
    recipient = recipients.stopped_by(links[0].rstrip("/").rpartition("/")[2])
    assert recipient
    assert recipients.stop(recipient)
    paid.make(utc(2026, 2, 10))
    assert len(close_and_mail(utc(2026, 3, 5))) == 1
    assert StatementRecipient.objects.get().status == Status.STOPPED


def test_nothing_is_mailed_before_the_address_is_confirmed(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    recipients.add(acme, owner, BOOKS)
    paid.make(utc(2026, 1, 10))

    assert close_and_mail() == []


def test_an_address_that_is_confirmed_late_gets_only_what_is_closed_later(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    paid.make(utc(2026, 1, 10))
    with at(CLOSED):
        close_due_months()
        recipients.confirm(recipients.add(acme, owner, BOOKS))
    paid.make(utc(2026, 2, 10), "7")

    (email,) = close_and_mail(utc(2026, 3, 5))

    assert email.subject == "Statement of Acme, February 2026"


def test_each_month_is_mailed_once_however_often_workers_run(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    recipient = confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))
    paid.make(utc(2026, 2, 10))
    close_and_mail(utc(2026, 3, 5))

    StatementRecipient.objects.update(next_check_at=timezone.now())
    with at(utc(2026, 3, 6)):
        emails = mail_due()

    assert sorted(email.subject for email in emails) == [
        "Statement of Acme, February 2026",
        "Statement of Acme, January 2026",
    ]
    recipient.refresh_from_db()
    assert recipient.next_check_at is None


def test_a_worker_that_dies_while_it_writes_keeps_no_half_and_no_second_e_mail(
    acme: Project, owner: User, paid: PaidBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))
    with monkeypatch.context() as dying:
        dying.setattr(recipients, "record_mailed", die)
        with pytest.raises(Killed):
            close_and_mail()
    assert not OutgoingEmail.objects.exists()
    StatementRecipient.objects.update(leased_until=None)

    with at(CLOSED):
        assert len(mail_due()) == 1


def test_a_reader_who_unsubscribes_while_a_worker_writes_gets_nothing(
    acme: Project, owner: User, paid: PaidBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))
    real = statement_mail_steps._csv

    def stopping(part: Any) -> str:
        recipients.stop(recipient)
        return real(part)

    monkeypatch.setattr(statement_mail_steps, "_csv", stopping)

    assert close_and_mail() == []


def test_a_month_without_a_cost_has_no_e_mail(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    other = make_project(make_user(), name="Other")
    confirmed(acme, owner)
    PaidBatches(other).make(utc(2026, 1, 10))

    assert close_and_mail() == []
    assert StatementRecipient.objects.get().mailed_until.isoformat() == "2026-01-01"


def test_a_cost_centre_gets_its_lines_of_all_projects_and_no_others(
    acme: Project, paid: PaidBatches
) -> None:
    administrator = make_administrator()
    other = make_project(make_user(), name="Zeta")
    confirmed(None, administrator, cost_centre="4711")
    paid.make(utc(2026, 1, 10), "1", cost_centre="4711", name="Ours")
    paid.make(utc(2026, 1, 11), "10", cost_centre="4712", name="Not ours")
    PaidBatches(other).make(utc(2026, 1, 12), "2", cost_centre="4711", name="Theirs")

    (email,) = close_and_mail()

    assert email.subject == "Statement of 4711, January 2026"
    assert "Sum: $3.00\n" in email.text
    assert "By project\n  Zeta: $2.00 (1 batch)\n  Acme: $1.00 (1 batch)\n" in email.text
    assert [row["name"] for row in rows_of(email)] == ["Ours", "Theirs"]


def test_an_adjustment_and_an_unknown_cost_are_named(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    confirmed(acme, owner)
    cost = paid.make(utc(2026, 1, 10), "5")
    close_and_mail()
    settle_again(cost, utc(2026, 2, 3), "4")
    paid.make(utc(2026, 2, 10), None)

    email = close_and_mail(utc(2026, 3, 5))[-1]

    assert "Sum: at least -$1.00\nOf it, adjustments of earlier statements: -$1.00" in email.text
    assert "1 line without a price: the sum is a minimum." in email.text


def test_single_requests_stand_beside_the_sum_and_in_all(acme: Project, owner: User) -> None:
    confirmed(acme, owner)
    PaidBatches(acme).make(utc(2026, 1, 10), "5")
    DirectRequests(acme, owner).make(utc(2026, 1, 11), "0.25")

    (email,) = close_and_mail()

    assert "Sum: $5.00\n" in email.text
    assert "Single requests: 1 request, $0.25. Batches and single requests in all: $5.25." in (
        email.text
    )


def test_names_write_no_lines_and_no_formulas(
    acme: Project, owner: User, paid: PaidBatches
) -> None:
    Project.objects.filter(pk=acme.pk).update(name="Acme\r\nBcc: eve@evil.test")
    confirmed(Project.objects.get(pk=acme.pk), owner)
    name = "=cmd()\nSum: $0.00\N{RIGHT-TO-LEFT OVERRIDE}"
    paid.make(utc(2026, 1, 10), "9", name=name, model="\N{ZERO WIDTH SPACE}m\nSum: $0.00")

    (email,) = close_and_mail()

    assert email.subject == "Statement of Acme Bcc: eve@evil.test, January 2026"
    assert [line for line in email.text.splitlines() if line.startswith("Sum:")] == ["Sum: $9.00"]
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in email.text
    (row,) = rows_of(email)
    assert row["name"] == f"'{name}"


def test_more_lines_than_an_e_mail_takes_are_left_out_and_that_is_said(
    acme: Project, owner: User, paid: PaidBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_mail_steps, "MAX_ATTACHED", 100)
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))

    (email,) = close_and_mail()

    assert not email.attachments.exists()
    assert "too many for an e-mail. Ask Ada Owner (ada@acme.test) for the CSV." in email.text


def test_a_mail_server_takes_the_text_with_the_file(
    acme: Project, owner: User, paid: PaidBatches, settings: LazySettings
) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10), "1.5", name="Grüße")
    close_and_mail()

    with smtp_server() as (letters, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
        with at(CLOSED):
            outbox.send_due()

    message = letters.message()
    assert message["Auto-Submitted"] == "auto-generated"
    text, file = message.get_payload()
    assert "Sum: $1.50" in text.get_payload(decode=True).decode()
    assert file.get_filename() == "statement-acme-2026-01.csv"
    assert "Grüße" in file.get_payload(decode=True).decode("utf-8-sig")
    assert not OutgoingEmail.objects.exists()


@pytest.mark.parametrize("why", ["deleted", "no server", "long past"])
def test_nothing_is_mailed_of_a_deleted_project_without_a_server_or_long_past(
    acme: Project, owner: User, paid: PaidBatches, settings: LazySettings, why: str
) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))
    if why == "deleted":
        paid.first.delete()
        with at(utc(2026, 1, 20)):
            project_deletion.delete_project(acme, owner)
    if why == "no server":
        settings.EMAIL_SERVER = {}

    assert close_and_mail(utc(2026, 9, 1) if why == "long past" else CLOSED) == []


def test_a_tick_wakes_the_workers_for_addresses(
    acme: Project, owner: User, paid: PaidBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed(acme, owner)
    paid.make(utc(2026, 1, 10))
    monkeypatch.setattr(tasks.advance, "delay", tasks.advance)
    with at(CLOSED):
        close_due_months()
        tasks.tick()

    assert OutgoingEmail.objects.filter(recipient=BOOKS).count() == 1


class TestTheList:
    def test_takes_ten_addresses_and_each_once(self, acme: Project, owner: User) -> None:
        for number in range(recipients.MAX_RECIPIENTS - 1):
            recipients.add(acme, owner, f"{number}@acme.test")
        recipients.add(acme, owner, " Books@Acme.test ")

        with pytest.raises(Refused) as full:
            recipients.add(acme, owner, "one-more@acme.test")
        StatementRecipient.objects.first().delete()
        with pytest.raises(Refused) as twice:
            recipients.add(acme, owner, "books@acme.test")

        assert full.value.code == Refusal.RECIPIENTS_TOO_MANY
        assert twice.value.code == Refusal.RECIPIENT_EXISTS

    def test_takes_none_without_a_mail_server(
        self, acme: Project, owner: User, settings: LazySettings
    ) -> None:
        settings.EMAIL_SERVER = {}

        with pytest.raises(Refused) as refused:
            recipients.add(acme, owner, BOOKS)

        assert refused.value.code == Refusal.RECIPIENTS_NEED_MAIL_SERVER

    def test_is_in_the_audit_from_the_first_to_the_last_e_mail(
        self, acme: Project, owner: User, paid: PaidBatches
    ) -> None:
        recipient = confirmed(acme, owner)
        paid.make(utc(2026, 1, 10))
        close_and_mail()
        recipients.stop(recipient)
        recipients.remove(recipient, owner)

        events = AuditEvent.objects.filter(kind__startswith="statement_").order_by("pk")

        assert [audit_text(event) for event in events] == [
            f"Asked {BOOKS} to confirm that the statement is mailed there each month.",
            f"The reader of {BOOKS} confirmed to get the statement each month.",
            f"Mailed the statement for January 2026 to {BOOKS}.",
            f"The reader of {BOOKS} unsubscribed from the statement.",
            f"Removed {BOOKS} from those who get the statement each month.",
        ]
        assert {event.project for event in events} == {acme}
        assert [event.actor_email for event in events] == [owner.email, "", "", "", owner.email]


class TestALink:
    @pytest.fixture
    def recipient(self, acme: Project, owner: User) -> Iterator[StatementRecipient]:
        with at(utc(2026, 1, 2)):
            yield recipients.add(acme, owner, BOOKS)

    def test_confirms_once_and_within_a_week(self, recipient: StatementRecipient) -> None:
        token = recipients.confirm_token(recipient)
        with at(utc(2026, 1, 9, 1)):
            assert recipients.asked_by(token) is None
        with at(utc(2026, 1, 8)):
            assert recipients.asked_by(token) == recipient
            assert recipients.confirm(recipient)
            assert not recipients.confirm(recipient)

    def test_to_unsubscribe_never_ends_and_wins(self, recipient: StatementRecipient) -> None:
        confirm, stop = recipients.confirm_token(recipient), recipients.stop_token(recipient)
        with at(utc(2028, 1, 1)):
            found = recipients.stopped_by(stop)
            assert found
            assert recipients.stop(found)
            assert not recipients.stop(found)
        asked = recipients.asked_by(confirm)
        assert asked
        assert not recipients.confirm(asked)

    def test_does_one_thing_alone_and_nothing_once_the_address_is_removed(
        self, recipient: StatementRecipient, owner: User
    ) -> None:
        confirm, stop = recipients.confirm_token(recipient), recipients.stop_token(recipient)

        assert recipients.asked_by(stop) is None
        assert recipients.stopped_by(confirm) is None
        recipients.remove(recipient, owner)
        assert recipients.asked_by(confirm) is recipients.stopped_by(stop) is None
        assert AuditEvent.objects.filter(kind=AuditKind.STATEMENT_RECIPIENT_REMOVED).count() == 1
