"""The page about e-mail: for administrators alone, with a test and what was not sent."""

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from batchapp.models import OutgoingEmail, User
from batchapp.services.mail import outbox
from tests.fixtures import Clock
from tests.html import page_of
from tests.mail import smtp_server
from tests.make import make_administrator

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(make_administrator("root@example.com"))
    return client


@pytest.fixture
def email(settings: LazySettings, user: User, client: Client) -> OutgoingEmail:
    """A link for a new password that could not be sent."""
    settings.EMAIL_BACKEND = "batchapp.services.mail.backend.OutboxBackend"
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}
    response = client.post("/password/reset/", {"email": user.email})
    assert response["Location"] == "/password/reset/sent/"  # as when it could be sent
    outbox.send_due()
    return OutgoingEmail.objects.get()


def test_what_was_not_sent_is_listed_without_its_link(
    email: OutgoingEmail, administrator: Client
) -> None:
    page = administrator.get("/administration/mail/").content.decode()

    assert "ada@example.com" in page
    assert "does not answer" in page
    assert "/password/reset/" not in page


def test_the_page_says_when_an_e_mail_is_tried_again_and_when_no_more(
    email: OutgoingEmail, administrator: Client, clock: Clock
) -> None:
    """The server is a port on which nobody listens, for the whole day and longer."""
    clock.stop()
    said = []
    while True:
        page = page_of(administrator, "/administration/mail/")
        said.append(page.one("ul.items").text)
        email.refresh_from_db()
        if email.next_attempt_at is None:
            break
        clock.advance(seconds=(email.next_attempt_at - timezone.now()).total_seconds())
        outbox.send_due()

    assert len(said) == 1 + len(outbox.WAITS)
    assert all("The mail server does not answer." in text for text in said)
    assert all("The next attempt is on " in text for text in said[:-1])
    kept_until = timezone.localtime(email.created_at + outbox.KEPT)
    until = f"{kept_until:%-d %B, %H:%M}"
    assert f"It is not tried again by itself, and kept until {until}." in said[-1]
    one = page_of(administrator, f"/administration/mail/{email.pk}/")
    assert f"kept until {until}." in one.text
    administrator.post("/administration/mail/", {"action": "again"})
    assert "The next attempt is on " in page_of(administrator, "/administration/mail/").text


def test_of_many_e_mails_the_newest_are_listed_and_all_are_counted(
    email: OutgoingEmail, administrator: Client, django_assert_max_num_queries
) -> None:
    OutgoingEmail.objects.bulk_create(
        OutgoingEmail(recipient=f"person{n}@example.com", subject="Told", trouble="unreachable")
        for n in range(1233)
    )

    with django_assert_max_num_queries(8):
        page = page_of(administrator, "/administration/mail/")

    assert len(page.all("ul.items li")) == outbox.SHOWN
    assert page.one("#more").text == "The newest 100 of 1,234"


def test_an_administrator_can_pass_the_link_on(
    email: OutgoingEmail, administrator: Client
) -> None:
    page = administrator.get(f"/administration/mail/{email.pk}/").content.decode()

    assert "/password/reset/" in page
    assert "is recorded" in " ".join(page.split())


@pytest.mark.parametrize("path", ["/administration/mail/", "/administration/mail/{pk}/"])
def test_nobody_else_sees_any_of_it(email: OutgoingEmail, browser: Client, path: str) -> None:
    response = browser.get(path.format(pk=email.pk))

    assert response.status_code == 403
    assert "/password/reset/" not in response.content.decode()


def test_an_e_mail_that_was_sent_meanwhile_is_not_found(
    email: OutgoingEmail, administrator: Client
) -> None:
    email.delete()

    assert administrator.get(f"/administration/mail/{email.pk}/").status_code == 404


def test_the_test_says_what_the_server_answers(
    administrator: Client, settings: LazySettings
) -> None:
    with smtp_server() as (letters, port):
        settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": port, "timeout": 5}
        good = administrator.post("/administration/mail/", {"action": "test"}, follow=True)
        letters.answer = "550 No such person here"
        bad = administrator.post("/administration/mail/", {"action": "test"}, follow=True)

    assert "took the test for root@example.com" in good.content.decode()
    assert "refuses the recipient" in bad.content.decode()
    assert "No such person here" in bad.content.decode()


def test_without_a_server_the_page_says_so(administrator: Client, settings: LazySettings) -> None:
    settings.EMAIL_SERVER = {}

    page = administrator.post("/administration/mail/", {"action": "test"}, follow=True)

    assert "No mail server is set" in page.content.decode()


def test_all_are_tried_again(email: OutgoingEmail, administrator: Client) -> None:
    administrator.post("/administration/mail/", {"action": "again"})

    assert outbox.is_due()
