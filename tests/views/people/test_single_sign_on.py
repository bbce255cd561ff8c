"""Single sign-on with a real OpenID Connect provider, over real HTTP."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from batchapp.access import role_in
from batchapp.models import AuditEvent, AuditKind, User
from batchapp.services.people import invitations
from config import single_sign_on
from tests.identity_provider import identity_provider, know
from tests.mail import link_in
from tests.make import EDITOR, OWNER, PASSWORD, make_project, make_user

pytestmark = pytest.mark.django_db

START = "/sign-in/with/sso/"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with identity_provider() as url:
        yield url


def use(settings: LazySettings, url: str) -> None:
    apps = single_sign_on.applications(
        url=url, client_id="batchapp", client_secret="s3cret", name="Example login"
    )
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": apps}
    }


@pytest.fixture
def provider(server: str, settings: LazySettings) -> str:
    use(settings, server)
    return server


def come_from(client: Client, provider: str, email: str, *, is_verified: bool = True) -> str:
    """Sign in at the provider as the owner of ``email``; return where the portal leads then."""
    know(provider, f"ada-{email}", email, is_verified=is_verified)
    away = client.get(START, {"next": "/projects/"})["Location"]
    assert away.startswith(provider)
    back = httpx.post(away, data={"sub": f"ada-{email}"}, timeout=60).headers["Location"]
    parts = urlsplit(back)
    response = client.get(f"{parts.path}?{parts.query}")
    return response.headers.get("Location", "") or response.content.decode()


def is_signed_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def test_a_person_who_is_known_by_the_address_comes_in(
    client: Client, provider: str, user: User
) -> None:
    assert come_from(client, provider, "Ada@example.com") == "/projects/"
    assert is_signed_in(client)
    assert SocialAccount.objects.get().user == user


def test_a_person_who_came_once_comes_in_with_another_address(
    client: Client, provider: str, user: User
) -> None:
    come_from(client, provider, user.email)
    account = SocialAccount.objects.get()
    client.logout()
    User.objects.update(email="new@example.com")
    EmailAddress.objects.update(email="new@example.com")

    come_from(client, provider, "ada@example.com")

    assert is_signed_in(client)
    assert SocialAccount.objects.get() == account


def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(
    client: Client, provider: str, user: User
) -> None:
    page = come_from(client, provider, user.email, is_verified=False)

    assert "by invitation" in page
    assert not is_signed_in(client)
    assert not SocialAccount.objects.exists()


def test_a_stranger_is_not_let_in(client: Client, provider: str, user: User) -> None:
    assert "by invitation" in come_from(client, provider, "eve@elsewhere.test")
    assert not is_signed_in(client)
    assert User.objects.count() == 1


def test_a_stranger_of_a_domain_that_may_sign_up_is_let_in(
    client: Client, provider: str, user: User, settings: LazySettings
) -> None:
    settings.SIGN_UP_DOMAINS = ["example.com"]

    assert come_from(client, provider, "Grace@Example.com") == "/projects/"
    assert is_signed_in(client)
    person = User.objects.get(email="grace@example.com")
    assert not person.has_usable_password()
    assert not person.is_staff


def test_a_stranger_of_the_domain_proves_the_address_if_the_provider_does_not(
    client: Client, provider: str, user: User, settings: LazySettings
) -> None:
    settings.SIGN_UP_DOMAINS = ["example.com"]

    assert come_from(client, provider, "grace@example.com", is_verified=False) == "/sign-up/sent/"
    assert not is_signed_in(client)
    client.post(link_in(mail.outbox[-1]))
    client.get(START)
    assert EmailAddress.objects.get(email="grace@example.com").verified


def test_a_person_who_was_deactivated_stays_outside(client: Client, provider: str) -> None:
    make_user("ada@example.com", is_active=False)

    assert come_from(client, provider, "ada@example.com") == "/sign-in/inactive/"
    assert not is_signed_in(client)


def test_an_account_that_somebody_else_made_with_the_address_becomes_that_of_its_owner(
    client: Client, provider: str, settings: LazySettings
) -> None:
    """Somebody opened the link that an owner made for Ada, and sits in the account."""
    team = make_project(olga := make_user("olga@example.com"), role=OWNER)
    _, token = invitations.invite_to_project(
        team, olga, role=EDITOR, email="ada@example.com", days=7
    )
    eve = Client()
    eve.post(
        f"/invitations/{token}/",
        {"first_name": "Eve", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert is_signed_in(eve)

    assert come_from(client, provider, "ada@example.com") == "/projects/"

    assert is_signed_in(client)
    assert not is_signed_in(eve)
    eve.post("/sign-in/", {"username": "ada@example.com", "password": PASSWORD})
    assert not is_signed_in(eve)
    person = User.objects.get(email="ada@example.com")
    assert person.has_verified_address
    assert role_in(person, team) == EDITOR  # which was for the address
    (event,) = AuditEvent.objects.filter(kind=AuditKind.ACCOUNT_HANDED_OVER)
    assert event.actor == person


def test_an_account_of_a_proven_address_keeps_its_password_beside_single_sign_on(
    client: Client, provider: str, user: User
) -> None:
    elsewhere = Client()
    elsewhere.post("/sign-in/", {"username": user.email, "password": PASSWORD})

    come_from(client, provider, user.email)

    assert is_signed_in(elsewhere)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert not AuditEvent.objects.filter(kind=AuditKind.ACCOUNT_HANDED_OVER).exists()


def test_an_answer_that_was_not_asked_for_is_refused(
    client: Client, provider: str, user: User
) -> None:
    """The state of another browser, such as an attacker's, signs nobody in."""
    claims = {"email": user.email, "email_verified": True}
    httpx.put(f"{provider}/users/eve", json=claims, timeout=60)
    away = Client().get(START)["Location"]
    parts = urlsplit(httpx.post(away, data={"sub": "eve"}, timeout=60).headers["Location"])

    page = client.get(f"{parts.path}?{parts.query}").content.decode()

    assert "did not work" in page
    assert not is_signed_in(client)


def test_a_provider_that_is_away_is_told_in_a_sentence(
    client: Client, user: User, settings: LazySettings
) -> None:
    use(settings, "http://127.0.0.1:1")

    assert "did not work" in client.get(START).content.decode()


def test_the_sign_in_page_offers_it_and_keeps_where_to_go(
    client: Client, provider: str, user: User
) -> None:
    page = client.get("/sign-in/?next=/projects/").content.decode()

    assert "Go on with Example login" in page
    assert f'href="{START}?next=%2Fprojects%2F"' in page


def test_without_a_provider_there_is_no_such_page(client: Client, user: User) -> None:
    assert client.get(START).status_code == 404
    assert "Go on with" not in client.get("/sign-in/").content.decode()
