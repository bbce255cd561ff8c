"""Sending files: from a form, from a script, from a clipboard."""

import gzip
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from batchapp import tasks
from batchapp.models import Project, SourceTable, Upload, User
from batchapp.services.files import upload_intake
from tests.make import VIEWER, join, make_project, make_upload, make_user, request_file
from tests.views.sample_tables import workbook

pytestmark = pytest.mark.django_db

URL = "/projects/support/files/"
JSON = {"Accept": "application/json"}


def sent(content: bytes = b"", name: str = "questions.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content or request_file())


def test_a_file_is_kept_as_it_is_and_a_worker_told(
    browser: Client,
    project: Project,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(URL, {"file": sent()})

    upload = Upload.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/files/{upload.pk}/"
    assert b"".join(upload.chunks()) == request_file()
    assert (upload.name, upload.project, upload.uploaded_by.email) == (
        "questions.jsonl",
        project,
        "ada@example.com",
    )
    assert woken == [str(upload.pk)]


def test_a_file_is_kept_also_when_no_worker_can_be_told(
    browser: Client,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(tasks.advance, "delay", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(URL, {"file": sent()})

    assert response.status_code == 302
    assert Upload.objects.get().next_check_at is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reviews.csv", b"id;text\n1;Gut\n"),
        ("reviews.dat", b"id\ttext\n1\tGood\n"),
        ("one column.csv", b"text\nGood\n"),
        ("reviews.jsonl", b'{"id": 1, "text": "Good"}\n{"id": 2, "text": "Bad"}\n'),
        ("reviews.json", b'[{"id": 1, "text": "Good"}, {"id": 2, "text": "Bad"}]'),
        ("reviews.txt", "id,text\n1,Größe\n".encode("utf-16")),
        ("reviews.xlsx", workbook(Reviews=[["id", "text"], [1, "Good"]])),
        ("reviews", workbook(Reviews=[["id", "text"], [1, "Good"]])),
    ],
)
def test_a_table_of_any_format_opens_the_builder(
    browser: Client, project: Project, name: str, content: bytes
) -> None:
    response = browser.post(URL, {"file": sent(content, name)})

    assert response["Location"] == SourceTable.objects.get(status="kept").get_absolute_url()
    assert not Upload.objects.exists()


@pytest.mark.parametrize("url", [URL, "/projects/support/tables/new/"])
def test_a_table_opens_the_builder_wherever_it_is_sent(
    browser: Client, project: Project, url: str
) -> None:
    name, content = "reviews.csv", b"id;text\n1;Gut\n"

    by_form = browser.post(url, {"file": sent(content, name)})
    by_script = browser.post(url, {"file": sent(content, name)}, headers=JSON)

    urls = {table.get_absolute_url() for table in SourceTable.objects.filter(status="kept")}
    assert {by_form["Location"], by_script.json()["files"][0]["next"]} == urls
    assert len(urls) == 2
    assert not Upload.objects.exists()


@pytest.mark.parametrize("name", ["questions.jsonl", "questions.csv", "questions", "q.jsonl.gz"])
def test_requests_go_to_their_check_from_the_builder_too(
    browser: Client, project: Project, name: str
) -> None:
    content = gzip.compress(request_file()) if name.endswith(".gz") else request_file()
    url = "/projects/support/tables/new/"

    by_form = browser.post(url, {"file": sent(content, name)})
    by_script = browser.post(url, {"file": sent(content, name)}, headers=JSON)
    pasted = browser.post(url, {"pasted": request_file().decode()})

    checks = {f"/files/{upload.pk}/batch/" for upload in Upload.objects.all()}
    assert {
        by_form["Location"],
        by_script.json()["files"][0]["next"],
        pasted["Location"],
    } == checks
    assert not SourceTable.objects.exists()


def test_a_broken_file_of_requests_is_checked_and_no_table(
    browser: Client, project: Project
) -> None:
    browser.post(URL, {"file": sent(b"first, second\nthird, fourth\n", "broken.jsonl")})

    assert Upload.objects.get().name == "broken.jsonl"
    assert not SourceTable.objects.exists()


def test_a_table_that_came_in_as_requests_is_opened_as_a_table_by_one_button(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=b"id,text\n1,Good\n", name="reviews.jsonl")
    other = make_upload(project, user)

    for url in (upload.get_absolute_url(), f"/files/{upload.pk}/batch/"):
        assert "Make requests from its rows" in browser.get(url).content.decode()
    assert "from its rows" not in browser.get(other.get_absolute_url()).content.decode()
    opened = browser.post(f"/files/{upload.pk}/table/")
    refused = browser.post(f"/files/{other.pk}/table/", follow=True)

    table = SourceTable.objects.get()
    assert opened["Location"] == table.get_absolute_url()
    assert (table.columns, table.rows) == (["id", "text"], 1)
    assert Upload.objects.filter(pk=upload.pk).exists()
    assert "requests" in refused.content.decode()


def test_a_table_and_requests_sent_together_are_both_stored(
    browser: Client, project: Project
) -> None:
    table = sent(b"id,text\n1,Good\n", "reviews.csv")
    response = browser.post(URL, {"file": [table, sent(name="a.jsonl")]}, follow=True)

    assert response.redirect_chain[-1][0] == "/projects/support/tables/new/"
    page = response.content.decode()
    assert "1 file was uploaded" in page
    assert "Uploaded as tables: reviews.csv." in page
    assert (Upload.objects.count(), SourceTable.objects.count()) == (1, 1)


def test_a_table_that_cannot_be_read_is_refused_with_the_reason_and_nothing_is_stored(
    browser: Client, project: Project
) -> None:
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + 600 * b"\0"

    response = browser.post(URL, {"file": [sent(name="a.jsonl"), sent(content, "reviews.xls")]})
    by_script = browser.post(URL, {"file": sent(content, "reviews.xls")}, headers=JSON)

    assert "old Excel" in response.content.decode()
    assert by_script.status_code == 400
    assert "old Excel" in by_script.json()["error"]
    assert not Upload.objects.exists()
    assert not SourceTable.objects.exists()


def test_several_files_are_sent_at_once(browser: Client, project: Project) -> None:
    response = browser.post(
        URL, {"file": [sent(name="a.jsonl"), sent(name="b.jsonl")]}, follow=True
    )

    assert response.redirect_chain[-1][0] == URL
    assert set(Upload.objects.values_list("name", flat=True)) == {"a.jsonl", "b.jsonl"}
    assert "2 files were uploaded" in response.content.decode()


def test_too_many_files_at_once_are_answered_with_how_many_may_be(
    browser: Client, project: Project
) -> None:
    response = browser.post(URL, {"file": [sent(name=f"{n}.jsonl") for n in range(101)]})

    assert response.status_code == 413
    assert "at most 100 files at once" in response.content.decode()
    assert not Upload.objects.exists()


def test_another_ending_is_taken_and_the_check_speaks(browser: Client, project: Project) -> None:
    assert browser.post(URL, {"file": sent(name="questions.txt")}).status_code == 302


def test_no_file_is_answered_with_what_to_do(browser: Client, project: Project) -> None:
    response = browser.post(URL, {})

    assert "Choose a file first" in response.content.decode()
    assert not Upload.objects.exists()


def test_an_empty_file_is_refused_by_name(browser: Client, project: Project) -> None:
    response = browser.post(URL, {"file": SimpleUploadedFile("nothing.jsonl", b"")})

    assert "nothing.jsonl is empty. Choose a file" in response.content.decode()
    assert not Upload.objects.exists()


def test_a_file_beyond_the_connections_limit_is_refused_with_the_limit(
    browser: Client, project: Project
) -> None:
    project.connection.max_upload_bytes = 1024 * 1024
    project.connection.save()

    response = browser.post(URL, {"file": sent(b"x" * (1024 * 1024 + 1))})

    assert f"a file for {project.connection} may have at most 1.0 MiB" in response.content.decode()
    assert not Upload.objects.exists()


def test_one_wrong_file_among_several_stops_them_all(browser: Client, project: Project) -> None:
    response = browser.post(URL, {"file": [sent(), SimpleUploadedFile("nothing.jsonl", b"")]})

    assert "None of the files was uploaded" in response.content.decode()
    assert not Upload.objects.exists()


def test_a_body_beyond_the_portals_limit_gets_a_page_not_an_error(
    browser: Client, project: Project, settings: Settings
) -> None:
    settings.MAX_UPLOAD_MIB = 1

    response = browser.post(URL, {"file": sent(b"x" * (1024 * 1024 + 1))})

    assert response.status_code == 413
    assert "takes at most 1 MiB at once" in response.content.decode()
    assert not Upload.objects.exists()


def test_the_limit_holds_where_the_token_is_read_before_the_view(
    user: User, project: Project, settings: Settings
) -> None:
    settings.MAX_UPLOAD_MIB = 1
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    strict.get(URL)  # brings the cookie that the form's token is compared with

    response = strict.post(URL, {"file": sent(b"x" * (1024 * 1024 + 1))})

    assert response.status_code == 413


def test_a_stranger_cannot_fill_the_disk(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.get("/sign-in/")

    response = strict.post("/sign-in/", {"file": sent(b"x" * (1024 * 1024 + 1))})

    assert response.status_code == 413
    assert "Sign in first" in response.content.decode()


def test_a_file_that_cannot_be_one_of_requests_is_refused_by_its_ending(
    browser: Client, project: Project
) -> None:
    response = browser.post(URL, {"file": sent(name="holiday.png")})

    assert "holiday.png is not taken" in response.content.decode()
    assert not Upload.objects.exists()


def test_a_script_is_answered_with_where_the_file_is(browser: Client, project: Project) -> None:
    response = browser.post(URL, {"file": sent()}, headers=JSON)

    upload = Upload.objects.get()
    assert response.status_code == 201
    assert response.json()["files"] == [
        {
            "url": f"/files/{upload.pk}/",
            "next": f"/files/{upload.pk}/",
            "state": f"/files/{upload.pk}/state/",
            "duplicate": None,
        }
    ]


def test_a_script_is_told_why_a_file_is_not_taken(browser: Client, project: Project) -> None:
    response = browser.post(URL, {"file": SimpleUploadedFile("nothing.jsonl", b"")}, headers=JSON)

    assert response.status_code == 400
    assert response.json() == {
        "error": "nothing.jsonl is empty. Choose a file with one request on each line."
    }


def test_a_script_is_told_what_may_be_sent(
    browser: Client, project: Project, settings: Settings
) -> None:
    settings.MAX_UPLOAD_MIB = 1

    answer = browser.get(URL, headers=JSON).json()

    files, tables = answer["files"], answer["tables"]
    assert (answer["project"], files["max_bytes"]) == ("Support tickets", 1024 * 1024)
    assert (files["url"], tables["url"]) == (URL, "/projects/support/tables/new/")
    assert ".jsonl" in files["endings"]
    assert ".xlsx" in tables["endings"]


def test_a_viewer_cannot_send_by_script_either(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert client.post(URL, {"file": sent()}, headers=JSON).status_code == 403
    assert not Upload.objects.exists()


def test_the_check_of_a_file_can_be_followed(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    Upload.objects.update(lines_checked=1200)
    url = f"/files/{upload.pk}/state/"

    checking = browser.get(url).json()
    Upload.objects.update(lines_checked=0)
    upload.refresh_from_db()
    upload_intake.check_upload(upload)

    assert checking == {
        "text": "Checking: 1,200 lines so far",
        "tone": "busy",
        "is_moving": True,
    }
    assert browser.get(url).json() == {
        "text": "Ready: 3 requests",
        "tone": "good",
        "is_moving": False,
    }


def test_errors_are_counted_for_a_script(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user, content=b'{"custom_id": "a"}\nnonsense\n')
    assert upload.report

    text = browser.get(f"/files/{upload.pk}/state/").json()["text"]

    assert text == f"Has errors: {upload.report.severities['error']} errors"


def test_what_is_sent_twice_comes_in_once(browser: Client, project: Project) -> None:
    submission = str(uuid4())

    answers = [browser.post(URL, {"file": sent(), "submission": submission}) for _ in range(2)]

    upload = Upload.objects.get()
    assert {answer["Location"] for answer in answers} == {f"/files/{upload.pk}/"}


def test_one_form_brings_different_files_and_names(browser: Client, project: Project) -> None:
    form = {"submission": str(uuid4())}

    browser.post(URL, form | {"file": sent()})
    browser.post(URL, form | {"file": sent(request_file(2))})
    browser.post(URL, form | {"file": sent(name="other.jsonl")})

    assert Upload.objects.count() == 3


def test_another_persons_form_is_another_submission(browser: Client, project: Project) -> None:
    form = {"submission": str(uuid4())}
    other = Client()
    other.force_login(join(make_user(), project))

    browser.post(URL, form | {"file": sent()})
    other.post(URL, form | {"file": sent()})

    assert Upload.objects.count() == 2


def test_two_that_come_at_one_instant_are_one(
    project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = uuid4()
    first: list[Upload] = []
    save = Storage.save

    def receive() -> Upload:
        file = SimpleUploadedFile("a.jsonl", request_file())
        return upload_intake.receive_file(
            project, user, file, name="a.jsonl", submission=submission
        )

    def overtaken(*args: Any, **kwargs: Any) -> str:
        monkeypatch.setattr(Storage, "save", save)
        first.append(receive())
        return save(*args, **kwargs)

    monkeypatch.setattr(Storage, "save", overtaken)
    second = receive()

    assert second == first[0]
    assert b"".join(second.chunks()) == request_file()
    assert len(default_storage.listdir(f"uploads/{project.pk}")[1]) == 1


def test_the_answer_names_the_same_bytes_that_are_here(browser: Client, project: Project) -> None:
    first = make_upload(project, name="tickets.jsonl")

    duplicate = browser.post(URL, {"file": sent()}, headers=JSON).json()["files"][0]["duplicate"]

    assert duplicate["url"] == first.get_absolute_url()
    text = "A file with the same content is here already: tickets.jsonl, "
    assert duplicate["text"].startswith(text)


def test_a_file_sent_to_be_run_leads_to_its_batch(browser: Client, project: Project) -> None:
    location = browser.post(URL, {"file": sent(), "then": "batch"})["Location"]
    upload = Upload.objects.get()
    answer = browser.post(URL, {"file": sent(), "then": "batch"}, headers=JSON).json()["files"][0]

    assert location == f"/files/{upload.pk}/batch/"
    assert answer["next"] == f"{answer['url']}batch/"


def test_pasted_lines_become_a_file(browser: Client, project: Project) -> None:
    text = request_file().decode().replace("\n", "\r\n")

    browser.post(URL, {"pasted": text})
    browser.post(URL, {"pasted": text, "name": "by hand"})

    first, second = Upload.objects.order_by("created_at")
    assert b"".join(first.chunks()) == request_file()
    assert (first.name, second.name) == ("pasted.jsonl", "by hand.jsonl")


@pytest.mark.parametrize("text", ["", " \r\n "])
def test_pasting_nothing_is_answered_with_what_to_do(
    browser: Client, project: Project, text: str
) -> None:
    response = browser.post(URL, {"pasted": text})

    assert "Paste at least one line first" in response.content.decode()
    assert not Upload.objects.exists()


def test_what_is_pasted_keeps_to_the_limit_and_stays_in_its_field(
    browser: Client, project: Project
) -> None:
    project.connection.max_upload_bytes = 1024 * 1024
    project.connection.save()

    response = browser.post(URL, {"pasted": "<b>" + "x" * 1024 * 1024})

    html = response.content.decode()
    assert f"a file for {project.connection} may have at most 1.0 MiB" in html
    assert "&lt;b&gt;xxx" in html
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x" * 800 + ".jsonl", "x" * 200),
        ("🧾 Belege.jsonl", "🧾 Belege.jsonl"),
        ("קובץ.jsonl", "קובץ.jsonl"),
        ("../../etc/passwd.jsonl", "passwd.jsonl"),
        ("C:\\files\\mine.jsonl", "mine.jsonl"),
        ("a\u202etxt.jsonl", "atxt.jsonl"),
    ],
)
def test_names_arrive_without_paths_and_tricks(
    browser: Client, project: Project, name: str, kept: str
) -> None:
    file = sent()
    file._name = name  # the setter would clean it before it is sent

    browser.post(URL, {"file": file})

    upload = Upload.objects.get()
    assert upload.name.startswith(kept)
    assert upload.name.endswith(".jsonl")
    assert len(upload.name) <= 255
