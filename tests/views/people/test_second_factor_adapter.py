"""Second factors: codes of an app, recovery codes, and passkeys of nobody else."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.test import Client

from batchapp.models import User
from tests.fixtures import Clock
from tests.html import page_of
from tests.mail import link_in
from tests.make import PASSWORD, make_user

pytestmark = pytest.mark.django_db

FACTORS = "/profile/second-factor/"


def code_of(secret: str) -> str:
    """Compute what an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def confirm(client: Client) -> None:
    client.post("/sign-in/again/", {"password": PASSWORD})


@pytest.fixture
def secret(browser: Client) -> str:
    """The key of the app that ``user`` added."""
    confirm(browser)
    picture = page_of(browser, f"{FACTORS}app/").one("img[alt*=key]")
    secret = picture["alt"].rpartition(" ")[2]
    response = browser.post(f"{FACTORS}app/", {"code": code_of(secret)})
    assert response["Location"] == f"{FACTORS}codes/"
    return secret


@pytest.fixture
def recovery_codes(secret: str, browser: Client) -> list[str]:
    response = browser.get(f"{FACTORS}codes/codes.txt")
    return response.content.decode().split()


def enter_password(client: Client, user: User, **data: str) -> str:
    response = client.post("/sign-in/", {"username": user.email, "password": PASSWORD, **data})
    return response["Location"]


def test_a_factor_is_added_only_after_the_password_was_asked_again(browser: Client) -> None:
    assert browser.get(f"{FACTORS}app/")["Location"].startswith("/sign-in/again/?next=")


def test_a_code_of_the_app_is_asked_for_after_the_password(
    secret: str, user: User, clock: Clock
) -> None:
    clock.advance(minutes=2)
    client = Client()

    assert enter_password(client, user, next="/projects/") == "/sign-in/second-factor/"
    assert client.get("/").status_code == 302
    wrong = client.post("/sign-in/second-factor/", {"code": "000000"})
    assert "not right" in wrong.content.decode()
    right = client.post("/sign-in/second-factor/", {"code": code_of(secret)})

    assert right["Location"] == "/projects/"
    assert client.get("/").status_code == 200


def test_a_code_of_the_app_is_taken_once(secret: str, user: User, clock: Clock) -> None:
    clock.advance(minutes=2)
    first, second = Client(), Client()
    for client in (first, second):
        enter_password(client, user)
    code = code_of(secret)

    assert first.post("/sign-in/second-factor/", {"code": code}).status_code == 302
    assert second.post("/sign-in/second-factor/", {"code": code}).status_code == 200


def test_a_recovery_code_is_taken_once(recovery_codes: list[str], user: User) -> None:
    first, second = Client(), Client()
    for client in (first, second):
        enter_password(client, user)

    assert first.post("/sign-in/second-factor/", {"code": recovery_codes[0]}).status_code == 302
    again = second.post("/sign-in/second-factor/", {"code": recovery_codes[0]})

    assert "not right" in again.content.decode()
    assert len(recovery_codes) == 10


def test_codes_cannot_be_tried_without_end(secret: str, user: User, clock: Clock) -> None:
    clock.advance(minutes=2)
    client = Client()
    enter_password(client, user)
    for number in range(10):
        client.post("/sign-in/second-factor/", {"code": f"00000{number}"})

    response = client.post("/sign-in/second-factor/", {"code": code_of(secret)})

    assert response.status_code != 302


def test_a_new_password_by_e_mail_does_not_go_past_the_second_factor(
    secret: str, user: User
) -> None:

    client = Client()
    client.post("/password/reset/", {"email": user.email})
    form = client.get(link_in(mail.outbox[-1]), follow=True)
    new = "a much longer secret"
    done = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})

    assert done["Location"] == "/sign-in/second-factor/"
    assert client.get("/").status_code == 302


def test_the_second_factor_holds_for_the_admin_as_well(secret: str, user: User) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    client = Client()

    assert enter_password(client, user, next="/admin/") == "/sign-in/second-factor/"
    assert client.get("/admin/").status_code == 302


def test_the_keys_of_factors_are_encrypted_at_rest(recovery_codes: list[str], secret: str) -> None:
    stored = str(list(Authenticator.objects.values()))

    assert Authenticator.objects.count() == 2
    assert secret not in stored
    assert not any(code in stored for code in recovery_codes)


def test_a_factor_can_be_removed(secret: str, browser: Client, user: User) -> None:
    browser.post(f"{FACTORS}app/remove/")

    assert enter_password(Client(), user) == "/"
    assert mail.outbox[-1].subject == "The authenticator app was removed"
    assert mail.outbox[-1].to == [user.email]


@pytest.mark.parametrize("verb", ["rename", "remove"])
def test_a_passkey_of_somebody_else_is_not_found(browser: Client, user: User, verb: str) -> None:
    theirs = Authenticator.objects.create(
        user=make_user(), type=Authenticator.Type.WEBAUTHN, data={"name": "Phone"}
    )
    confirm(browser)

    for response in (
        browser.get(f"{FACTORS}passkeys/{theirs.pk}/{verb}/"),
        browser.post(f"{FACTORS}passkeys/{theirs.pk}/{verb}/", {"name": "Mine"}),
    ):
        assert response.status_code == 404


@pytest.mark.parametrize(
    "path", ["", "app/", "codes/", "codes/new/", "passkeys/", "passkeys/add/"]
)
def test_every_page_about_factors_shows_in_the_console(
    secret: str, browser: Client, path: str
) -> None:
    page = browser.get(f"{FACTORS}{path}", follow=True)

    assert page.status_code == 200
    assert 'class="shell"' in page.content.decode()


def test_what_the_pages_ask_of_passkeys_needs_no_code_in_the_page(
    secret: str, browser: Client
) -> None:
    for client, path in ((Client(), "/sign-in/"), (browser, f"{FACTORS}passkeys/add/")):
        page = client.get(path).content.decode()
        inline = [tag for tag in page.split("<script")[1:] if "src=" not in tag.split(">")[0]]
        assert inline
        assert all('type="application/json"' in tag.split(">")[0] for tag in inline)


def test_another_way_to_confirm_is_offered_in_plain_words(secret: str, browser: Client) -> None:
    page = browser.get("/sign-in/again/").content.decode()

    assert "By a code sent by e-mail" in page
    assert "By a code of the app" in page


def test_a_person_without_a_password_confirms_by_a_code_that_an_e_mail_brings(
    browser: Client, user: User
) -> None:
    user.set_unusable_password()
    user.save()
    browser.force_login(user)

    assert "/by-e-mail/" in browser.get(f"{FACTORS}app/")["Location"]
    browser.post("/sign-in/again/by-e-mail/", {"recipient": user.email})
    code = mail.outbox[-1].body.split("asked for it:")[1].split()[0]
    wrong = browser.post("/sign-in/again/code/", {"code": "WRONG1"})
    browser.post("/sign-in/again/code/", {"code": code})

    assert wrong.status_code == 200
    assert browser.get(f"{FACTORS}app/").status_code == 200
