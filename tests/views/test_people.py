"""Signing in, the profile, and provider keys that are never shown."""

import uuid

import httpx
import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from batchapp.models import Part, Project, ProviderKey, User
from batchapp.urls import urlpatterns
from tests.make import (
    ADMIN,
    PASSWORD,
    join,
    make_batch,
    make_connection,
    make_key,
    make_user,
    set_part,
)
from tests.provider import Provider

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-0123456789-WXYZ"


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


def test_signing_in_does_not_lead_to_other_sites(client: Client, user: User) -> None:
    data = {"username": user.email, "password": PASSWORD, "next": "https://evil.test/"}

    assert client.post("/sign-in/", data)["Location"] == "/"


def test_a_page_that_polls_after_the_session_ended_is_loaded_anew(client: Client) -> None:
    response = client.get("/", headers={"HX-Request": "true"}, follow=True)

    assert response["HX-Refresh"] == "true"
    assert response.content == b""


def test_signing_out_takes_a_click_not_a_link(page: Client) -> None:
    assert page.get("/sign-out/").status_code == 405
    page.post("/sign-out/")
    assert page.get("/").status_code == 302


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda each: str(each.name))
def test_signing_in_never_leads_to_a_page_that_only_takes_forms(
    page: Client, user: User, project: Project, pattern: URLPattern
) -> None:
    known = {"slug": project.slug, "pk": uuid.uuid4(), "line": 1, "kind": "output"}
    names = pattern.pattern.converters
    url = reverse(str(pattern.name), kwargs={name: known[name] for name in names})

    stranger = Client()
    landed = stranger.post(
        "/sign-in/", {"username": user.email, "password": PASSWORD, "next": url}
    )

    assert page.get(landed["Location"]).status_code != 405


def test_a_name_and_a_password_can_be_changed(page: Client, user: User) -> None:
    page.post("/profile/", {"action": "name", "first_name": "Ada", "last_name": "Lovelace"})
    new = "a much longer secret"
    response = page.post(
        "/profile/password/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    user.refresh_from_db()
    assert str(user) == "Ada Lovelace"
    assert user.check_password(new)
    assert response["Location"] == "/profile/"


def test_a_key_is_stored_encrypted_and_never_shown_again(page: Client, user: User) -> None:
    connection = make_connection()

    response = page.post(
        "/profile/",
        {"action": "key", "connection": connection.pk, "name": "Mine", "secret": SECRET},
        follow=True,
    )

    key = ProviderKey.objects.get()
    html = response.content.decode()
    assert (key.user, key.connection, key.secret()) == (user, connection, SECRET)
    assert SECRET not in key.ciphertext
    assert "…WXYZ" in html
    assert SECRET not in html
    assert key.ciphertext not in html
    assert 'autocomplete="off"' in html


def test_a_key_without_a_name_is_called_by_its_connection_however_long_that_is(
    page: Client, user: User
) -> None:
    connection = make_connection(name="c" * 100)

    page.post(
        "/profile/",
        {"action": "key", "connection": connection.pk, "secret": "sk-test-000000001234"},
    )

    assert user.provider_keys.get().name == "c" * 100


def test_a_refused_key_is_not_echoed(page: Client) -> None:
    html = page.post("/profile/", {"action": "key", "secret": f"{SECRET} oops"}).content.decode()

    assert "holds a blank" in html
    assert SECRET not in html


@pytest.mark.parametrize("secret", ["", "short", "sk-with-ümlaut-12345", "two\nlines-12345678"])
def test_what_is_no_key_is_refused(page: Client, secret: str) -> None:
    connection = make_connection()

    page.post("/profile/", {"action": "key", "connection": connection.pk, "secret": secret})

    assert not ProviderKey.objects.exists()


def test_a_key_is_replaced_and_removed(page: Client, user: User) -> None:
    key = make_key(user)

    page.post(f"/keys/{key.pk}/replace/", {"secret": SECRET})
    key.refresh_from_db()
    assert key.secret() == SECRET

    page.post(f"/keys/{key.pk}/remove/")
    key.refresh_from_db()
    assert key.ciphertext == ""
    assert "WXYZ" not in page.get("/profile/").content.decode().replace(
        "The key …WXYZ is removed.", ""
    )


def test_replacing_a_key_warns_while_a_batch_on_it_may_exist_unconfirmed(
    page: Client, user: User, project: Project
) -> None:
    key = make_key(user, project.connection)
    batch = make_batch(project, user, key=key)
    url = f"/keys/{key.pk}/replace/"
    assert "paid a second time" not in page.get(url).content.decode()

    set_part(batch, create_attempted_at=timezone.now(), status=Part.Status.WAITING)
    assert "paid a second time" in page.get(url).content.decode()

    set_part(batch, upstream_id="batch-1", status=Part.Status.RUNNING)
    assert "paid a second time" not in page.get(url).content.decode()


def test_a_key_that_batches_need_stays(page: Client, user: User, project: Project) -> None:
    key = make_key(user, project.connection)
    make_batch(project, user, key=key)

    response = page.post(f"/keys/{key.pk}/remove/", follow=True)

    key.refresh_from_db()
    assert key.ciphertext
    assert "1 batch under way needs this key" in response.content.decode()


def test_a_project_key_is_added_by_an_admin_and_serves_its_members(
    page: Client, user: User, project: Project
) -> None:
    project.memberships.update(role=ADMIN)

    page.post("/projects/support/keys/", {"name": "Team", "secret": SECRET})

    key = ProviderKey.objects.get()
    assert (key.project, key.user, key.connection) == (project, None, project.connection)
    member = Client()
    member.force_login(join(make_user(), project))
    html = member.get("/projects/support/keys/").content.decode()
    assert "…WXYZ" in html
    assert "Add a key" not in html
    assert SECRET not in html


def test_a_key_is_tried_out_at_the_provider(page: Client, user: User, provider: Provider) -> None:
    key = make_key(user)
    provider.before = lambda call, request: httpx.Response(
        200, json={"data": [{"id": "a"}, {"id": "b"}]}
    )

    html = page.post(f"/keys/{key.pk}/test/", follow=True).content.decode()

    assert f"{key.connection} takes the key …1234: 2 models." in html


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refused the key"),
        (402, "no credits left"),
        (404, "ask an operator to check the connection"),
        (422, "ask an operator to check the connection"),
        (503, "says nothing about the key"),
    ],
)
def test_a_key_that_fails_its_test_is_met_with_advice(
    page: Client, user: User, provider: Provider, status: int, sentence: str
) -> None:
    key = make_key(user)
    provider.before = lambda call, request: httpx.Response(status, text="no")

    html = page.post(f"/keys/{key.pk}/test/", follow=True).content.decode()

    assert f"{key}: " in html or "says nothing about the key" in html
    assert sentence in html
    assert "upload it again" not in html
    assert "this batch" not in html
    assert "sk-test" not in html


def test_no_page_holds_a_key(page: Client, user: User, project: Project) -> None:
    project.memberships.update(role=ADMIN)
    key = make_key(project, secret=SECRET)
    batch = make_batch(project, user, key=key)
    user.is_staff = user.is_superuser = True
    user.save()

    for url in (
        "/projects/support/keys/",
        "/profile/",
        batch.get_absolute_url(),
        f"/batches/{batch.pk}/try-again/",
        f"/files/{batch.upload_id}/batch/",
        f"/keys/{key.pk}/replace/",
        f"/admin/batchapp/providerkey/{key.pk}/change/",
        f"/admin/batchapp/batch/{batch.pk}/change/",
    ):
        html = page.get(url).content.decode()
        assert "<h1>" in html
        assert SECRET not in html
        assert key.ciphertext not in html
