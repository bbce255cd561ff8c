"""Files in their list and on their own pages; how they come in is in test_sending."""

import gzip
import json
import re

import pytest
from django.core.files.base import ContentFile
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import OfferedModel, Project, Upload, User
from batchapp.models.audit.origin import AuditSource, coming_from
from batchapp.services.files import upload_intake
from tests.html import Page, page_of
from tests.make import (
    MODEL,
    VIEWER,
    finish,
    join,
    make_batch,
    make_connection,
    make_key,
    make_portal_key,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)
from tests.sentences import problem

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/projects/support/files/"
DASH = "\u2013"


def test_what_a_person_is_shown_stays_out_of_shared_caches(
    browser: Client, project: Project
) -> None:
    assert browser.get(URL).headers["Cache-Control"] == "private, no-cache"


def test_a_file_being_checked_is_looked_at_again_and_a_checked_one_is_not(
    browser: Client, project: Project, user: User
) -> None:
    checking = make_upload(project, user, is_checked=False)
    ready = make_upload(project, user)

    assert "hx-trigger" in fragment(browser, checking)
    assert "<html" not in fragment(browser, checking)
    assert "hx-trigger" not in fragment(browser, ready)


def test_all_faults_are_listed_by_kind_with_their_lines(
    browser: Client, project: Project, user: User
) -> None:
    content = "\n".join([request_line(1), request_line(1), "nonsense", request_line(1)])
    upload = make_upload(project, user, content=content.encode())

    page = page_of(browser, upload.get_absolute_url())

    assert "Duplicate custom ID" in page.text
    assert page.texts("#finding-duplicate_custom_id .number") == ["2 lines"]
    repeated = page.texts("#finding-duplicate_custom_id .folds summary")
    assert repeated == ["Line 2 repeats line 1, row-1", "Line 4 repeats line 1, row-1"]
    assert page.texts("#finding-invalid_json .number") == ["line 3"]
    assert not page.all("#finding-invalid_json .folds")
    assert not page.all("#new-batch")
    assert "nonsense" in page.texts("code[dir=ltr]")


def test_a_file_is_compared_with_the_models_of_its_connection_only(
    browser: Client, project: Project, user: User
) -> None:
    for connection, limit in [(project.connection, 50), (make_connection(), 10)]:
        OfferedModel.objects.create(
            connection=connection, model=MODEL, kind="chat", max_new_tokens=limit
        )
    embedding = request_line(2, url="/v1/embeddings", body={"model": MODEL, "input": "Hi"})
    content = f"{request_line(1)}\n{embedding}\n"
    upload = make_upload(project, user, content=content.encode())

    page = page_of(browser, upload.get_absolute_url())

    assert f"{MODEL} writes 50 at most" in page.text
    assert f"{MODEL} is a chat model, which does not answer at /v1/embeddings" in page.text
    assert upload.status == Upload.Status.FAULTY


def test_the_text_of_a_wrong_line_is_short_and_harmless(
    browser: Client, project: Project, user: User
) -> None:
    line = "<script>alert(1)</script>\x07 " + "x" * 5000
    upload = make_upload(project, user, content=f"{request_line(1)}\n{line}".encode())

    html = browser.get(upload.get_absolute_url()).content.decode()

    shown = re.findall(r'<code dir="ltr">(.*?)</code>', html)
    assert shown
    assert all(
        text.startswith("&lt;script&gt;alert(1)&lt;/script&gt;\ufffd xxx") for text in shown
    )
    assert all(text.endswith("x…") and text.count("x") < 120 for text in shown)


def test_a_line_inside_an_archive_is_shown_as_it_is_there(
    browser: Client, project: Project, user: User
) -> None:
    content = gzip.compress(f"{request_line(1)}\nnonsense\n".encode())
    upload = make_upload(project, user, name="questions.jsonl.gz", content=content)

    assert upload_intake.read_excerpts(upload, {2}) == {2: "nonsense"}


def test_a_wrong_line_far_from_the_start_is_shown_without_reading_what_lies_before(
    browser: Client, project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = f"{request_line(1)}\n{request_line(2)}\nnonsense, far away\n"
    upload = make_upload(project, user, content=content.encode())
    monkeypatch.setattr(upload_intake, "EXCERPT_CHUNKS", 0)

    page = page_of(browser, upload.get_absolute_url())

    assert "nonsense, far away" in [code.text for code in page.all('code[dir="ltr"]')]


def test_what_is_packed_is_kept_unpacked_since_providers_take_nothing_else(
    project: Project, user: User
) -> None:
    plain = f"{request_line(1)}\n{request_line(2)}\n".encode()
    packed = gzip.compress(plain)

    kept = upload_intake.receive_file(project, user, ContentFile(packed), name="tickets.jsonl.gz")
    duplicate = upload_intake.receive_file(project, user, ContentFile(plain), name="tickets.jsonl")

    assert b"".join(kept.chunks()) == plain
    assert (kept.name, kept.size, kept.sha256) == (
        duplicate.name,
        duplicate.size,
        duplicate.sha256,
    )
    assert upload_intake.find_earlier_copy(duplicate) == kept


@pytest.mark.parametrize("harm", [slice(0, -9), slice(0, 20)])
def test_an_archive_that_cannot_be_unpacked_is_kept_as_it_came_and_refused(
    project: Project, user: User, harm: slice
) -> None:
    packed = gzip.compress(f"{request_line(1)}\n".encode() * 9)[harm]

    kept = upload_intake.receive_file(project, user, ContentFile(packed), name="tickets.jsonl.gz")
    kept = Upload.objects.claim(kept.pk, Upload.Status.CHECKING)
    upload_intake.check_upload(kept)

    assert (b"".join(kept.chunks()), kept.name) == (packed, "tickets.jsonl.gz")
    assert kept.status == Upload.Status.FAULTY
    assert "gzip_truncated" in kept.report.finding_totals


def test_a_file_whose_bytes_are_gone_still_says_what_was_found(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=f"{request_line(1)}\nnonsense".encode())
    upload.blob.storage.delete(upload.blob.name)

    response = browser.get(upload.get_absolute_url())

    assert response.status_code == 200
    assert "line 2" in response.content.decode()


def test_a_line_that_holds_a_secret_is_not_repeated(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=f"{request_line(1)}\nhidden-word".encode())
    report_fields = json.loads(json.dumps(upload.report_fields))
    report_fields["findings"].append(
        {
            "line": 2,
            "custom_id": "",
            "severity": "warning",
            "code": "secret",
            "message": "There seems to be a key in this line.",
        }
    )
    report_fields["finding_totals"]["secret"] = 1
    Upload.objects.filter(pk=upload.pk).update(report_fields=report_fields)

    html = browser.get(upload.get_absolute_url()).content.decode()

    assert "There seems to be a key in this line." in html
    assert "hidden-word" not in html


def test_a_report_of_another_version_breaks_nothing_and_can_be_made_again(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    Upload.objects.update(report_fields={"of": "another version"})

    html = browser.get(upload.get_absolute_url()).content.decode()
    assert "written by another version" in html
    assert 'id="new-batch"' not in html
    assert browser.get(URL).status_code == 200
    browser.post(f"/files/{upload.pk}/check/")

    upload.refresh_from_db()
    assert (upload.status, upload.report_fields) == (Upload.Status.CHECKING, None)
    upload_intake.check_upload(upload)
    assert upload.status == Upload.Status.READY


def test_a_good_file_is_not_checked_again(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user)

    browser.post(f"/files/{upload.pk}/check/")

    upload.refresh_from_db()
    assert upload.status == Upload.Status.READY


def test_the_same_bytes_are_recognised_in_one_project_only(
    browser: Client, project: Project, user: User
) -> None:
    first = make_upload(project, user, name="tickets.jsonl")
    copy = make_upload(project, user, name="tickets (1).jsonl")
    other = make_upload(make_project(user), user)

    page = Page(browser.get(copy.get_absolute_url()))
    assert "A file with the same content is here already" in page.text
    assert f'href="{first.get_absolute_url()}"' in page.html
    for each in (first, other):
        assert "the same content" not in page_of(browser, each.get_absolute_url()).text


def test_a_file_leads_to_its_batches_with_their_status(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    batch = make_batch(project, user, upload=upload, name="Tickets of May")

    html = browser.get(upload.get_absolute_url()).content.decode()

    assert f'id="batch-{batch.pk}"' in html
    assert "Queued" in html
    assert f'href="/files/{upload.pk}/batch/"' in html


def test_the_page_of_a_file_takes_at_most_thirteen_queries(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    upload = make_upload(project, user)
    key = make_key(project)
    for name in ("one", "two", "three"):
        make_batch(project, user, upload=upload, key=key, name=name)

    with django_assert_max_num_queries(13):
        browser.get(upload.get_absolute_url())


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["A.jsonl", "b.jsonl", "c.jsonl"]),
        ("-name", ["c.jsonl", "b.jsonl", "A.jsonl"]),
        ("requests", ["b.jsonl", "A.jsonl", "c.jsonl"]),
        ("-requests", ["A.jsonl", "b.jsonl", "c.jsonl"]),
        ("size", ["b.jsonl", "A.jsonl", "c.jsonl"]),
        ("created", ["b.jsonl", "c.jsonl", "A.jsonl"]),
        ("", ["A.jsonl", "c.jsonl", "b.jsonl"]),
        ("password", ["A.jsonl", "c.jsonl", "b.jsonl"]),
    ],
)
def test_the_list_is_sorted_by_what_was_asked(
    browser: Client, project: Project, user: User, sort: str, names: list[str]
) -> None:
    make_upload(project, user, name="b.jsonl", content=request_file(1))
    make_upload(project, user, name="c.jsonl", content=request_file(9), is_checked=False)
    make_upload(project, user, name="A.jsonl", content=request_file(3))

    assert page_of(browser, URL, sort=sort).texts("td.lead bdi") == names


def test_the_list_shows_what_was_looked_for(browser: Client, project: Project, user: User) -> None:
    make_upload(project, user, name="tickets.jsonl")
    make_upload(project, user, name="letters.jsonl", is_checked=False)

    def shown(**asked: str) -> list[str]:
        return page_of(browser, URL, **asked).texts("td.lead bdi")

    assert shown(q="TICK") == ["tickets.jsonl"]
    assert shown(status="checking") == ["letters.jsonl"]
    assert shown(q="tick", status="checking") == []
    assert shown(status="nonsense") == []
    assert "No file has “nothing” in its name" in page_of(browser, URL, q="nothing").text


def test_pages_keep_the_question_in_their_address(
    browser: Client, project: Project, user: User
) -> None:
    for number in range(30):
        make_upload(project, user, name=f"t{number:02}.jsonl", is_checked=False)

    page = page_of(browser, URL, q="t", sort="name", page="2")

    assert page.texts("td.lead bdi") == [f"t{n}.jsonl" for n in range(25, 30)]
    assert page.links["Previous"] == "?q=t&sort=name&page=1"
    assert page.one("#rows")["hx-get"] == "/projects/support/files/?q=t&sort=name&page=2"


def test_a_row_names_the_models_and_offers_what_can_be_done(
    browser: Client, project: Project, user: User
) -> None:
    others = request_file(1, model="org/Second-Model").replace(b"row-", b"new-")
    upload = make_upload(project, user, name="new.jsonl", content=request_file() + others)
    used = make_upload(project, user, name="used.jsonl")
    make_batch(project, user, upload=used)
    Upload.objects.filter(pk=used.pk).update(report_fields={"of": "another version"})

    page = page_of(browser, URL)

    models = page.one('#rows span[title*="Second-Model"]')
    assert models["title"] == "Qwen/Qwen3-30B, org/Second-Model"
    menu = page.one(f'[id="actions-{upload.pk.hex}"]')
    assert list(menu.links) == ["New batch", "Download", "Delete…"]
    assert list(page.one(f'[id="actions-{used.pk.hex}"]').links) == ["New batch", "Download"]


def test_a_viewer_is_offered_nothing_to_do_with_a_file(client: Client) -> None:
    project = make_project(slug="support")
    make_upload(project)
    client.force_login(join(make_user(), project, VIEWER))

    assert not page_of(client, URL).all("#rows details")


@pytest.mark.parametrize(
    "name",
    ["x" * 2000 + ".jsonl", "🧾 Belege 🧾.jsonl", "קובץ בקשות.jsonl", "../../etc/passwd.jsonl"],
)
def test_any_name_is_kept_and_shown(
    browser: Client, project: Project, user: User, name: str
) -> None:
    upload = make_upload(project, user, name=name)

    html = browser.get(upload.get_absolute_url()).content.decode()

    assert f"<bdi>{upload.name}</bdi></h1>" in html
    assert upload.name.endswith(name[-20:])
    assert str(upload.pk) in upload.blob.name
    assert browser.get(URL).status_code == 200


def test_each_window_has_its_price_and_realtime_to_compare(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=request_file(1000))

    html = browser.get(upload.get_absolute_url()).content.decode()
    stats = page_of(browser, upload.get_absolute_url()).texts("#cost .stat > span:first-child")

    assert stats == ["24 h cheapest", "1 h", "Realtime, for comparison"]
    report = upload.report
    assert report
    facts = report.models["Qwen/Qwen3-30B"]
    cost = (facts.input_tokens + 2 * facts.expected_output_tokens) / 1_000_000
    assert f"~${cost:.2f}" in html
    assert f"~${2 * cost:.2f}" in html
    assert "50 % less than realtime" in html


def test_the_models_have_the_tokens_that_they_are_priced_by(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project))  # 50 tokens an answer
    vectors = request_line(9, url="/v1/embeddings", body={"model": "bge", "input": "Word"})
    upload = make_upload(project, user, content=request_file() + vectors.encode())

    page = page_of(browser, upload.get_absolute_url())

    assert page.texts("#estimate td:nth-child(4)") == ["~150", DASH]
    assert page.texts("#estimate td:nth-child(5)") == ["300", DASH]


def test_what_past_runs_stayed_below_is_said_of_each_window(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project))
    body = {"model": "Qwen/Qwen3-30B", "messages": [{"role": "user", "content": "Why?"}]}
    upload = make_upload(project, user, content=request_line(1, body=body).encode())

    page = page_of(browser, upload.get_absolute_url())

    assert page.text.count("by past runs ~$") == 3
    assert "1 request sets no max_tokens, so nothing bounds the cost." in page.text


def test_a_model_without_a_price_is_not_free(browser: Client, user: User) -> None:
    project = make_project(user)
    unpriced = make_upload(project, user, content=request_file(3, model="new/model"))
    mixed = make_upload(
        project,
        user,
        content=request_file(3) + request_file(9, model="new/model").replace(b"row-", b"n-"),
    )

    assert "no price" in browser.get(unpriced.get_absolute_url()).content.decode()
    html = browser.get(mixed.get_absolute_url()).content.decode()
    assert "+ 1 model without a price" in html
    assert "has no price on file for new/model" in html


def test_free_is_said_only_where_the_price_is_zero(browser: Client, user: User) -> None:
    connection = make_connection()
    make_price(connection, "24h", 0, 0, model="free/model")  # type: ignore[arg-type]
    upload = make_upload(
        make_project(user, connection=connection), user, content=request_file(model="free/model")
    )

    assert "~$0.00" in browser.get(upload.get_absolute_url()).content.decode()


def test_a_check_that_broke_off_can_be_repeated(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    Upload.objects.update(
        status=Upload.Status.FAILED, problem=problem("It broke off."), next_check_at=None
    )
    assert "Check again" in browser.get(upload.get_absolute_url()).content.decode()

    browser.post(f"/files/{upload.pk}/check/")

    upload.refresh_from_db()
    assert upload.status == Upload.Status.CHECKING
    assert upload.next_check_at is not None


def test_an_unused_file_can_be_deleted_and_a_used_one_not(
    browser: Client, project: Project, user: User
) -> None:
    unused, used = make_upload(project, user), make_upload(project, user)
    make_batch(project, user, upload=used)

    assert browser.get(f"/files/{unused.pk}/delete/").status_code == 200
    browser.post(f"/files/{unused.pk}/delete/")
    response = browser.post(f"/files/{used.pk}/delete/", follow=True)

    assert list(Upload.objects.all()) == [used]
    assert "The file stays" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_file_that_becomes_a_batch_while_it_is_deleted_stays(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    key = make_key(project)

    def order_it(**_: object) -> None:
        make_batch(project, user, upload=upload, key=key)

    pre_delete.connect(order_it, sender=Upload)
    try:
        response = browser.post(f"/files/{upload.pk}/delete/", follow=True)
    finally:
        pre_delete.disconnect(order_it, sender=Upload)

    assert "The file stays" in response.content.decode()
    assert upload.blob.storage.exists(upload.blob.name)


@pytest.mark.parametrize("name", ["two\r\nX-Lines: 1.jsonl", "half \ud83d.jsonl", "a\0.jsonl"])
def test_a_name_that_no_header_and_no_database_takes_is_made_presentable(
    browser: Client, project: Project, user: User, name: str
) -> None:
    upload = make_upload(project, user, name=name)

    response = browser.get(f"/files/{upload.pk}/download/")

    assert b"".join(response) == request_file()
    assert upload.name.isprintable()


def test_a_download_is_the_file_byte_by_byte_under_its_name(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, name='our "best".jsonl')

    response = browser.get(f"/files/{upload.pk}/download/")

    assert b"".join(response) == request_file()
    assert response["Content-Disposition"] == 'attachment; filename="our \\"best\\".jsonl"'


def test_names_are_shown_as_text(browser: Client, project: Project, user: User) -> None:
    evil = make_upload(project, user, name="<script>alert(1)</script>.jsonl")

    for url in (URL, evil.get_absolute_url(), "/projects/support/"):
        html = browser.get(url).content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert(1)" not in html


def test_a_viewer_has_no_way_to_upload(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert "data-upload" not in client.get(URL).content.decode()


def test_the_list_takes_as_many_queries_for_many_files_as_for_few(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(10) as seen:
            browser.get(URL)
        return len(seen)

    make_upload(project, user)
    few = queries()
    for _ in range(5):
        make_upload(project, make_user())

    assert queries() == few


def fragment(browser: Client, upload: Upload) -> str:
    return browser.get(upload.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()


def test_the_list_and_the_page_say_where_a_file_comes_from(
    browser: Client, project: Project, user: User
) -> None:
    content = ContentFile(request_file(1))
    script = join(make_user(), project)
    script.portal_key = make_portal_key(script, project, name="Nightly job", scope="submit").key
    uploads = {}
    for name, sender, source in [
        ("console.jsonl", user, AuditSource.PAGE),
        ("command.jsonl", user, AuditSource.COMMAND),
        ("script.jsonl", script, AuditSource.PAGE),
    ]:
        with coming_from(source):
            uploads[name] = upload_intake.receive_file(project, sender, content, name=name)

    pages = {name: page_of(browser, upload.get_absolute_url()) for name, upload in uploads.items()}
    listed = page_of(browser, URL)
    of_scripts = page_of(browser, f"{URL}?source=key")

    assert {name: page.one("#source").text for name, page in pages.items()} == {
        "console.jsonl": "Console",
        "command.jsonl": "Command on the server",
        "script.jsonl": "API, by the portal key Nightly job",
    }
    assert sorted(text.split()[0] for text in listed.texts("td.lead")) == [
        "API",
        "Command",
        "console.jsonl",
    ]
    assert listed.one("td.lead .tag[title*='Nightly job']").text == "API"
    assert [text.split()[-1] for text in of_scripts.texts("td.lead")] == ["script.jsonl"]
