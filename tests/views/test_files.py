"""Sending files, and what a page says of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from batchapp import tasks
from batchapp.models import Project, Upload, User
from tests.make import (
    VIEWER,
    join,
    make_batch,
    make_connection,
    make_key,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)

pytestmark = pytest.mark.django_db

URL = "/projects/support/files/"


def sent(content: bytes = b"", name: str = "questions.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content or request_file())


def test_a_file_is_kept_as_it_is_and_a_worker_told(
    page: Client,
    project: Project,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = page.post(URL, {"file": sent()})

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
    page: Client,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(tasks.check, "delay", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        response = page.post(URL, {"file": sent()})

    assert response.status_code == 302
    assert Upload.objects.get().next_check_at is not None


def test_several_files_are_sent_at_once(page: Client, project: Project) -> None:
    response = page.post(URL, {"file": [sent(name="a.jsonl"), sent(name="b.jsonl")]}, follow=True)

    assert response.redirect_chain[-1][0] == URL
    assert set(Upload.objects.values_list("name", flat=True)) == {"a.jsonl", "b.jsonl"}
    assert "2 files are here" in response.content.decode()


def test_too_many_files_at_once_are_answered_with_how_many_may_be(
    page: Client, project: Project
) -> None:
    response = page.post(URL, {"file": [sent(name=f"{n}.jsonl") for n in range(101)]})

    assert response.status_code == 413
    assert "at most 100 files at once" in response.content.decode()
    assert not Upload.objects.exists()


def test_another_ending_is_taken_and_the_check_speaks(page: Client, project: Project) -> None:
    assert page.post(URL, {"file": sent(name="questions.txt")}).status_code == 302


def test_no_file_is_answered_with_what_to_do(page: Client, project: Project) -> None:
    response = page.post(URL, {})

    assert "Choose a file first" in response.content.decode()
    assert not Upload.objects.exists()


def test_an_empty_file_is_refused_by_name(page: Client, project: Project) -> None:
    response = page.post(URL, {"file": SimpleUploadedFile("nothing.jsonl", b"")})

    assert "nothing.jsonl is empty. Choose a file" in response.content.decode()
    assert not Upload.objects.exists()


def test_a_file_beyond_the_connections_limit_is_refused_with_the_limit(
    page: Client, project: Project
) -> None:
    project.connection.max_file_bytes = 1024 * 1024
    project.connection.save()

    response = page.post(URL, {"file": sent(b"x" * (1024 * 1024 + 1))})

    assert f"{project.connection} takes at most 1.0 MiB a file" in response.content.decode()
    assert not Upload.objects.exists()


def test_one_wrong_file_among_several_stops_them_all(page: Client, project: Project) -> None:
    response = page.post(URL, {"file": [sent(), SimpleUploadedFile("nothing.jsonl", b"")]})

    assert "None of the files was uploaded" in response.content.decode()
    assert not Upload.objects.exists()


def test_a_body_beyond_the_portals_limit_gets_a_page_not_an_error(
    page: Client, project: Project, settings: Settings
) -> None:
    settings.MAX_UPLOAD_MIB = 1

    response = page.post(URL, {"file": sent(b"x" * (1024 * 1024 + 1))})

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


def test_what_a_person_is_shown_stays_out_of_shared_caches(page: Client, project: Project) -> None:
    assert page.get(URL).headers["Cache-Control"] == "private, no-cache"


def test_a_file_being_checked_is_looked_at_again_and_a_checked_one_is_not(
    page: Client, project: Project, user: User
) -> None:
    checking = make_upload(project, user, is_checked=False)
    ready = make_upload(project, user)

    assert "hx-trigger" in fragment(page, checking)
    assert "<html" not in fragment(page, checking)
    assert "hx-trigger" not in fragment(page, ready)


def test_all_faults_are_listed_by_kind_with_their_lines(
    page: Client, project: Project, user: User
) -> None:
    content = "\n".join([request_line(1), request_line(1), "nonsense", request_line(1)])
    upload = make_upload(project, user, content=content.encode())

    html = page.get(upload.get_absolute_url()).content.decode()

    assert "Duplicate custom ID" in html
    assert "Lines 2, 4" in html
    assert "Line 3" in html
    assert 'id="new-batch"' not in html


def test_each_window_has_its_price_and_realtime_to_compare(
    page: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=request_file(1000))

    html = page.get(upload.get_absolute_url()).content.decode()

    report = upload.report
    assert report
    facts = report.models["Qwen/Qwen3-30B"]
    cost = (facts.input_tokens + 2 * facts.expected_output_tokens) / 1_000_000
    assert f"~${cost:.2f}" in html
    assert f"~${2 * cost:.2f}" in html
    assert "50 % less than realtime" in html


def test_a_model_without_a_price_is_not_free(page: Client, user: User) -> None:
    project = make_project(user)
    unpriced = make_upload(project, user, content=request_file(3, model="new/model"))
    mixed = make_upload(
        project,
        user,
        content=request_file(3) + request_file(9, model="new/model").replace(b"row-", b"n-"),
    )

    assert "no price" in page.get(unpriced.get_absolute_url()).content.decode()
    html = page.get(mixed.get_absolute_url()).content.decode()
    assert "+ 1 model without a price" in html
    assert "has no price on file for new/model" in html


def test_free_is_said_only_where_the_price_is_zero(page: Client, user: User) -> None:
    connection = make_connection()
    make_price(connection, "24h", 0, 0, model="free/model")  # type: ignore[arg-type]
    upload = make_upload(
        make_project(user, connection=connection), user, content=request_file(model="free/model")
    )

    assert "~$0.00" in page.get(upload.get_absolute_url()).content.decode()


def test_a_check_that_broke_off_can_be_repeated(
    page: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    Upload.objects.update(status=Upload.Status.FAILED, error="It broke off.", next_check_at=None)
    assert "Check again" in page.get(upload.get_absolute_url()).content.decode()

    page.post(f"/files/{upload.pk}/check/")

    upload.refresh_from_db()
    assert upload.status == Upload.Status.CHECKING
    assert upload.next_check_at is not None


def test_an_unused_file_can_be_deleted_and_a_used_one_not(
    page: Client, project: Project, user: User
) -> None:
    unused, used = make_upload(project, user), make_upload(project, user)
    make_batch(project, user, upload=used)

    assert page.get(f"/files/{unused.pk}/delete/").status_code == 200
    page.post(f"/files/{unused.pk}/delete/")
    response = page.post(f"/files/{used.pk}/delete/", follow=True)

    assert list(Upload.objects.all()) == [used]
    assert "The file stays" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_file_that_becomes_a_batch_while_it_is_deleted_stays(
    page: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    key = make_key(project)

    def order_it(**_: object) -> None:
        make_batch(project, user, upload=upload, key=key)

    pre_delete.connect(order_it, sender=Upload)
    try:
        response = page.post(f"/files/{upload.pk}/delete/", follow=True)
    finally:
        pre_delete.disconnect(order_it, sender=Upload)

    assert "The file stays" in response.content.decode()
    assert upload.blob.storage.exists(upload.blob.name)


@pytest.mark.parametrize("name", ["two\r\nX-Lines: 1.jsonl", "half \ud83d.jsonl", "a\0.jsonl"])
def test_a_name_that_no_header_and_no_database_takes_is_made_presentable(
    page: Client, project: Project, user: User, name: str
) -> None:
    upload = make_upload(project, user, name=name)

    response = page.get(f"/files/{upload.pk}/download/")

    assert b"".join(response) == request_file()
    assert upload.name.isprintable()


def test_a_download_is_the_file_byte_by_byte_under_its_name(
    page: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, name='our "best".jsonl')

    response = page.get(f"/files/{upload.pk}/download/")

    assert b"".join(response) == request_file()
    assert response["Content-Disposition"] == 'attachment; filename="our \\"best\\".jsonl"'


def test_names_are_shown_as_text(page: Client, project: Project, user: User) -> None:
    evil = make_upload(project, user, name="<script>alert(1)</script>.jsonl")

    for url in (URL, evil.get_absolute_url(), "/projects/support/"):
        html = page.get(url).content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert(1)" not in html


def test_a_viewer_has_no_way_to_upload(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert "data-upload" not in client.get(URL).content.decode()


def test_the_list_takes_as_many_queries_for_many_files_as_for_few(
    page: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(10) as seen:
            page.get(URL)
        return len(seen)

    make_upload(project, user)
    few = queries()
    for _ in range(5):
        make_upload(project, make_user())

    assert queries() == few


def fragment(page: Client, upload: Upload) -> str:
    return page.get(upload.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
