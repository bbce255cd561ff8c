"""Signing in, and the profile."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import LazySettings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.signals import user_login_failed
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import URLPattern, reverse

from batchapp.models import Project, User
from batchapp.urls import urlpatterns
from tests.fixtures import Clock
from tests.mail import link_in
from tests.make import PASSWORD, make_user

pytestmark = pytest.mark.django_db

WRONG_PASSWORDS = 10  # that are compared within a quarter of an hour


def test_people_sign_in_with_their_address_whatever_its_capitals(
    client: Client, user: User
) -> None:
    assert (
        "Sign in"
        in client.get("/").headers.get("Location", "") + client.get("/sign-in/").content.decode()
    )

    response = client.post(
        "/sign-in/", {"username": "ADA@Example.com", "password": PASSWORD, "next": "/projects/"}
    )

    assert response["Location"] == "/projects/"
    assert client.get("/").status_code == 200


def test_the_service_account_of_a_project_gets_no_link_for_a_new_password(
    client: Client, project: Project
) -> None:
    """A person may have been made one by an older version, with an address that is read."""
    account = make_user("service@example.com", is_service_account=True)

    response = client.post("/password/reset/", {"email": account.email})

    assert response["Location"] == "/password/reset/sent/"  # as for anybody else
    assert mail.outbox == []


def test_a_wrong_password_is_answered_with_a_sentence(client: Client, user: User) -> None:
    response = client.post("/sign-in/", {"username": user.email, "password": "wrong"})

    assert "do not belong together" in response.content.decode()


def test_the_page_to_go_to_is_kept_when_the_password_was_wrong(client: Client, user: User) -> None:
    data = {"username": user.email, "password": "wrong", "next": "/projects/?q=a"}

    html = client.post("/sign-in/", data).content.decode()

    assert '<input type="hidden" name="next" value="/projects/?q=a">' in html


def fail_to_sign_in(
    client: Client, email: str, times: int = WRONG_PASSWORDS, address: str = "127.0.0.1"
) -> None:
    for _ in range(times):
        client.post("/sign-in/", {"username": email, "password": "wrong"}, REMOTE_ADDR=address)


def signs_in(client: Client, user: User, address: str = "127.0.0.1", **headers: str) -> bool:
    data = {"username": user.email, "password": PASSWORD}
    return client.post("/sign-in/", data, REMOTE_ADDR=address, headers=headers).status_code == 302


def test_nobody_tries_many_passwords_in_a_row(client: Client, user: User, clock: Clock) -> None:
    fail_to_sign_in(client, user.email.upper())

    response = client.post("/sign-in/", {"username": user.email, "password": PASSWORD})

    assert "Wait a quarter of an hour" in response.content.decode()
    assert not signs_in(client, user)
    clock.advance(minutes=16)
    assert signs_in(client, user)


def test_the_admin_leads_to_the_sign_in_of_the_portal(client: Client, user: User) -> None:
    response = client.post("/admin/login/?next=/admin/", {"username": "a", "password": "b"})

    assert response["Location"] == "/sign-in/?next=%2Fadmin%2F"


def test_a_stranger_elsewhere_locks_nobody_out(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email)

    assert signs_in(client, user, address="192.0.2.7")


def test_one_address_does_not_try_the_passwords_of_many_people(client: Client) -> None:
    people = [make_user() for _ in range(WRONG_PASSWORDS)]
    for person in people:
        fail_to_sign_in(client, person.email, 1)

    assert not signs_in(client, people[0])
    assert signs_in(client, people[0], address="192.0.2.7")


def test_an_ipv6_network_is_one_address(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email, address="2001:db8:1:2::a")

    assert not signs_in(client, user, address="2001:db8:1:2::b")
    assert signs_in(client, user, address="2001:db8:1:3::b")


def test_ipv4_addresses_at_a_socket_for_both_kinds_are_not_one_network(
    client: Client, user: User
) -> None:
    fail_to_sign_in(client, user.email, address="::ffff:192.0.2.7")

    assert not signs_in(client, user, address="192.0.2.7")
    assert signs_in(client, user, address="::ffff:192.0.2.8")


def test_a_header_of_the_stranger_does_not_change_the_address(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email)

    assert not signs_in(client, user, **{"X-Forwarded-For": "192.0.2.7"})


def test_behind_a_trusted_proxy_the_address_is_the_one_that_it_adds(
    client: Client, user: User, settings: LazySettings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for _ in range(WRONG_PASSWORDS):
        client.post(
            "/sign-in/",
            {"username": user.email, "password": "wrong"},
            headers={"X-Forwarded-For": "192.0.2.7, 198.51.100.1"},
        )

    assert not signs_in(client, user, **{"X-Forwarded-For": "192.0.2.8, 198.51.100.1"})
    assert signs_in(client, user, **{"X-Forwarded-For": "198.51.100.1, 192.0.2.8"})


def test_a_request_past_the_trusted_proxy_is_still_answered(
    client: Client, user: User, settings: LazySettings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2

    assert signs_in(client, user)
    assert signs_in(Client(), user, **{"X-Forwarded-For": "192.0.2.8"})


def test_a_right_password_does_not_clear_what_was_tried_before(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email, WRONG_PASSWORDS - 1)
    assert signs_in(client, user)
    client.logout()
    assert signs_in(client, user)
    client.logout()
    fail_to_sign_in(client, user.email, 1)

    assert not signs_in(client, user)


def test_who_is_locked_out_comes_in_by_a_new_password(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email)
    client.post("/password/reset/", {"email": user.email})
    link = link_in(mail.outbox[-1])
    new = "a much longer secret"

    form = client.get(link, follow=True)
    done = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})

    assert done.status_code == 302
    assert client.get("/profile/").status_code == 200


@pytest.mark.parametrize("is_known", [True, False])
def test_a_wrong_password_costs_a_hash_and_says_the_same(
    client: Client, user: User, hashes: list[str], is_known: bool
) -> None:
    email = user.email if is_known else "nobody@example.com"

    page = client.post("/sign-in/", {"username": email, "password": "wrong"}).content.decode()

    assert "do not belong together" in page
    assert hashes == ["wrong"]


@pytest.fixture
def hashes(user: User, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def note(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", note)
    return hashed


@pytest.mark.django_db(transaction=True)
def test_passwords_that_are_tried_at_once_are_counted_as_well() -> None:
    """48 at once: at most ten are compared with the password, in whichever thread."""
    user = make_user()
    compared: list[str] = []
    signal = user_login_failed

    def note(sender: Any, **_: Any) -> None:
        compared.append("wrong")

    def try_password(number: int) -> None:
        try:
            Client().post("/sign-in/", {"username": user.email, "password": f"wrong {number}"})
        finally:
            connection.close()

    signal.connect(note)
    try:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(try_password, range(48)))
    finally:
        signal.disconnect(note)

    assert 0 < len(compared) <= WRONG_PASSWORDS


@pytest.mark.parametrize("email", ["", "e" * 400, "nul\0@example.com"])
@pytest.mark.usefixtures("user")
def test_what_is_no_address_is_answered_with_a_sentence(client: Client, email: str) -> None:
    response = client.post("/sign-in/", {"username": email, "password": "wrong"})

    assert response.status_code == 200
    assert "errorlist" in response.content.decode() or "note error" in response.content.decode()


ELSEWHERE = ["https://evil.test/", "//evil.test/", "/\\evil.test", "\t//evil.test", "javascript:1"]


def test_no_page_around_the_sign_in_leads_to_other_sites(browser: Client, user: User) -> None:
    sign_in = {"username": user.email, "password": PASSWORD}
    for where in ELSEWHERE:
        in_form, in_address = {"next": where}, f"?{urlencode({'next': where})}"

        answers = [
            Client().post("/sign-in/", sign_in | in_form),
            Client().post(f"/sign-in/{in_address}", sign_in),
            browser.post("/sign-in/again/", {"password": PASSWORD} | in_form),
            browser.get(f"/sign-in/{in_address}"),
            browser.post(f"/sign-out/{in_address}", in_form),
        ]
        browser.force_login(user)

        led = {answer.headers["Location"] for answer in answers}
        assert led <= {"/", "/sign-in/", "/profile/"}, where


@pytest.mark.usefixtures("user")
def test_a_page_that_polls_after_the_session_ended_is_loaded_anew(client: Client) -> None:
    response = client.get("/", headers={"HX-Request": "true"}, follow=True)

    assert response["HX-Refresh"] == "true"
    assert response.content == b""


def test_signing_out_takes_a_click_not_a_link(browser: Client) -> None:
    assert browser.get("/sign-out/").status_code == 405
    browser.post("/sign-out/")
    assert browser.get("/").status_code == 302


def test_signing_in_never_leads_to_a_page_that_only_takes_forms(
    browser: Client, user: User, project: Project
) -> None:
    urls = [reverse(str(each.name), kwargs=_fitting(each, project)) for each in urlpatterns]
    only_take_forms = [url for url in urls if browser.get(url).status_code == 405]
    landed = {}

    for number, url in enumerate(only_take_forms):
        response = Client().post(
            "/sign-in/",
            {"username": user.email, "password": PASSWORD, "next": url},
            REMOTE_ADDR=f"198.51.100.{number}",  # sign-ins of one address are limited
        )
        landed[url] = browser.get(response["Location"]).status_code

    assert len(only_take_forms) > 10
    assert {url: status for url, status in landed.items() if status == 405} == {}


def _fitting(pattern: URLPattern, project: Project) -> dict[str, Any]:
    values = [project.slug, uuid.uuid4(), 1, "output", "unknown", "2026-10"]
    return {
        name: next(
            converter.to_python(str(value))
            for value in values
            if re.fullmatch(converter.regex, str(value))
        )
        for name, converter in pattern.pattern.converters.items()
    }


def test_a_name_and_a_password_can_be_changed(browser: Client, user: User) -> None:
    browser.post("/profile/", {"action": "name", "first_name": "Ada", "last_name": "Lovelace"})
    new = "a much longer secret"
    response = browser.post(
        "/profile/password/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    user.refresh_from_db()
    assert str(user) == "Ada Lovelace"
    assert user.check_password(new)
    assert response["Location"] == "/profile/"
