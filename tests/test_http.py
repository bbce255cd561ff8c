"""Responses: pages are compressed, downloads are not."""

import gzip

import pytest
from django.test import Client

from batchapp.models import Project, User
from tests.make import finish, make_batch

pytestmark = pytest.mark.django_db
COMPRESSING = {"Accept-Encoding": "gzip"}


def test_a_page_is_compressed_for_a_browser_that_asks_for_it(browser: Client) -> None:
    page = browser.get("/projects/", headers=COMPRESSING)

    assert page["Content-Encoding"] == "gzip"
    assert b"<h1>Projects</h1>" in gzip.decompress(page.content)
    assert "Content-Encoding" not in browser.get("/projects/")


def test_a_download_is_sent_as_it_is_stored(browser: Client, project: Project, user: User) -> None:
    batch = finish(make_batch(project, user))

    download = browser.get(f"/batches/{batch.pk}/output.jsonl", headers=COMPRESSING)

    assert "Content-Encoding" not in download
