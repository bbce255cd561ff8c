"""The links of e-mails: programs open them before people do, and people click twice."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client

from batchapp.models import CacheEntry, NoticeKind, Project, StatementRecipient, User
from batchapp.services.notifications import email_links
from batchapp.services.people import invitations
from batchapp.services.statements import recipients
from tests.html import Page
from tests.mail import link_in
from tests.make import EDITOR, OWNER, PASSWORD, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga() -> User:
    return make_user("olga@example.com")


@pytest.fixture
def team(olga: User) -> Project:
    return make_project(olga, role=OWNER, name="Support")


@pytest.fixture
def new_person(settings: LazySettings) -> Client:
    """The browser of somebody who signed up, and has an e-mail with the link to confirm."""
    settings.SIGN_UP_DOMAINS = ["example.com"]
    browser = Client()
    browser.post("/sign-up/", {"email": "nina@example.com", "password1": PASSWORD})
    return browser


@pytest.fixture
def links(team: Project, olga: User, new_person: Client, settings: LazySettings) -> dict[str, str]:
    """The address of each link that an e-mail of the portal has, which is open to nobody else."""
    settings.EMAIL_SERVER = "localhost"
    confirm = link_in(mail.outbox[0])
    Client().post("/password/reset/", {"email": olga.email})
    _, token = invitations.invite_to_project(
        team, olga, role=EDITOR, email="guest@example.com", days=7
    )
    recipient = recipients.add(team, olga, "books@example.com")
    off = email_links.make_token(olga, next(iter(NoticeKind)))
    return {
        "address": confirm,
        "password": link_in(mail.outbox[-1]),
        "invitation": f"/invitations/{token}/",
        "e-mails off": f"/notifications/off/{off}/",
        "confirm statements": f"/statement-mail/confirm/{recipients.confirm_token(recipient)}/",
        "stop statements": f"/statement-mail/stop/{recipients.stop_token(recipient)}/",
    }


def state() -> dict[str, list[Any]]:
    """Return all rows of all tables, but for the sessions of visitors and counts of requests."""
    models = [model for model in apps.get_models() if model not in {Session, CacheEntry}]
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in models}


def test_a_program_that_opens_a_link_changes_nothing(links: dict[str, str]) -> None:
    before = state()

    for name, link in links.items():
        for method in ("head", "get", "get"):
            answer = getattr(Client(), method)(link, follow=True)
            assert answer.status_code == 200, (name, method)
            assert state() == before, (name, method)


def test_a_second_click_does_nothing_more_and_is_answered_with_a_sentence(
    links: dict[str, str], new_person: Client
) -> None:
    """The second request has the cookies of the first, since both were sent before an answer."""
    password = {"password1": PASSWORD, "password2": PASSWORD}
    guest = {"first_name": "Gil", **password}
    said = {}
    for name, browser, form in (
        ("address", new_person, {}),
        ("invitation", Client(), guest),
        ("e-mails off", Client(), {}),
        ("confirm statements", Client(), {}),
        ("stop statements", Client(), {}),
    ):
        cookies = browser.cookies.output()
        first = browser.post(links[name], form)
        before = state()
        browser.cookies.load(cookies)
        second = Page(browser.post(links[name], form, follow=True))

        assert first.status_code in {200, 302}, name
        assert state() == before, name
        said[name] = second.text

    assert EmailAddress.objects.get(email="nina@example.com").verified
    assert StatementRecipient.objects.get().status == StatementRecipient.Status.STOPPED
    assert "It was used already" in said["address"]
    assert "It was used or revoked" in said["invitation"] or "already" in said["invitation"]
    assert "You get no more such e-mails" in said["e-mails off"]
