"""Signing in, and the profile."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from batchapp.forms.people import KEEP_FAILURES, LOCK_TIME, MAX_ATTEMPTS
from batchapp.models import FailedSignIn, Project, User
from batchapp.urls import urlpatterns
from tests.make import PASSWORD, make_user

pytestmark = pytest.mark.django_db


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


def test_a_wrong_password_is_answered_with_a_sentence(client: Client, user: User) -> None:
    response = client.post("/sign-in/", {"username": user.email, "password": "wrong"})

    assert "do not belong together" in response.content.decode()


def test_the_page_to_go_to_is_kept_when_the_password_was_wrong(client: Client, user: User) -> None:
    data = {"username": user.email, "password": "wrong", "next": "/projects/?q=a"}

    html = client.post("/sign-in/", data).content.decode()

    assert '<input type="hidden" name="next" value="/projects/?q=a">' in html


def fail_to_sign_in(client: Client, email: str, times: int = MAX_ATTEMPTS) -> None:
    for _ in range(times):
        client.post("/sign-in/", {"username": email, "password": "wrong"})


def signs_in(
    client: Client, user: User, address: str = "127.0.0.1", url: str = "/sign-in/"
) -> bool:
    data = {"username": user.email, "password": PASSWORD}
    return client.post(url, data, REMOTE_ADDR=address).status_code == 302


def test_nobody_tries_many_passwords_in_a_row(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email.upper())

    response = client.post("/sign-in/", {"username": user.email, "password": PASSWORD})

    assert "Wait a quarter of an hour" in response.content.decode()
    assert not signs_in(client, user)
    FailedSignIn.objects.update(at=timezone.now() - LOCK_TIME)
    assert signs_in(client, user)


def test_the_admin_does_not_take_the_password_either(client: Client) -> None:
    operator = make_user(is_staff=True)
    fail_to_sign_in(client, operator.email, MAX_ATTEMPTS - 1)
    client.post("/admin/login/", {"username": operator.email, "password": "wrong"})

    assert not signs_in(client, operator, url="/admin/login/")
    FailedSignIn.objects.all().delete()
    assert signs_in(client, operator, url="/admin/login/")


def test_a_stranger_elsewhere_locks_nobody_out(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email)

    assert signs_in(client, user, address="192.0.2.7")


def test_who_signs_in_begins_to_count_anew(client: Client, user: User) -> None:
    fail_to_sign_in(client, user.email, MAX_ATTEMPTS - 1)
    assert signs_in(client, user)
    client.logout()
    fail_to_sign_in(client, user.email, MAX_ATTEMPTS - 1)

    assert signs_in(client, user)


def test_failed_attempts_are_not_kept_for_ever(client: Client, user: User) -> None:
    fail_to_sign_in(client, "somebody@example.com", 3)
    FailedSignIn.objects.update(at=timezone.now() - KEEP_FAILURES - timedelta(seconds=1))

    fail_to_sign_in(client, user.email, 1)

    assert [each.email for each in FailedSignIn.objects.all()] == [user.email]


@pytest.mark.parametrize("email", ["", "e" * 400, "nul\0@example.com"])
def test_what_is_no_address_is_answered_with_a_sentence(client: Client, email: str) -> None:
    response = client.post("/sign-in/", {"username": email, "password": "wrong"})

    assert response.status_code == 200
    assert "errorlist" in response.content.decode() or "note error" in response.content.decode()


def test_signing_in_does_not_lead_to_other_sites(client: Client, user: User) -> None:
    data = {"username": user.email, "password": PASSWORD, "next": "https://evil.test/"}

    assert client.post("/sign-in/", data)["Location"] == "/"


def test_a_page_that_polls_after_the_session_ended_is_loaded_anew(client: Client) -> None:
    response = client.get("/", headers={"HX-Request": "true"}, follow=True)

    assert response["HX-Refresh"] == "true"
    assert response.content == b""


def test_signing_out_takes_a_click_not_a_link(browser: Client) -> None:
    assert browser.get("/sign-out/").status_code == 405
    browser.post("/sign-out/")
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda each: str(each.name))
def test_signing_in_never_leads_to_a_page_that_only_takes_forms(
    browser: Client, user: User, project: Project, pattern: URLPattern
) -> None:
    known = {"slug": project.slug, "pk": uuid.uuid4(), "line": 1, "kind": "output"}
    known |= {"member": 1, "version": "1", "key": uuid.uuid4(), "page": "home", "name": "cost"}
    names = pattern.pattern.converters
    url = reverse(str(pattern.name), kwargs={name: known[name] for name in names})

    stranger = Client()
    landed = stranger.post(
        "/sign-in/", {"username": user.email, "password": PASSWORD, "next": url}
    )

    assert browser.get(landed["Location"]).status_code != 405


def test_a_name_and_a_password_can_be_changed(browser: Client, user: User) -> None:
    browser.post("/profile/", {"action": "name", "first_name": "Ada", "last_name": "Lovelace"})
    new = "a much longer secret"
    response = browser.post(
        "/profile/password/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    user.refresh_from_db()
    assert str(user) == "Ada Lovelace"
    assert user.check_password(new)
    assert response["Location"] == "/profile/"
