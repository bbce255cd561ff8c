"""Owners choose who gets statements by e-mail, and readers answer without an account."""

import pytest
from django.conf import LazySettings
from django.test import Client

from batchapp.models import OutgoingEmail, Project, StatementRecipient, User
from tests.html import page_of
from tests.mail import links_in
from tests.make import OWNER, make_administrator, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOOKS = "books@accountants.test"


@pytest.fixture(autouse=True)
def mail_server(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "batchapp.services.mail.backend.OutboxBackend"
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}


@pytest.fixture
def acme(user: User) -> Project:
    return make_project(user, role=OWNER, name="Acme", slug="acme")


def test_the_reader_is_asked_confirms_and_unsubscribes_without_an_account(
    browser: Client, acme: Project
) -> None:
    url = "/projects/acme/statement-recipients/"
    assert browser.post(url, {"email": BOOKS}).status_code == 302
    (email,) = OutgoingEmail.objects.all()
    confirm, stop = links_in(email.text)
    stranger = Client(enforce_csrf_checks=True)

    assert "Acme" in stranger.get(confirm).content.decode()
    assert page_of(browser, url).one("tbody .pill").text == "Not confirmed yet"
    stranger.post(confirm)
    assert page_of(browser, url).one("tbody .pill").text == "Confirmed"
    assert "No more statements?" in stranger.get(stop).content.decode()
    stranger.post(stop)

    assert page_of(browser, url).one("tbody .pill").text == "Unsubscribed"
    assert "You get no statements" in stranger.get(confirm).content.decode()
    assert (
        page_of(browser, "/projects/acme/settings/")
        .one("#statements p")
        .text.endswith("They are mailed to 1 address.")
    )


def test_to_open_a_link_changes_nothing(browser: Client, acme: Project) -> None:
    browser.post("/projects/acme/statement-recipients/", {"email": BOOKS})

    for link in links_in(OutgoingEmail.objects.get().text):
        assert Client().get(link).status_code == 200

    assert StatementRecipient.objects.get().status == StatementRecipient.Status.ASKED


def test_an_address_is_removed_and_a_wrong_one_refused(browser: Client, acme: Project) -> None:
    url = "/projects/acme/statement-recipients/"
    assert "Enter a valid email address." in browser.post(url, {"email": "no"}).content.decode()
    browser.post(url, {"email": BOOKS})
    again = browser.post(url, {"email": BOOKS.upper()})
    assert "is in the list already" in again.content.decode()
    recipient = StatementRecipient.objects.get()

    browser.post(f"{url}{recipient.pk}/remove/")

    assert not StatementRecipient.objects.exists()
    assert OutgoingEmail.objects.count() == 1


def test_nobody_asks_many_strangers_in_an_hour(browser: Client, acme: Project) -> None:
    url = "/projects/acme/statement-recipients/"
    for number in range(20):
        browser.post(url, {"email": f"{number}@victim.test"})
        StatementRecipient.objects.all().delete()

    page = browser.post(url, {"email": "more@victim.test"}).content.decode()

    assert "Wait a while" in page
    assert OutgoingEmail.objects.count() == 20


def test_administrators_alone_choose_for_cost_centres(browser: Client, acme: Project) -> None:
    url = "/statements/recipients/"
    assert browser.get(url).status_code == 403
    assert browser.post(url, {"email": BOOKS, "cost_centre": "4711"}).status_code == 403
    administrator = Client()
    administrator.force_login(make_administrator())

    assert administrator.post(url, {"email": BOOKS, "cost_centre": ""}).status_code == 200
    assert administrator.post(url, {"email": BOOKS, "cost_centre": " 4711 "}).status_code == 302

    recipient = StatementRecipient.objects.get()
    assert recipient.cost_centre == "4711"
    assert browser.post(f"{url}{recipient.pk}/remove/").status_code == 403
    assert page_of(administrator, url).texts("tbody td")[1] == "4711"
    administrator.post(f"{url}{recipient.pk}/remove/")
    assert not StatementRecipient.objects.exists()


def test_the_address_of_another_project_is_not_found(browser: Client, acme: Project) -> None:
    other = make_project(make_user(), name="Other")
    theirs = StatementRecipient.objects.create(project=other, email=BOOKS)

    response = browser.post(f"/projects/acme/statement-recipients/{theirs.pk}/remove/")

    assert response.status_code == 404
    assert StatementRecipient.objects.exists()


def test_without_a_mail_server_the_page_says_so(
    browser: Client, acme: Project, settings: LazySettings
) -> None:
    settings.EMAIL_SERVER = {}

    page = browser.post("/projects/acme/statement-recipients/", {"email": BOOKS}).content.decode()

    assert "The portal has no mail server" in page
    assert not StatementRecipient.objects.exists()
