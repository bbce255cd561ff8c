"""A portal without people leads to the page that makes its administrator, and only once."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client, override_settings

from batchapp.models import User
from batchapp.services.people import first_administrator
from tests.html import page_of
from tests.make import PASSWORD, make_user

pytestmark = pytest.mark.django_db

ADA = {
    "email": "Ada@Example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def setup_path() -> str:
    return f"/first-run/?token={first_administrator.setup_token()}"


@pytest.mark.parametrize(
    "url", ["/", "/sign-in/", "/projects/", "/admin/", "/admin/login/", "/guide/", "/profile/"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_of_an_empty_portal_leads_to_the_first_run(
    client: Client, url: str, method: str
) -> None:
    response = getattr(client, method)(url)

    assert (response.status_code, response["Location"]) == (302, "/first-run/")


def test_machines_are_answered_by_an_empty_portal(client: Client) -> None:
    assert client.get("/readyz").status_code == 200


def test_the_link_makes_the_administrator_who_is_signed_in_and_led_on(client: Client) -> None:
    page = page_of(client, setup_path())
    assert page.one("h2").text == "Make the administrator"

    response = client.post(setup_path(), ADA)

    user = User.objects.get()
    assert response["Location"] == "/"
    assert (user.email, user.get_full_name()) == ("ada@example.com", "Ada Lovelace")
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(PASSWORD)
    home = page_of(client, "/")
    assert home.one(".steps .next a.strong").text == "Get into a project"


def test_once_there_is_a_person_the_page_is_gone(client: Client) -> None:
    make_user()

    assert client.get(setup_path()).status_code == 404
    assert client.post(setup_path(), ADA).status_code == 404
    assert client.get("/")["Location"] == "/sign-in/?next=/"
    assert User.objects.count() == 1


@pytest.mark.parametrize("token", ["", "wrong", "é", "0" * 64, "x" * 10_000])
def test_nobody_makes_an_administrator_without_the_token(client: Client, token: str) -> None:
    page = client.get("/first-run/", {"token": token})
    client.post(f"/first-run/?token={token}", ADA | {"token": first_administrator.setup_token()})

    assert "Whoever started the portal" in page.content.decode()
    assert ("not of this portal" in page.content.decode()) == bool(token)
    assert first_administrator.setup_token() not in page.content.decode()
    assert not User.objects.exists()


def test_the_page_without_a_token_writes_the_link_to_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        client.get("/first-run/")

    assert f"http://localhost:8000{setup_path()}" in caplog.text


def test_another_secret_of_the_portal_is_another_token() -> None:
    token = first_administrator.setup_token()

    with override_settings(SECRET_KEY="another"):
        assert first_administrator.setup_token() != token
        assert not first_administrator.is_setup_token(token)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"password1": "123", "password2": "123"}, "too short"),
        ({"password1": "password1", "password2": "password1"}, "too common"),
        ({"password1": "adalovelace", "password2": "adalovelace"}, "too similar"),
        ({"password2": "something else"}, "match"),
        ({"email": "nobody"}, "valid email"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com"}, "valid email"),
        ({"first_name": "Ada\r\nBcc: eve@example.com"}, "invisible characters"),
        ({"last_name": "\u202eecalevoL"}, "invisible characters"),
        ({"first_name": "A" * 151}, "at most 150"),
        ({"password1": "long" * 300, "password2": "long" * 300}, "at most 1000"),
    ],
)
def test_what_may_not_be_entered_is_said_and_makes_nobody(
    client: Client, changes: dict[str, str], complaint: str
) -> None:
    page = client.post(setup_path(), ADA | changes).content.decode()

    assert complaint in page
    assert not User.objects.exists()


def test_a_name_is_shown_as_it_was_typed(client: Client) -> None:
    client.post(setup_path(), ADA | {"first_name": "<script>alert(1)</script>"})

    assert "<script>alert" not in page_of(client, "/profile/").html
    assert page_of(client, "/profile/").one("h1").text == "<script>alert(1)</script> Lovelace"


def test_a_name_of_ten_megabytes_is_refused_before_it_is_read(client: Client) -> None:
    response = client.post(setup_path(), ADA | {"first_name": "A" * 10_000_000})

    assert response.status_code == 413
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_browsers_at_once_make_one_administrator() -> None:
    start = threading.Barrier(2)

    def make(email: str) -> int:
        client = Client()
        client.get(setup_path())
        start.wait(60)
        try:
            return client.post(setup_path(), ADA | {"email": email}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(make, ["ada@example.com", "eve@example.com"]))

    assert sorted(statuses) == [302, 404]
    assert User.objects.count() == 1
