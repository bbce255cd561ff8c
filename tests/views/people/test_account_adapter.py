"""Accounts that people create and change by themselves: sign-up, reset, a new address."""

import time
from importlib import import_module
from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client

from batchapp.models import User
from tests.mail import link_in
from tests.make import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NEW = "a much longer secret"


# E-mails of allauth that the portal never sends: a code for a reset, and to a stranger's address.
NEVER_SENT = {"password_reset_code", "unknown_account"}


def test_every_e_mail_about_an_account_is_in_words_of_the_portal(settings: LazySettings) -> None:
    theirs = Path(allauth.__file__).parent / "templates"
    paths = [path.relative_to(theirs) for path in theirs.glob("*/email/*.txt")]
    assert len(paths) > 30

    missing = {
        str(path) for path in paths if not (settings.BASE_DIR / "templates" / path).exists()
    }
    assert {name.split("/")[-1].rpartition("_")[0] for name in missing} == NEVER_SENT


@pytest.fixture
def is_open(settings: LazySettings, user: User) -> None:
    settings.SIGN_UP_DOMAINS = ["example.com"]


def sign_up(client: Client, email: str, password: str = NEW) -> str:
    response = client.post("/sign-up/", {"email": email, "password1": password})
    return response.headers.get("Location", "") or response.content.decode()


# --- Sign-up ------------------------------------------------------------------------------------


def test_without_a_domain_nobody_signs_up(client: Client, user: User) -> None:
    assert "by invitation" in sign_up(client, "grace@example.com")
    assert "Create one" not in client.get("/sign-in/").content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "email", ["eve@elsewhere.test", "eve@example.com.evil.test", "eve@sub.example.com"]
)
def test_an_address_of_another_domain_is_refused(
    client: Client, is_open: None, email: str
) -> None:
    assert "only people of its own organisation" in sign_up(client, email)
    assert User.objects.count() == 1
    assert mail.outbox == []


def test_nothing_is_seen_before_the_address_is_proven(client: Client, is_open: None) -> None:
    assert sign_up(client, "Grace@Example.com") == "/sign-up/sent/"
    assert client.get("/").status_code == 302
    again = client.post("/sign-in/", {"username": "grace@example.com", "password": NEW})
    assert again["Location"] == "/sign-up/sent/"
    assert client.get("/").status_code == 302

    client.post(link_in(mail.outbox[0]))
    client.post("/sign-in/", {"username": "grace@example.com", "password": NEW})

    assert client.get("/").status_code == 200
    person = User.objects.get(email="grace@example.com")
    assert [person.is_staff, person.is_superuser, person.is_auditor] == [False] * 3


def test_fields_that_the_form_does_not_have_change_nothing(client: Client, is_open: None) -> None:
    form = {"email": "grace@example.com", "password1": NEW}
    client.post("/sign-up/", form | {"is_superuser": "1", "is_staff": "1", "is_auditor": "1"})

    person = User.objects.get(email="grace@example.com")
    assert [person.is_staff, person.is_superuser, person.is_auditor] == [False] * 3


def test_a_known_address_is_answered_as_a_new_one_and_its_owner_is_told(
    client: Client, is_open: None, user: User
) -> None:
    assert sign_up(client, user.email) == sign_up(Client(), "grace@example.com")

    assert [message.subject for message in mail.outbox] == [
        "You have an account already",
        "Confirm your e-mail address",
    ]
    assert mail.outbox[0].to == [user.email]
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("email", ["ada@example.com", "grace@example.com"])
def test_a_sign_up_costs_a_hash_either_way(
    client: Client, is_open: None, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def note(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", note)
    sign_up(client, email)

    assert hashed == [NEW]


def test_a_weak_password_is_refused(client: Client, is_open: None) -> None:
    assert "too common" in sign_up(client, "grace@example.com", "password123")
    assert User.objects.count() == 1


# --- Reset --------------------------------------------------------------------------------------


def reset(client: Client, link: str, password: str = NEW) -> str:
    form = client.get(link, follow=True)
    done = client.post(form.request["PATH_INFO"], {"password1": password, "password2": password})
    return done.headers.get("Location", "") or done.content.decode()


def test_a_reset_says_the_same_of_an_unknown_address_and_writes_to_nobody(
    client: Client, user: User
) -> None:
    known = client.post("/password/reset/", {"email": user.email})
    unknown = client.post("/password/reset/", {"email": "nobody@example.com"})

    assert known["Location"] == unknown["Location"]
    assert [message.to for message in mail.outbox] == [[user.email]]


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_a_reset_answers_after_the_same_time(
    client: Client, user: User, settings: LazySettings, email: str
) -> None:
    settings.EVEN_ANSWER_SECONDS = 0.25
    begun = time.monotonic()

    client.post("/password/reset/", {"email": email})

    assert time.monotonic() - begun >= 0.25


def test_the_link_changes_the_password_once(client: Client, user: User) -> None:
    client.post("/password/reset/", {"email": user.email})
    link = link_in(mail.outbox[0])

    assert reset(client, link) == "/"
    assert "no longer good" in Client().get(link, follow=True).content.decode()
    user.refresh_from_db()
    assert user.check_password(NEW)


def test_a_new_password_ends_the_sessions_of_others(
    client: Client, browser: Client, user: User
) -> None:
    other = Client()
    other.post("/password/reset/", {"email": user.email})
    assert browser.get("/").status_code == 200

    reset(other, link_in(mail.outbox[0]))

    assert browser.get("/").status_code == 302


def test_the_link_leads_to_the_address_of_the_portal_whatever_host_was_asked(
    client: Client, user: User, settings: LazySettings
) -> None:
    client.post("/password/reset/", {"email": user.email}, headers={"Host": "localhost:6666"})

    assert settings.PUBLIC_URL in mail.outbox[0].body
    assert "6666" not in mail.outbox[0].body


def test_a_person_who_is_deactivated_gets_no_link(client: Client) -> None:
    person = make_user(is_active=False)

    client.post("/password/reset/", {"email": person.email})

    assert mail.outbox == []


def test_resets_of_one_address_are_limited(client: Client, user: User) -> None:
    for _ in range(8):
        response = client.post("/password/reset/", {"email": user.email})

    assert response.status_code == 429
    assert "too often" in response.content.decode()
    assert len(mail.outbox) == 5


# --- Another address ----------------------------------------------------------------------------


def change_address(browser: Client, email: str) -> None:
    """Ask for another address, and confirm by the password who it is."""
    browser.post("/sign-in/again/", {"password": PASSWORD})
    browser.post("/profile/e-mail/", {"email": email, "action_add": ""})


def test_a_new_address_counts_once_its_link_was_opened(browser: Client, user: User) -> None:
    change_address(browser, "Ada.New@example.com")
    user.refresh_from_db()
    assert user.email == "ada@example.com"

    browser.post(link_in(mail.outbox[0]))

    user.refresh_from_db()
    assert user.email == "ada.new@example.com"
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [
        ("ada.new@example.com", True, True)
    ]
    assert [message.to for message in mail.outbox[1:]] == [["ada@example.com"]] * len(
        mail.outbox[1:]
    )


def test_nobody_changes_an_address_that_is_not_proven(client: Client) -> None:
    """Whoever took the invitation of another person would keep the role by an own address."""
    eve = User.objects.create_user("nina@example.com", PASSWORD, is_verified=False)
    client.force_login(eve)
    client.post("/sign-in/again/", {"password": PASSWORD})

    page = client.post("/profile/e-mail/", {"email": "eve@elsewhere.test", "action_add": ""})

    assert "First open the link" in page.content.decode()
    assert not EmailAddress.objects.filter(email="eve@elsewhere.test").exists()
    assert EmailAddress.objects.filter(email="nina@example.com", user=eve).exists()
    assert mail.outbox == []


def test_an_open_session_alone_changes_no_address_and_sets_no_password(
    browser: Client, user: User
) -> None:
    response = browser.post("/profile/e-mail/", {"email": "thief@example.net", "action_add": ""})

    assert response["Location"].startswith("/sign-in/again/")
    assert mail.outbox == []
    assert EmailAddress.objects.count() == 1
    user.set_unusable_password()
    user.save()
    browser.force_login(user)
    browser.post("/profile/password/set/", {"password1": NEW, "password2": NEW})
    user.refresh_from_db()
    assert not user.has_usable_password()


def test_e_mails_to_new_addresses_are_limited(browser: Client, settings: LazySettings) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"manage_email": "2/h/user"}

    for number in range(3):
        change_address(browser, f"ada{number}@example.com")

    assert [message.to for message in mail.outbox] == [["ada0@example.com"], ["ada1@example.com"]]


def test_a_new_password_forgets_the_address_that_somebody_else_asked_for(
    client: Client, user: User
) -> None:
    thief = Client()
    thief.force_login(user)
    change_address(thief, "thief@example.net")
    confirmation = link_in(mail.outbox[0])
    client.post("/password/reset/", {"email": user.email})
    reset(client, link_in(mail.outbox[-1]))

    Client().post(confirmation)

    user.refresh_from_db()
    assert user.check_password(NEW)
    assert user.email == "ada@example.com"


def test_an_address_of_somebody_else_cannot_be_taken(browser: Client, user: User) -> None:
    other = make_user("grace@example.com")

    change_address(browser, other.email)
    for message in mail.outbox:
        if "/sign-up/verify/" in str(message.body):
            browser.post(link_in(message))

    user.refresh_from_db()
    assert user.email == "ada@example.com"
    assert EmailAddress.objects.get(email=other.email, verified=True).user == other


# --- Accounts from before -----------------------------------------------------------------------


def test_people_who_have_an_account_already_need_no_link(client: Client) -> None:
    person = User.objects.create_user("old@example.com", PASSWORD)
    migration = import_module("batchapp.migrations.0027_accounts")

    migration.verify_addresses(apps, None)
    migration.verify_addresses(apps, None)

    assert EmailAddress.objects.get(user=person).verified
    response = client.post("/sign-in/", {"username": person.email, "password": PASSWORD})
    assert response["Location"] == "/"
