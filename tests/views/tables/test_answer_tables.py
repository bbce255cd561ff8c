"""From the results of a batch to a second batch, as a person does it."""

from typing import Any

import pytest
from django.test import Client

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, SourceTable, User
from batchapp.services.tables import requests_from_table
from tests.html import Page, page_of
from tests.make import (
    MODEL,
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
Committed = Any  # the fixture, whose type has a long name


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)), name="Reviews")
    lines = [answer_line(1, text='{"label": "<b>late"}'), answer_line(2, text=" ")]
    return finish(batch, lines, [error_line(3)])


def test_good_answers_become_a_table_and_the_second_batch_names_the_first(
    browser: Client, batch: Batch, user: User
) -> None:
    url = page_of(browser, batch.get_absolute_url()).one("#answers-as-table")["href"]
    fields = page_of(browser, url).one("form.with-rail").values

    answers = [browser.post(url, fields) for _ in range(2)]

    table = SourceTable.objects.get()
    assert [answer["Location"] for answer in answers] == 2 * [table.get_absolute_url()]
    builder = browser.get(table.get_absolute_url()).content.decode()
    assert "made from the answers of" in builder
    assert "{label}" in builder
    assert "&lt;b&gt;late" in builder
    second = second_batch(table, user)
    assert second.get_absolute_url() in browser.get(batch.get_absolute_url()).content.decode()
    made_from = page_of(browser, second.get_absolute_url()).one("#made-from a")
    assert made_from["href"] == batch.get_absolute_url()
    retry = make_batch(
        upload=make_upload(batch.project, user, content=request_file(3)), parent=batch
    )
    finish(retry, [answer_line(3, text="mended")])
    assert "1 answer changed since" in browser.get(second.get_absolute_url()).content.decode()
    assert "1 answer changed since" in browser.get(table.get_absolute_url()).content.decode()


def second_batch(table: SourceTable, user: User) -> Batch:
    settings = PromptSettings(model=MODEL, prompt="Why {label}?")
    table.refresh_from_db()
    requests_from_table.save_settings(table, user, settings, None)
    requests_from_table.request_file(table, user)
    advance(table)
    table.refresh_from_db()
    assert table.upload
    advance(table.upload)
    table.upload.refresh_from_db()
    return make_batch(upload=table.upload)


def test_the_filter_of_the_list_chooses_the_rows(browser: Client, batch: Batch) -> None:
    listed = page_of(browser, f"/batches/{batch.pk}/results/?outcome=empty&q=row-2")
    url = listed.one("#answers-as-table")["href"]
    page = page_of(browser, url)

    assert "checked" in page.one("input[value=empty]")
    browser.post(url, {"rows": "empty"})
    table = SourceTable.objects.get()
    assert table.answer_filter["text"] == "row-2"
    assert (table.status, table.rows) == ("kept", 1)


def test_a_filter_that_matches_nothing_is_said_with_the_next_step(
    browser: Client, batch: Batch
) -> None:
    url = f"/batches/{batch.pk}/answers-as-table/?q=rucksack"

    page = Page(browser.post(url, {"rows": "ok"}, follow=True))

    assert "no such results" in page.one("[role=alert]").text
    assert page.one("#another")["href"] == f"/batches/{batch.pk}/answers-as-table/"


def test_newer_answers_are_read_into_a_table_without_a_batch(
    browser: Client, batch: Batch, user: User
) -> None:
    url = f"/batches/{batch.pk}/answers-as-table/"
    browser.post(url, {"rows": "every"})
    retry = make_batch(
        upload=make_upload(batch.project, user, content=request_file(3)), parent=batch
    )
    finish(retry, [answer_line(3, text="mended")])
    table = SourceTable.objects.get()

    browser.post(f"/tables/{table.pk}/read/")

    table.refresh_from_db()
    assert [row["answer"] for row in table.open_rows()][2] == "mended"


def test_a_large_batch_is_left_to_a_worker(
    browser: Client,
    batch: Batch,
    woken: list[str],
    django_capture_on_commit_callbacks: Committed,
) -> None:
    Batch.objects.update(requests=10**6)

    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(f"/batches/{batch.pk}/answers-as-table/", {"rows": "ok"})

    table = SourceTable.objects.get()
    assert woken == [str(table.pk)]
    assert "being made from the answers" in browser.get(answer["Location"]).content.decode()


def test_a_running_batch_and_a_viewer_make_no_table(
    browser: Client, client: Client, project: Project, user: User
) -> None:
    running = make_batch(project, user)
    answer = browser.post(f"/batches/{running.pk}/answers-as-table/", {"rows": "ok"})
    assert answer["Location"] == running.get_absolute_url()

    client.force_login(join(make_user(), project, VIEWER))
    assert client.get(f"/batches/{running.pk}/answers-as-table/").status_code == 403
    assert not SourceTable.objects.exists()


def test_a_choice_that_is_not_offered_is_said(browser: Client, batch: Batch) -> None:
    page = Page(browser.post(f"/batches/{batch.pk}/answers-as-table/", {"rows": "bananas"}))

    assert "Choose the results." in page.text
