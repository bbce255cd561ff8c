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


BOUNDARY = b"--x"
MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    "body",
    [
        b"".join(
            BOUNDARY + b'\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % number
            for number in range(100_000)
        ),
        b"".join(
            BOUNDARY
            + b'\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\n1\r\n'
            % number
            for number in range(100_000)
        ),
        BOUNDARY + b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n' % (b"n" * 10**6),
        BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n',
        (BOUNDARY + b"\r\n") * 100_000,
        b"",
    ],
    ids=["fields", "files", "a long name", "no end", "nothing between", "empty"],
)
def test_an_odd_form_is_refused_or_has_no_file(
    browser: Client, project: Project, body: bytes
) -> None:
    response = browser.post(f"/projects/{project.slug}/files/", body, content_type=MULTIPART)

    assert response.status_code in {200, 400, 413}
    assert not project.uploads.exists()
