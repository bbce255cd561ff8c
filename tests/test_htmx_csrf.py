"""Requests of htmx carry the CSRF token, which every page has in one place."""

import json

import pytest
from django.test import Client

from batchapp.models import Project, User
from tests.html import page_of
from tests.make import make_upload, request_line
from tests.variables import ROOT

BASE = ROOT / "templates/base.html"
TEMPLATES = {path: path.read_text() for path in sorted((ROOT / "templates").rglob("*.html"))}


@pytest.mark.django_db
def test_a_post_with_the_headers_of_the_page_passes_and_without_them_is_refused(
    project: Project, user: User
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    upload = make_upload(project, user, content=f"{request_line(1)}\nnonsense\n".encode())
    page = page_of(browser, f"/files/{upload.pk}/correct/")
    url = page.one("main form[hx-post]")["hx-post"]
    preview = {"corrections": "drop_bad_rows", "preview": "1"}  # without the token of the form

    headers = {"HX-Request": "true"}
    refused = browser.post(url, preview, headers=headers)
    accepted = browser.post(
        url, preview, headers=headers | json.loads(page.one("body")["hx-headers"])
    )

    assert refused.status_code == 403
    assert accepted.status_code == 200
    assert "1 line dropped" in accepted.content.decode()


@pytest.mark.parametrize("url", ["/sign-in/", "/projects/", "/no-such-page/"])
@pytest.mark.django_db
def test_every_page_has_the_token(browser: Client, url: str) -> None:
    if url == "/sign-in/":
        browser.logout()

    headers = json.loads(page_of(browser, url).one("body")["hx-headers"])

    assert list(headers) == ["X-CSRFToken"]
    assert len(headers["X-CSRFToken"]) == 64


def test_no_template_hides_the_token_of_the_body_from_htmx() -> None:
    senders = [
        path
        for path, text in TEMPLATES.items()
        if "hx-post" in text and not path.name.startswith("_")  # parts stand in the pages
    ]
    extended = [path for path, text in TEMPLATES.items() if '{% extends "base.html" %}' in text]
    hiding = [
        (path.name, attribute)
        for path, text in TEMPLATES.items()
        for attribute in ("hx-headers", "hx-disinherit", "hx-inherit", "hx-disable", "<body")
        if attribute in text and path != BASE and path.name != "500.html"
    ]

    assert senders
    assert set(senders) <= set(extended)
    assert hiding == []
    assert TEMPLATES[BASE].count("hx-headers") == 1
    assert "disableInheritance" not in TEMPLATES[BASE]
