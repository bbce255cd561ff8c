"""Inviting on the pages, by e-mail and by link, and accepting in another browser."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from batchapp.models import Invitation, Membership, OutgoingEmail, Project, User
from batchapp.services.people import invitations
from tests.fixtures import Clock
from tests.html import Page, page_of
from tests.make import (
    EDITOR,
    OWNER,
    make_administrator,
    make_invitation,
    make_project,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/projects/support/members/invitations/"
PORTAL_URL = "/administration/invitations/"
NEW = {
    "first_name": "Nina",
    "last_name": "New",
    "password1": "much longer than eight",
    "password2": "much longer than eight",
}
GONE = "This invitation is not valid"


@pytest.fixture(autouse=True)
def mail_server(settings: LazySettings) -> None:
    """The e-mails themselves stay with the test."""
    settings.EMAIL_SERVER = {"host": "mail.test"}


@pytest.fixture
def managed(user: User) -> Project:
    return make_project(user, name="Support tickets", slug="support", role=OWNER)


def invite(browser: Client, url: str = URL, action: str = "link", **fields: Any) -> Page:
    data = {"action": action, "role": EDITOR, "days": 7, "email": ""} | fields
    return Page(browser.post(url, data, follow=True))


def path_in(text: str) -> str:
    link = re.search(r"http://localhost:8000/invitations/\S+/", text)
    assert link
    return urlsplit(link[0]).path


@pytest.mark.usefixtures("managed")
def test_a_link_is_shown_once_and_makes_a_person_with_the_role(
    browser: Client, client: Client
) -> None:
    path = path_in(invite(browser).one("#new-link").text)
    assert "/invitations/" not in re.sub(URL, "", page_of(browser, URL).html)
    assert page_of(browser, URL).one("#invitations tbody tr").text.startswith("Anybody with the")
    visitor = Client()

    page = page_of(visitor, path)
    assert "ada@example.com invites you to the project Support tickets as editor." in page.text
    response = visitor.post(path, NEW | {"email": "Nina@Example.com"})

    assert response["Location"] == "/projects/support/"
    nina = User.objects.get(email="nina@example.com")
    assert nina.memberships.get().role == EDITOR
    assert "You are in Support tickets now, as editor." in page_of(visitor, "/").text
    assert GONE in Client().get(path).content.decode()


@pytest.mark.usefixtures("managed")
def test_an_e_mail_takes_the_link_to_the_address_alone(browser: Client) -> None:
    page = invite(browser, action="mail", email="Nina@Example.com")

    assert "is on its way to nina@example.com" in page.text
    assert not page.all("#new-link")
    (message,) = mail.outbox
    assert message.to == ["nina@example.com"]
    assert message.subject == "ada@example.com invites you to Support tickets"
    visitor = Client()
    path = path_in(message.body)
    assert not page_of(visitor, path).all("[name=email]")
    visitor.post(path, NEW | {"email": "eve@evil.test"})
    assert User.objects.get(first_name="Nina").email == "nina@example.com"
    assert Invitation.objects.get().is_mailed


@pytest.mark.usefixtures("managed")
def test_without_a_mail_server_that_is_said_and_the_link_shown(
    browser: Client, settings: LazySettings
) -> None:
    settings.EMAIL_SERVER = {}

    page = invite(browser, action="mail", email="nina@example.com")

    assert "The e-mail could not be sent. No mail server is set." in page.text
    assert "Copy this link instead" in page.text
    assert page_of(Client(), path_in(page.text)).one("h2").text == "Make your account"
    assert not Invitation.objects.get().is_mailed
    assert mail.outbox == []


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize(
    ("server", "first"), [({"host": "mail.test"}, "Send by e-mail"), ({}, "Make a link")]
)
def test_enter_does_what_the_portal_can_do(
    browser: Client, settings: LazySettings, server: dict[str, str], first: str
) -> None:
    settings.EMAIL_SERVER = server

    buttons = page_of(browser, URL).texts("form:has([name=email]) button")

    assert buttons[0] == first


@pytest.mark.usefixtures("managed")
def test_an_e_mail_that_the_server_refuses_is_said_in_the_list(browser: Client) -> None:
    invite(browser, action="mail", email="nina@example.com")
    assert "sent by e-mail" in page_of(browser, URL).one("#invitations").text
    email = OutgoingEmail(recipient="nina@example.com", subject="An invitation")
    email.text, email.trouble = "…", OutgoingEmail.Trouble.RECIPIENT_REFUSED
    email.save()

    assert "not sent: The mail server refuses the recipient." in page_of(browser, URL).text


@pytest.mark.usefixtures("managed")
def test_invitations_by_e_mail_are_limited_for_each_person(
    browser: Client, settings: LazySettings, clock: Clock
) -> None:
    assert settings.ACCOUNT_RATE_LIMITS["invite_by_email"] == "50/h/user"
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"invite_by_email": "2/h/user"}
    for number in range(2):
        invite(browser, action="mail", email=f"nina{number}@example.com")

    page = invite(browser, action="mail", email="nina@example.com")

    assert "You sent many invitations" in page.text
    assert len(mail.outbox) == 2
    assert not Invitation.objects.filter(email="nina@example.com").exists()
    assert invite(browser, email="nina@example.com").one("#new-link")
    clock.advance(minutes=61)
    invite(browser, action="mail", email="nina@example.com")
    assert len(mail.outbox) == 3


@pytest.mark.usefixtures("managed")
def test_accounts_by_invitation_are_limited_by_the_address_of_the_network(
    browser: Client,
) -> None:
    path = path_in(invite(browser).text)
    statuses = [
        Client().post(path, NEW | {"email": "ada@example.com"}).status_code for _ in range(21)
    ]

    assert statuses == [200] * 20 + [429]


def test_names_do_not_add_headers_or_markup(browser: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(first_name="Eve\r\nBcc: all@example.com")
    make_project(user, name="<b>Sup</b>\nport", slug="support", role=OWNER)

    invite(browser, action="mail", email="nina@example.com")

    (message,) = mail.outbox
    assert message.subject == "Eve Bcc: all@example.com invites you to <b>Sup</b> port"
    assert message.recipients() == ["nina@example.com"]
    assert "<b>Sup" not in page_of(Client(), path_in(message.body)).html


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"action": "mail"}, "Enter the address to send it to."),
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"email": "nina@example.com\r\nBcc: eve@evil.test"}, "Enter a valid email address."),
        ({"email": "ADA@example.com"}, "is in the project already"),
        ({"role": "superuser"}, "Choose one of the roles."),
        ({"days": 3650}, "Choose how long the link counts."),
    ],
)
def test_what_cannot_be_invited_is_said(
    browser: Client, fields: dict[str, Any], complaint: str
) -> None:
    page = invite(browser, **fields)

    assert complaint in page.text
    assert not Invitation.objects.exists()
    assert mail.outbox == []


def test_a_person_with_an_account_is_asked_at_home(
    browser: Client, managed: Project, client: Client
) -> None:
    bob = make_user("bob@example.com")
    page = invite(browser, email="bob@example.com")
    assert "has an account and is also asked on the home page" in page.one("#new-link").text
    assert not managed.memberships.filter(user=bob).exists()
    visitor = Client()
    visitor.force_login(bob)

    banner = page_of(visitor, "/").one("#invitations")
    assert "ada@example.com invites you as editor" in banner.text
    visitor.post(banner.one("form")["action"], {"answer": "accept", "role": OWNER})

    assert managed.memberships.get(user=bob).role == EDITOR
    assert not page_of(visitor, "/").all("#invitations")


def test_an_invitation_is_declined_at_home(managed: Project) -> None:
    bob = make_user("bob@example.com")
    invitation = make_invitation(managed, invitee=bob)
    visitor = Client()
    visitor.force_login(bob)
    url = f"/invitations/{invitation.pk}/answer/"

    assert visitor.post(url, {"answer": "perhaps"}).status_code == 404
    visitor.post(url, {"answer": "decline"})
    page = Page(visitor.post(url, {"answer": "accept"}, follow=True))

    assert "is not valid any more" in page.text
    assert not page.all("#invitations")
    assert not managed.memberships.filter(user=bob).exists()


def test_a_person_who_is_signed_in_accepts_with_one_click(browser: Client, user: User) -> None:
    team = make_project(name="Letters", slug="letters")
    inviter = make_invitation(team).invited_by
    _, token = invitations.invite_to_project(team, inviter, role=EDITOR, email="", days=7)

    page = page_of(browser, f"/invitations/{token}/")
    assert page.one("main form").text == "You are signed in as ada@example.com. Accept"
    response = browser.post(f"/invitations/{token}/", {"role": OWNER, "is_superuser": "on"})

    assert response["Location"] == "/projects/letters/"
    assert team.memberships.get(user=user).role == EDITOR
    user.refresh_from_db()
    assert not user.is_superuser


def test_another_account_is_told_to_sign_out_and_not_whose_the_invitation_is(
    browser: Client,
) -> None:
    team = make_project(name="Letters")
    inviter = make_invitation(team).invited_by
    _, token = invitations.invite_to_project(
        team, inviter, role=EDITOR, email="secret@example.com", days=7
    )

    for response in (
        browser.get(f"/invitations/{token}/"),
        browser.post(f"/invitations/{token}/"),
    ):
        page = Page(response)
        assert "This invitation is for another address" in page.text
        assert page.one("main form button").text == "Sign out"
        assert "secret@example.com" not in page.html
        assert "Letters" not in page.html
    assert not Membership.objects.filter(user__email="ada@example.com").exists()


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_all_links_that_do_not_count_look_alike(user: User, is_signed_in: bool) -> None:
    team = make_project()
    tokens = ["unknown", "x" * 5000]
    for end in ("expired", "used", "revoked", "renewed", "demoted"):
        inviter = make_user()
        Membership.objects.create(user=inviter, project=team, role=OWNER)
        row, token = invitations.invite_to_project(team, inviter, role=EDITOR, email="", days=7)
        tokens.append(token)
        if end == "expired":
            Invitation.objects.filter(pk=row.pk).update(expires_at=row.created_at)
        elif end == "used":
            invitations.accept(row, make_user())
        elif end == "revoked":
            invitations.revoke(row, inviter)
        elif end == "renewed":
            invitations.renew_link(row, inviter)
        else:
            inviter.memberships.update(role=EDITOR)
    visitor = Client()
    if is_signed_in:
        visitor.force_login(user)

    answers = {
        (response.status_code, re.sub(r'csrf[^"]*"[^"]*"[^"]*"|X-CSRFToken.*?}', "", text))
        for token in tokens
        for response in (visitor.get(f"/invitations/{token}/"),)
        for text in [response.content.decode()]
    }

    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


def test_links_are_renewed_and_revoked_on_the_page(browser: Client, managed: Project) -> None:
    first = path_in(invite(browser).text)
    pk = Invitation.objects.get().pk

    page = Page(browser.post(URL, {"action": "renew", "invitation": pk}))
    second = path_in(page.one("#new-link").text)
    assert "The link before does nothing any more." in page.text
    assert GONE in Client().get(first).content.decode()
    assert GONE not in Client().get(second).content.decode()

    page = Page(browser.post(URL, {"action": "revoke", "invitation": pk}, follow=True))
    assert "The invitation is revoked." in page.text
    assert GONE in Client().get(second).content.decode()
    page = Page(browser.post(URL, {"action": "revoke", "invitation": pk}, follow=True))
    assert "was answered or revoked in the meantime" in page.text


@pytest.mark.usefixtures("managed")
def test_an_owner_changes_no_invitation_of_another_project_or_of_the_portal(
    browser: Client,
) -> None:
    foreign, of_portal = make_invitation(make_project()), make_invitation(None)

    for row in (foreign, of_portal):
        for action in ("renew", "revoke"):
            browser.post(URL, {"action": action, "invitation": row.pk})
        assert Invitation.objects.get(pk=row.pk).token_hash == row.token_hash
        assert Invitation.objects.get(pk=row.pk).revoked_at is None


def test_an_administrator_invites_to_the_portal(client: Client) -> None:
    client.force_login(make_administrator())
    path = path_in(invite(client, PORTAL_URL).text)
    visitor = Client()

    response = visitor.post(path, NEW | {"email": "nina@example.com", "is_superuser": "on"})

    assert response["Location"] == "/"
    nina = User.objects.get(email="nina@example.com")
    assert (nina.is_superuser, nina.is_staff, nina.memberships.count()) == (False, False, 0)


def test_nobody_else_invites_to_the_portal(browser: Client) -> None:
    assert browser.get(PORTAL_URL).status_code == 403
    assert browser.post(PORTAL_URL, {"action": "link", "days": 7}).status_code == 403
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"first_name": "Ada\r\nBcc: eve@example.com"}, "invisible characters"),
        ({"email": "bob@example.com"}, "Somebody with this address has an account."),
    ],
)
def test_an_account_that_cannot_be_made_leaves_the_link_open(
    changes: dict[str, str], complaint: str
) -> None:
    make_user("bob@example.com")
    team = make_project()
    inviter = make_invitation(team).invited_by
    _, token = invitations.invite_to_project(team, inviter, role=EDITOR, email="", days=7)
    people = User.objects.count()

    page = Client().post(f"/invitations/{token}/", NEW | {"email": "n@example.com"} | changes)

    assert complaint in page.content.decode()
    assert User.objects.count() == people
    assert invitations.find_invitation(token)


def test_a_name_of_ten_megabytes_is_refused(client: Client) -> None:
    make_user()
    response = client.post("/invitations/unknown/", NEW | {"first_name": "A" * 10_000_000})

    assert response.status_code == 413
