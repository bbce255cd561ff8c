"""Pages for what cannot be shown."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.access import NotAllowed, Right
from batchapp.models import Project, User
from batchapp.views import errors, home
from config.storage_url import storage_backend
from tests.html import Page
from tests.make import (
    VIEWER,
    finish,
    join,
    make_administrator,
    make_batch,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_what_is_not_there_gets_a_sentence_and_a_way_back(browser: Client) -> None:
    response = browser.get("/no/such/page/")

    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert 'href="/"' in response.content.decode()
    page = Page(response)
    assert page.one("main code").text == "/no/such/page/"
    assert page.one("main form[role=search]")["action"] == "/palette/"


def test_a_viewer_who_tries_to_write_is_told_whom_to_ask(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    response = client.post("/projects/support/files/")

    assert response.status_code == 403
    assert "Ask one of its owners to make you an editor." in response.content.decode()


@pytest.mark.parametrize(
    ("role", "status", "sentence"),
    [(VIEWER, 403, "Ask one of its owners to make you an editor."), ("", 404, "Page not found")],
)
def test_a_service_that_refuses_gets_the_same_pages(
    rf: RequestFactory, role: str, status: int, sentence: str
) -> None:
    project, user = make_project(), make_user()
    if role:
        join(user, project, role)
    request = rf.get("/")
    request.user = user

    response = errors.forbidden(request, NotAllowed(Right.WRITE, project))

    assert response.status_code == status
    assert sentence in response.content.decode()


def test_a_page_whose_storage_is_away_says_so(
    browser: Client, project: Project, settings: LazySettings, tmp_path: Path
) -> None:
    upload = make_upload(project)
    url = "s3+http://key:secret@127.0.0.1:1/batchapp"
    settings.STORAGES = settings.STORAGES | {"default": storage_backend(url, copies_dir=tmp_path)}

    response = browser.get(f"/files/{upload.pk}/download/")

    assert response.status_code == 503
    assert Page(response).one("h1").text == "The files cannot be reached"


def test_a_form_without_its_token_gets_a_page(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)

    response = strict.post("/projects/new/", {"name": "X"})

    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()


def test_a_body_that_broke_off_gets_a_page(browser: Client, project: Project) -> None:
    response = browser.post(
        "/projects/support/files/", b"--x", content_type="multipart/form-data; boundary="
    )

    assert response.status_code == 400
    assert "could not read this" in response.content.decode()


def test_our_own_faults_get_a_page_without_details(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> Any:
        raise ZeroDivisionError("sk-secret")

    monkeypatch.setattr(home, "summarise", explode)
    project = make_project(page_user())
    finish(make_batch(project))
    browser.raise_request_exception = False

    response = browser.get("/")

    assert response.status_code == 500
    assert "Something broke in the portal" in response.content.decode()
    assert "sk-secret" not in response.content.decode()
    assert "Traceback" not in response.content.decode()


def test_the_page_for_our_own_faults_needs_neither_the_database_nor_a_request(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        html = render_to_string("500.html")

    assert "Something broke in the portal" in html
    assert '<svg class="drawing"' in html


@pytest.mark.parametrize("url", ["/", "/sign-in/", "/profile/", "/no/such/page/"])
def test_pages_need_nothing_that_the_content_policy_forbids(browser: Client, url: str) -> None:
    response = browser.get(url, follow=True)
    html = response.content.decode()

    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert " style=" not in html
    assert "<style" not in html
    assert "<script>" not in html
    assert "onclick" not in html
    assert '"includeIndicatorStyles":false' in html


def test_the_admin_of_django_opens_every_page(client: Client) -> None:
    client.force_login(make_administrator())
    finish(make_batch())

    for model in ("user", "project", "connection", "price", "providerkey", "batch", "upload"):
        assert client.get(reverse(f"admin:batchapp_{model}_changelist")).status_code == 200
    for model in ("user", "project", "connection", "price", "providerkey", "batch", "upload"):
        assert client.get(reverse(f"admin:batchapp_{model}_add")).status_code == 403


def page_user() -> User:
    return User.objects.get(email="ada@example.com")
