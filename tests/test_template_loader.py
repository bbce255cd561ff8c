"""Pages without the indentation of their templates."""

import pytest
from django.test import Client

from batchapp.models import Project, User
from tests.html import page_of
from tests.make import make_upload

pytestmark = pytest.mark.django_db


def test_no_line_of_a_page_is_indented(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user)

    for url in ("/projects/support/files/", upload.get_absolute_url()):
        lines = page_of(browser, url).html.splitlines()
        indented = [line for line in lines if line.startswith((" ", "\t"))]
        assert [line for line in indented if "<option" not in line] == []  # Django's own widgets


def test_white_space_that_was_typed_stays(browser: Client, project: Project) -> None:
    typed = "  two spaces\n\ttab"

    response = browser.post("/projects/support/tables/new/", {"pasted": typed, "template": "x"})

    assert f"\n{typed}</textarea>" in response.content.decode()
