"""The way from a file to a batch: the start, the file, and the check."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Connection, Project, ProviderKey, Upload, User
from tests.html import Page, page_of
from tests.make import (
    MODEL,
    VIEWER,
    join,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)
from tests.ordering import step, submit
from tests.sentences import problem

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15


def sent_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("tickets.jsonl", request_file())


# The start, and the file


def test_with_one_project_the_start_leads_to_its_files(browser: Client, project: Project) -> None:
    join(page_user(browser), make_project(), VIEWER)

    response = browser.get("/batches/new/")

    assert response["Location"] == "/projects/support/batches/new/"


def test_with_several_projects_one_is_chosen(browser: Client, project: Project) -> None:
    other = make_project(page_user(browser))
    looked_at = make_project(page_user(browser), role=VIEWER)

    page = page_of(browser, "/batches/new/")

    assert [link["href"] for link in page.all("a.choice")] == [
        f"/projects/{each.slug}/batches/new/"
        for each in sorted((project, other), key=lambda each: each.name)
    ]
    assert looked_at.name not in page.one("main").text


def test_a_page_that_asks_for_the_project_in_a_dialog_is_told_where_each_takes_files(
    browser: Client, project: Project
) -> None:
    response = browser.get("/batches/new/", headers={"HX-Request": "true"})

    link = Page(response).one("[data-target]")
    target = json.loads(link["data-target"])
    assert target["project"] == "Support tickets"
    assert target["files"]["url"] == "/projects/support/files/"
    assert target["tables"]["url"] == "/projects/support/tables/new/"


def test_files_sent_to_the_start_with_their_project_go_to_it(
    browser: Client, project: Project
) -> None:
    fields = {"project": "support", "then": "batch", "file": sent_file()}

    response = browser.post("/batches/new/", fields)

    upload = project.uploads.get()
    assert response["Location"] == f"/files/{upload.pk}/batch/"
    assert browser.post("/batches/new/", fields | {"project": "foreign"}).status_code == 404
    assert browser.post("/batches/new/", fields | {"project": ""}).status_code == 302


def test_a_viewer_sends_no_file_to_the_start(client: Client, project: Project) -> None:
    client.force_login(join(make_user(), project, VIEWER))

    response = client.post("/batches/new/", {"project": "support", "file": sent_file()})

    assert response.status_code == 403
    assert not project.uploads.exists()


def test_without_a_project_the_start_says_what_to_do(browser: Client) -> None:
    assert "You are in no project yet" in page_of(browser, "/batches/new/").text
    join(page_user(browser), make_project(), VIEWER)
    assert (
        "Ask one of their owners to make you an editor" in page_of(browser, "/batches/new/").text
    )


def test_the_file_step_offers_every_file_with_its_use(
    browser: Client, upload: Upload, user: User
) -> None:
    make_batch(upload.project, user, upload=upload)
    faulty = make_upload(upload.project, user, name="by hand.jsonl", content=b"nonsense\n")
    checking = make_upload(upload.project, user, name="later.jsonl", is_checked=False)

    page = page_of(browser, "/projects/support/batches/new/")
    assert "Earlier file 3" in page.one(".tabs").text
    rows = page_of(browser, "/projects/support/batches/new/", **{"from": "files"}).one("#rows")

    files = [link["id"] for link in rows.all("td.lead a")]
    assert files == [f"file-{file.pk}" for file in (checking, faulty, upload)]
    assert rows.texts("td:nth-child(5)") == ["0", "0", "1"]
    assert [link["aria-label"] for link in rows.all("a[aria-label]")] == [
        "Show errors of by hand.jsonl",
        "Use this file: tickets.jsonl",
    ]
    assert rows["hx-trigger"] == "every 2s"


def test_the_file_step_finds_files_by_name(browser: Client, upload: Upload, user: User) -> None:
    make_upload(upload.project, user, name="invoices.jsonl")

    found = page_of(browser, "/projects/support/batches/new/", q="Invoice")
    assert found.texts("#rows td.lead") == ["invoices.jsonl"]
    none = page_of(browser, "/projects/support/batches/new/", q="zebra")
    assert "No file has that in its name" in none.text


def test_the_file_step_begins_with_a_table_a_sample_or_pasted_lines_as_well(
    browser: Client, project: Project
) -> None:
    start = "/projects/support/batches/new/?from="

    assert page_of(browser, f"{start}table").one("form[data-takes]")["action"].endswith("/new/")
    pasted = page_of(browser, f"{start}paste").one("main form")
    assert (pasted["action"], pasted.values["then"]) == ("/projects/support/files/", "batch")
    assert pasted.one("textarea")["name"] == "pasted"
    assert "Sample" not in page_of(browser, f"{start}sample").one(".tabs").links
    Connection.objects.update(is_sandbox=True)
    page = page_of(browser, f"{start}sample")
    assert page.one('.tabs [aria-current="page"]').text == "Sample"
    assert page.one("form.samples").values["then"] == "batch"


def test_a_file_is_sent_from_the_flow_and_stays_in_it(browser: Client, project: Project) -> None:
    page = page_of(browser, "/projects/support/batches/new/")

    form = page.one("#upload form[aria-label=Requests]")
    assert form["action"] == "/projects/support/files/"
    assert form.values["then"] == "batch"


# The check


def test_the_check_is_looked_at_while_it_runs(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    Upload.objects.filter(pk=upload.pk).update(lines_checked=12_400)

    page = page_of(browser, f"/files/{upload.pk}/batch/")

    assert "12,400 lines so far" in page.text
    assert page.one("#live")["hx-trigger"] == "every 2s"
    assert "/batch/window/" not in page.html


def test_a_checked_file_goes_on_and_keeps_what_was_typed(browser: Client, upload: Upload) -> None:
    page = Page(browser.get(f"/files/{upload.pk}/batch/?window=1h&name=a+%26+b&odd=1"))

    assert "All 3 requests are ready to be sent." in page.text
    assert page.one("#onward")["href"] == (
        f"/files/{upload.pk}/batch/window/?window=1h&name=a+%26+b"
    )
    assert "every 2s" not in page.html


def test_a_faulty_file_says_what_to_do_and_leads_no_further(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    faulty = make_upload(project, user, content=f"{request_line(1)}\nnonsense\n".encode())

    page = page_of(browser, f"/files/{faulty.pk}/batch/")

    assert "1 of 2 lines has errors, so the file cannot be sent." in page.text
    assert "line 2" in page.text
    assert page.one("#upload-again")["href"] == "/projects/support/batches/new/#upload"
    assert "/batch/window/" not in page.html
    for name in ("window", "review"):
        response = browser.get(step(faulty, name, window="24h", key=key.pk))
        assert response["Location"].startswith(f"/files/{faulty.pk}/batch/?window=24h")
    response = submit(browser, faulty, {"window": "24h", "key": str(key.pk)})
    assert response["Location"].startswith(f"/files/{faulty.pk}/batch/")
    assert not Batch.objects.exists()


def test_a_check_that_broke_off_can_be_repeated(browser: Client, upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(
        status="failed", report_fields=None, problem=problem("No disk.")
    )

    page = page_of(browser, f"/files/{upload.pk}/batch/")

    assert "No disk." in page.text
    assert page.one(f'form[action="/files/{upload.pk}/check/"]')


def test_findings_of_another_version_lead_to_a_new_check(browser: Client, upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(report_fields={"of": "another version"})

    page = page_of(browser, step(upload, "window"))

    assert "written by another version" in page.text
    assert page.one(f'form[action="/files/{upload.pk}/check/"]')
    assert "Continue" not in page.text


def test_the_check_names_the_price_of_the_window_chosen_so_far(
    browser: Client, upload: Upload
) -> None:
    prices = [
        page_of(browser, f"/files/{upload.pk}/batch/", window=window).one("#price b").text
        for window in ("1h", "24h", "nonsense")
    ]

    assert prices == ["~$0.0013", "~$0.0006", "~$0.0006"]


def test_the_check_shows_the_first_request_but_no_secret(
    browser: Client, project: Project, user: User
) -> None:
    secret = "sk-" + 24 * "a1"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<b>?"}]
    open_words = request_line(1, body={"model": MODEL, "messages": messages})
    with_secret = open_words.replace("Be brief.", secret)
    files = [
        make_upload(project, user, content=f"\n{first}\n{request_line(2)}\n".encode())
        for first in (open_words, with_secret)
    ]

    for address in ("/files/{}/batch/", "/files/{}/"):
        shown, hidden = (page_of(browser, address.format(file.pk)) for file in files)

        assert shown.one("#first-request").text == "The first request System Be brief. User <b>?"
        assert "open" in shown.one("#first-request")
        assert not hidden.all("#first-request")
    assert secret not in hidden.html


# All of them


def test_who_only_looks_on_is_told_so_at_every_step(client: Client, upload: Upload) -> None:
    client.force_login(join(make_user(), upload.project, VIEWER))

    for url in (
        "/projects/support/batches/new/",
        f"/files/{upload.pk}/batch/",
        step(upload, "window"),
        step(upload, "review"),
    ):
        response = client.get(url)

        assert response.status_code == 403
        assert "Ask one of its owners to make you an editor" in Page(response).text


def test_no_step_asks_the_database_more_than_fifteen_times(
    browser: Client,
    upload: Upload,
    user: User,
    key: ProviderKey,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_key(user, upload.project.connection)
    for number in range(5):
        make_batch(upload.project, user, upload=upload, key=key, name="tickets")
        make_upload(upload.project, user, name=f"more {number}.jsonl")

    for url in (
        "/batches/new/",
        "/projects/support/batches/new/?q=e",
        f"/files/{upload.pk}/batch/",
        step(upload, "window", name="tickets"),
        step(upload, "window"),
        step(upload, "review", window="24h", key=key.pk, name="tickets"),
    ):
        with django_assert_max_num_queries(MOST_QUERIES):
            browser.get(url)


def page_user(browser: Client) -> User:
    return User.objects.get(pk=browser.session["_auth_user_id"])
