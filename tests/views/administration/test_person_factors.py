"""An administrator removes the second factors of a person who has lost them."""

from types import SimpleNamespace

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.test import Client

from batchapp.models import AuditEvent, AuditKind, User
from tests.html import Page, page_of
from tests.make import PASSWORD, make_administrator, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_administrator("ada@example.com"))
    return client


def give_factors(person: User) -> None:
    TOTP.activate(person, generate_totp_secret())
    RecoveryCodes.activate(person)


@pytest.fixture
def bob() -> SimpleNamespace:
    """A person with an app and recovery codes, who is signed in on the phone that was lost."""
    person, phone = make_user("bob@example.com", first_name="Bob"), Client()
    phone.post("/sign-in/", {"username": person.email, "password": PASSWORD})
    give_factors(person)
    return SimpleNamespace(person=person, phone=phone)


def url_of(person: User) -> str:
    return f"/administration/people/{person.pk}/second-factors/remove/"


def test_a_person_who_lost_the_phone_comes_in_by_the_password_again(
    desk: Client, bob: SimpleNamespace
) -> None:
    assert bob.phone.get("/profile/").status_code == 200
    people = page_of(desk, "/administration/people/")
    assert url_of(bob.person) in [link["href"] for link in people.all("a[href]")]
    assert "Authenticator app, added just now" in page_of(desk, url_of(bob.person)).text
    assert Authenticator.objects.filter(user=bob.person).count() == 2  # a page changes nothing

    done = Page(desk.post(url_of(bob.person), follow=True))

    assert "Bob is signed out everywhere" in done.text
    assert not Authenticator.objects.filter(user=bob.person).exists()
    assert bob.phone.get("/profile/").status_code == 302
    sign_in = {"username": bob.person.email, "password": PASSWORD}
    assert Client().post("/sign-in/", sign_in)["Location"] == "/"


def test_the_person_and_the_audit_are_told(desk: Client, bob: SimpleNamespace) -> None:
    desk.post(url_of(bob.person))

    (message,) = mail.outbox
    assert message.to == ["bob@example.com"]
    assert "ada@example.com" in message.body
    assert "/password/reset/" in message.body
    (event,) = AuditEvent.objects.filter(kind=AuditKind.SECOND_FACTOR_REMOVED)
    assert (event.actor_email, event.address) == ("ada@example.com", "127.0.0.1")
    assert event.data == {"type": "totp", "person": "bob@example.com"}


def test_own_factors_are_removed_in_the_profile_alone(desk: Client) -> None:
    ada = User.objects.get(email="ada@example.com")
    give_factors(ada)

    page, done = page_of(desk, url_of(ada)), Page(desk.post(url_of(ada), follow=True))

    assert "Remove your second factors in your profile." in page.text
    assert "Remove your second factors in your profile." in done.text
    assert Authenticator.objects.filter(user=ada).count() == 2
    assert url_of(ada) not in [link["href"] for link in done.all("a[href]")]


def test_without_a_factor_nothing_happens(desk: Client) -> None:
    person = make_user("eve@example.com")

    done = Page(desk.post(url_of(person), follow=True))

    assert "eve@example.com has no second factor." in done.text
    assert not mail.outbox
    assert not AuditEvent.objects.filter(kind=AuditKind.SECOND_FACTOR_REMOVED).exists()
