"""The link that proves an address gives nobody an account that somebody else can still enter."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from batchapp.access import role_in
from batchapp.models import AuditEvent, AuditKind, Project, User
from batchapp.presenters.audit_text import audit_text
from batchapp.services.people import invitations
from tests.fixtures import Clock
from tests.html import Page, page_of
from tests.mail import link_in
from tests.make import EDITOR, OWNER, PASSWORD, make_project, make_user

pytestmark = pytest.mark.django_db

NINA = "nina@example.com"
HER_OWN = "chosen by nina alone"


@pytest.fixture
def team() -> Project:
    return make_project(make_user("olga@example.com"), role=OWNER, name="Support")


@pytest.fixture
def eve(team: Project, settings: LazySettings) -> Client:
    """Somebody who made an account with the address of Nina, and an e-mail to Nina."""
    settings.SIGN_UP_DOMAINS = ["example.com"]
    browser = Client()
    browser.post("/sign-up/", {"email": NINA, "password1": PASSWORD})
    return browser


@pytest.fixture
def eve_inside(team: Project) -> Client:
    """The same by an invitation of Nina that Eve got hold of: she is signed in."""
    owner = User.objects.get(email="olga@example.com")
    _, token = invitations.invite_to_project(team, owner, role=EDITOR, email=NINA, days=7)
    browser = Client()
    form = {"first_name": "Eve", "password1": PASSWORD, "password2": PASSWORD}
    browser.post(f"/invitations/{token}/", form)
    assert is_inside(browser)
    return browser


def is_inside(browser: Client) -> bool:
    return browser.get("/profile/").status_code == 200


def sign_in(browser: Client, password: str) -> bool:
    browser.post("/sign-in/", {"username": NINA, "password": password})
    return is_inside(browser)


def choose_password(browser: Client, link: str) -> None:
    form = browser.get(link, follow=True)
    browser.post(form.request["PATH_INFO"], {"password1": HER_OWN, "password2": HER_OWN})


def test_the_browser_that_gave_the_password_confirms_with_one_click(eve: Client) -> None:
    """Here the one who signed up reads the mailbox as well, so nobody else is concerned."""
    link = link_in(mail.outbox[0])
    assert "Is nina@example.com your address?" in page_of(eve, link).text

    eve.post(link)

    assert sign_in(Client(), PASSWORD)


@pytest.mark.parametrize("attacker", ["eve", "eve_inside"])
def test_the_owner_of_the_mailbox_gets_the_account_alone(
    request: pytest.FixtureRequest, team: Project, attacker: str
) -> None:
    other: Client = request.getfixturevalue(attacker)
    link, nina = link_in(mail.outbox[0]), Client()

    page = page_of(nina, link)
    nina.post(link)
    assert "Somebody made an account with the address nina@example.com on" in page.text
    assert not EmailAddress.objects.get(email=NINA).verified  # by a click alone
    chosen = nina.post(link, {"action": "choose-password"})
    choose_password(nina, chosen["Location"])

    assert is_inside(nina)
    assert not is_inside(other)
    assert not sign_in(Client(), PASSWORD)
    assert sign_in(Client(), HER_OWN)
    person = User.objects.get(email=NINA)
    assert role_in(person, team) == (EDITOR if attacker == "eve_inside" else "")
    assert AuditEvent.objects.filter(kind=AuditKind.ACCOUNT_HANDED_OVER).count() == 1
    assert "no longer good" in page_of(Client(), link).text


@pytest.mark.parametrize("attacker", ["eve", "eve_inside"])
def test_who_did_not_make_the_account_takes_the_address_back(
    request: pytest.FixtureRequest, attacker: str, settings: LazySettings, clock: Clock
) -> None:
    other: Client = request.getfixturevalue(attacker)
    link, nina = link_in(mail.outbox[0]), Client()
    settings.SIGN_UP_DOMAINS = ["example.com"]

    done = Page(nina.post(link, {"action": "deny"}, follow=True))

    assert "Nobody uses nina@example.com here any more." in done.text
    assert not is_inside(other)
    assert not sign_in(Client(), PASSWORD)
    assert not User.objects.filter(email=NINA).exists()
    (event,) = AuditEvent.objects.filter(kind=AuditKind.ADDRESS_TAKEN_BACK)
    assert audit_text(event).endswith("The account is closed.")
    assert nina.post(link, {"action": "deny"}).status_code == 404
    mail.outbox.clear()
    clock.advance(minutes=4)  # for another e-mail to the same address
    nina.post("/sign-up/", {"email": NINA, "password1": HER_OWN})
    nina.post(link_in(mail.outbox[0]))
    assert sign_in(nina, HER_OWN)


def test_who_came_by_an_invitation_is_named_to_the_owner_of_the_address(
    eve_inside: Client,
) -> None:
    page = page_of(Client(), link_in(mail.outbox[0]))

    assert "The name given was Eve." in page.text
    assert "It came by an invitation to the project Support." in page.text


def test_a_new_password_by_e_mail_ends_single_sign_on_from_before_the_proof() -> None:
    person = User.objects.create_user(NINA, PASSWORD, is_verified=False)
    SocialAccount.objects.create(user=person, provider="sso", uid="eve")
    nina = Client()
    nina.post("/password/reset/", {"email": NINA})

    choose_password(nina, link_in(mail.outbox[-1]))

    assert is_inside(nina)
    assert person.has_verified_address
    assert not SocialAccount.objects.exists()


def ask_for_another_address(browser: Client) -> str:
    """Return the link of the e-mail that went to the address."""
    browser.post("/sign-in/again/", {"password": PASSWORD})
    browser.post("/profile/e-mail/", {"email": NINA, "action_add": ""})
    return link_in(mail.outbox[-1])


def deny(browser: Client, link: str) -> None:
    browser.post(link, {"action": "deny"})


def press_yes(browser: Client, link: str) -> None:
    browser.post(link)


def want_a_password(browser: Client, link: str) -> None:
    browser.post(link, {"action": "choose-password"})


@pytest.mark.parametrize("answer", [deny, press_yes, want_a_password])
def test_the_account_of_somebody_else_is_not_changed_by_the_owner_of_the_address(
    browser: Client, user: User, answer: Callable[[Client, str], None]
) -> None:
    link, nina = ask_for_another_address(browser), Client()
    page = page_of(nina, link)
    assert "who signs in as ada@example.com, wants to sign in with your" in page.text

    answer(nina, link)

    user.refresh_from_db()
    assert user.email == "ada@example.com"
    assert user.check_password(PASSWORD)
    assert is_inside(browser)
    assert not is_inside(nina)
    is_waiting = EmailAddress.objects.filter(email=NINA).exists()
    assert is_waiting == (answer is not deny)


def test_the_link_signs_nobody_out(browser: Client) -> None:
    link = ask_for_another_address(browser)
    grace = Client()
    grace.force_login(make_user("grace@example.com"))

    page = page_of(grace, link)

    assert "you are signed in as grace@example.com here" in page.text
    assert is_inside(grace)
