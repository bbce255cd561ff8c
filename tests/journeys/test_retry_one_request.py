"""A retry of exactly the request that a person looks at."""

import uuid

import pytest
from django.test import Client

from batchapp.models import Batch, Project, Result, Upload, User
from tests.html import page_of
from tests.make import (
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_upload,
    make_user,
    request_file,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of five requests: two good, one cut short, two failed alike."""
    upload = make_upload(project, user, content=request_file(5))
    cut = answer_line(3).replace(b'"stop"', b'"length"')
    return finish(
        make_batch(upload=upload), [answer_line(1), answer_line(2), cut], map(error_line, (4, 5))
    )


def page_address(batch: Batch, line: int) -> str:
    return f"/batches/{batch.pk}/results/{line}/"


@pytest.mark.parametrize(("line", "status"), [(3, "truncated"), (5, "provider_error")])
def test_the_page_of_a_result_leads_to_a_retry_of_this_request_alone(
    browser: Client, batch: Batch, woken: list[str], line: int, status: str
) -> None:
    page = page_of(browser, page_of(browser, page_address(batch, line)).one("#retry-one")["href"])
    assert "1 request will be run again." in page.text
    assert f"Line {line}: " in page.one("#scope").text
    fields = {
        field["name"]: field["value"] for field in page.all("input[type=hidden][name][value]")
    }
    assert (fields["line"], fields["outcomes"]) == (str(line), status)

    browser.post(f"/batches/{batch.pk}/retry/", fields | {"max_tokens_factor": "4"})

    upload = Upload.objects.get(retry_of=batch)
    advance(upload)
    upload.refresh_from_db()
    assert b"".join(upload.chunks()).count(b"\n") == 1
    assert f'"custom_id":"row-{line}"'.encode() in b"".join(upload.chunks()).replace(b" ", b"")
    assert upload.retry_selection
    assert f"only line {line}" in upload.retry_selection.summary


def test_a_good_answer_and_a_person_who_may_only_look_have_no_retry(
    browser: Client, batch: Batch, client: Client
) -> None:
    assert not page_of(browser, page_address(batch, 1)).all("#retry-one")
    viewer = make_user("viewer@example.com")
    join(viewer, batch.project, VIEWER)
    client.force_login(viewer)
    assert not page_of(client, page_address(batch, 5)).all("#retry-one")


def test_a_request_that_has_an_answer_by_now_is_not_run_again(
    browser: Client, batch: Batch
) -> None:
    answered, failed = (Result.objects.get(batch=batch, line=line) for line in (1, 5))
    Result.objects.filter(pk=failed.pk).update(retried=answered)

    assert not page_of(browser, page_address(batch, 5)).all("#retry-one")
    fields = {"line": "5", "outcomes": "provider_error", "submission": str(uuid.uuid4())}
    response = browser.post(f"/batches/{batch.pk}/retry/", fields)

    assert response.status_code == 302
    assert response["Location"] == f"/batches/{batch.pk}/problems/"
    assert not Upload.objects.filter(retry_of=batch).exists()


@pytest.mark.parametrize("line", ["0", "-1", "x", "9" * 30, "2", "\0"])
def test_an_odd_line_is_a_retry_of_what_a_person_chooses(
    browser: Client, batch: Batch, line: str
) -> None:
    page = page_of(browser, f"/batches/{batch.pk}/retry/", line=line)

    assert page.all("input[type=checkbox][name=outcomes]")
