"""Faults of a file put right on its page, and the version that comes of it."""

import json
import re
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Project, StaleRow, Upload, User
from batchapp.presenters.problem_text import problem_text
from batchapp.services.files import correct_file, upload_intake
from tests.html import Page, page_of
from tests.make import (
    MODEL,
    VIEWER,
    finish,
    join,
    make_batch,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db

TWICE = "\n".join([request_line(1), request_line(2), request_line(1), "nonsense", ""]).encode()


@pytest.fixture
def faulty(project: Project, user: User) -> Upload:
    """A custom_id twice, and a line that is no JSON."""
    return make_upload(project, user, content=TWICE)


def address(upload: Upload) -> str:
    return reverse("file_correct", args=[upload.pk])


def ask(*corrections: str, **values: Any) -> dict[str, Any]:
    return {"corrections": list(corrections), "submission": str(uuid.uuid4())} | values


def version_of(upload: Upload) -> Upload:
    return Upload.objects.select_related("project__connection").get(made_from=upload)


def work(upload: Upload) -> Upload:
    """Let a worker do what is due."""
    advance(upload)
    upload.refresh_from_db()
    return upload


def test_a_corrected_version_is_made_by_a_worker_and_checked(
    browser: Client, faulty: Upload, woken: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(address(faulty), ask("suffix_duplicates", "drop_bad_rows"))

    fresh = version_of(faulty)
    assert response["Location"] == fresh.get_absolute_url()
    assert woken == [str(fresh.pk)]
    assert fresh.lacks_content
    assert "Writing the corrected version" in page_of(browser, fresh.get_absolute_url()).text

    work(fresh)

    ids = [json.loads(line)["custom_id"] for line in b"".join(fresh.chunks()).splitlines()]
    assert (fresh.status, fresh.requests) == (Upload.Status.READY, 3)
    assert ids == ["row-1", "row-2", "row-1-2"]
    assert fresh.size == len(b"".join(fresh.chunks()))
    assert fresh.name == "questions-corrected.jsonl"


def test_both_versions_say_what_was_done_and_the_original_stays(
    browser: Client, faulty: Upload
) -> None:
    browser.post(address(faulty), ask("suffix_duplicates", "drop_bad_rows"))
    fresh = work(version_of(faulty))

    for upload in (faulty, fresh):
        page = page_of(browser, upload.get_absolute_url())
        assert "1 custom_id numbered, 1 line dropped" in page.text
        assert f'id="version-{faulty.pk}"' in page.html
        assert f'id="version-{fresh.pk}"' in page.html
    assert b"".join(faulty.chunks()) == TWICE
    assert "1 custom_id numbered" in page_of(browser, "/projects/support/files/").text


def test_a_second_click_makes_no_second_version(browser: Client, faulty: Upload) -> None:
    asked = ask("drop_bad_rows")

    places = {browser.post(address(faulty), asked)["Location"] for _ in range(2)}

    assert places == {version_of(faulty).get_absolute_url()}


def test_the_same_form_with_another_choice_makes_another_version(
    browser: Client, faulty: Upload
) -> None:
    asked = ask("drop_bad_rows")
    browser.post(address(faulty), asked)
    browser.post(address(faulty), asked | {"corrections": ["suffix_duplicates", "drop_bad_rows"]})

    names = faulty.versions.order_by("created_at").values_list("name", flat=True)
    assert list(names) == ["questions-corrected.jsonl", "questions-corrected-2.jsonl"]


def test_a_finding_leads_to_its_cures_and_ticks_what_was_asked_for(
    browser: Client, faulty: Upload
) -> None:
    file = page_of(browser, faulty.get_absolute_url())

    page = page_of(browser, file.one("#correct-duplicate_custom_id-drop_bad_rows")["href"])

    assert ticked(page) == ["drop_bad_rows"]
    assert ticked(page_of(browser, address(faulty))) == ["suffix_duplicates", "drop_bad_rows"]


def test_a_preview_shows_the_lines_before_and_after_and_makes_nothing(
    browser: Client, faulty: Upload
) -> None:
    response = browser.post(
        address(faulty), ask("suffix_duplicates", "drop_bad_rows", preview="1")
    )

    html = response.content.decode()
    assert "<ul><li>1 custom_id numbered</li><li>1 line dropped</li></ul>" in html
    assert ">-2</mark>" in html
    assert not faulty.versions.exists()


def test_each_correction_shows_its_first_line_before_and_after(
    browser: Client, faulty: Upload
) -> None:
    page = page_of(browser, address(faulty))

    numbered, dropped = page.all(".choice")
    assert "Line 3, for example" in numbered.text
    assert '"row-1"' in numbered.one("del").text
    assert numbered.one("ins mark").text == "-2"
    assert not numbered.all("del mark")
    assert ("Line 4, for example" in dropped.text, dropped.one("del").text) == (True, "nonsense")
    assert not dropped.all("ins")


def test_a_line_far_into_a_file_is_an_example_too(
    browser: Client, project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "?"}], "stream": True}
    content = request_file(99) + request_line(100, body=body).encode()
    upload = make_upload(project, user, content=content)
    monkeypatch.setattr(correct_file, "PREVIEW_BYTES", 2 * len(request_line(100, body=body)))

    (strip,) = [
        each
        for each in page_of(browser, address(upload)).all(".choice")
        if "Line 100" in each.text
    ]

    assert ('"stream":true' in strip.one("del").text, "stream" in strip.one("ins").text) == (
        True,
        False,
    )


def test_a_limit_that_is_not_filled_in_yet_has_no_example(
    browser: Client, project: Project, user: User
) -> None:
    page = page_of(browser, address(unbounded(project, user)))

    assert not page.all(".choice del")


def test_a_preview_while_ticking_is_a_fragment(browser: Client, faulty: Upload) -> None:
    response = browser.post(
        address(faulty), ask("drop_bad_rows", preview="1"), headers={"HX-Request": "true"}
    )

    html = response.content.decode()
    assert "2 lines dropped" in html
    assert "<form" not in html


def test_of_a_large_file_the_beginning_is_tried(
    browser: Client, faulty: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchapp.models.files.upload.CHUNK_BYTES", 100)
    monkeypatch.setattr(correct_file, "PREVIEW_BYTES", len(request_line(1)) * 5 // 2)

    page = page_of(browser, address(faulty) + "?corrections=drop_bad_rows")

    assert "In the first 2 lines: nothing." in page.text


def test_a_model_is_chosen_from_those_with_a_price(
    browser: Client, project: Project, user: User
) -> None:
    make_price(project.connection, "24h", 1, 2, model="other")
    line = request_line(1, body={"messages": [{"role": "user", "content": "?"}]})
    upload = make_upload(project, user, content=line.encode())

    page = page_of(browser, address(upload))
    without = browser.post(address(upload), ask("set_model"))
    unknown = browser.post(address(upload), ask("set_model", model="no-such"))
    browser.post(address(upload), ask("set_model", model="other"))

    assert models_of(page) == [MODEL, "other"]
    assert "Choose the model to write" in Page(without).text
    assert "Choose one of the models on offer" in Page(unknown).text
    assert list(work(version_of(upload)).report.models) == ["other"]


@pytest.mark.parametrize("tokens", ["", "0", "-3", "many"])
def test_a_limit_of_answers_must_be_a_number_of_tokens(
    browser: Client, project: Project, user: User, tokens: str
) -> None:
    upload = unbounded(project, user)

    response = browser.post(address(upload), ask("set_max_tokens", max_tokens=tokens))

    assert "Give a number of tokens" in response.content.decode()
    assert not upload.versions.exists()


def test_a_limit_bounds_the_cost_of_the_new_version(
    browser: Client, project: Project, user: User
) -> None:
    upload = unbounded(project, user)

    browser.post(address(upload), ask("set_max_tokens", max_tokens="64"))

    (facts,) = work(version_of(upload)).report.models.values()
    assert (facts.unbounded_requests, facts.max_output_tokens) == (0, 64)


def test_without_a_tick_nothing_is_made(browser: Client, faulty: Upload) -> None:
    response = browser.post(address(faulty), ask())

    assert "Tick at least one" in response.content.decode()
    assert not faulty.versions.exists()


def test_a_repair_that_cures_nothing_here_is_not_taken(browser: Client, faulty: Upload) -> None:
    browser.post(address(faulty), ask("strip_stream"))

    assert not faulty.versions.exists()


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_file_without_faults_or_without_a_report_has_nothing_to_correct(
    browser: Client, project: Project, user: User, is_checked: bool
) -> None:
    upload = make_upload(project, user, is_checked=is_checked)

    assert browser.get(address(upload)).status_code == 404
    assert browser.post(address(upload), ask("drop_bad_rows"))["Location"] == (
        upload.get_absolute_url()
    )
    assert not upload.versions.exists()


def test_a_viewer_is_offered_no_corrections(client: Client, faulty: Upload) -> None:
    client.force_login(join(make_user(), faulty.project, VIEWER))

    assert address(faulty) not in page_of(client, faulty.get_absolute_url()).html


def test_an_original_that_cannot_be_read_is_said_and_can_be_tried_again(
    browser: Client, faulty: Upload
) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    storage, name = faulty.blob.storage, faulty.blob.name
    storage.delete(name)

    fresh = work(version_of(faulty))

    assert fresh.status == Upload.Status.FAILED
    assert "questions.jsonl could not be read" in problem_text(fresh.problem)
    page = page_of(browser, fresh.get_absolute_url())
    assert "Could not be written" in page.text
    assert "Try again" in page.texts("button")
    assert not page.all("#download")
    assert "cannot be read" in page_of(browser, address(faulty)).text

    faulty.blob.save("requests.jsonl", ContentFile(TWICE))
    browser.post(reverse("file_check", args=[fresh.pk]))

    assert work(fresh).status == Upload.Status.READY


def test_an_original_that_is_deleted_first_is_said(browser: Client, faulty: Upload) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    fresh = version_of(faulty)
    upload_intake.remove(faulty, faulty.uploaded_by)

    work(fresh)

    assert fresh.status == Upload.Status.FAILED
    assert "was deleted" in problem_text(fresh.problem)


def test_a_version_outlives_its_original(browser: Client, faulty: Upload) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    fresh = work(version_of(faulty))
    upload_intake.remove(faulty, faulty.uploaded_by)

    page = page_of(browser, fresh.get_absolute_url())

    assert "questions.jsonl, which is deleted: 2 lines dropped." in page.text


def test_a_version_without_bytes_is_neither_downloaded_nor_a_twin_and_can_be_deleted(
    browser: Client, faulty: Upload
) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    browser.post(address(faulty), ask("suffix_duplicates"))
    fresh = faulty.versions.first()
    assert fresh

    response = browser.get(reverse("file_download", args=[fresh.pk]))

    assert response["Location"] == fresh.get_absolute_url()
    assert upload_intake.find_earlier_copy(fresh) is None
    assert upload_intake.remove(fresh, fresh.uploaded_by)


def test_a_worker_that_lost_its_lease_leaves_no_bytes_behind(
    browser: Client, faulty: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    row = version_of(faulty)
    mine = Upload.objects.claim(row.pk, Upload.Status.CHECKING)
    assert mine
    save = type(mine.blob).save

    def lose_the_lease(blob: Any, *args: Any, **options: Any) -> None:
        Upload.objects.filter(pk=row.pk).update(leased_until=None)
        save(blob, *args, **options)

    monkeypatch.setattr(type(mine.blob), "save", lose_the_lease)
    with pytest.raises(StaleRow):
        correct_file.write_corrected_file(mine)

    row.refresh_from_db()
    assert row.lacks_content
    _, files = faulty.blob.storage.listdir(f"uploads/{faulty.project_id}")
    assert [name[:36] for name in files] == [str(faulty.pk)]


def test_a_rule_of_ours_is_told_from_one_of_the_provider(browser: Client, faulty: Upload) -> None:
    page = page_of(browser, faulty.get_absolute_url())

    assert page.text.count("A rule of this portal") == 1


def test_a_duplicate_is_said_once_with_the_text_of_both_lines(
    browser: Client, faulty: Upload
) -> None:
    page = page_of(browser, faulty.get_absolute_url())

    (place,) = page.all("#finding-duplicate_custom_id .folds > li")
    assert "Line 3 repeats line 1, row-1" in place.text
    assert len(place.texts("code[dir=ltr]")) == 2
    assert page.text.count("is already used on line 1") == 1


def test_what_repeats_has_its_cost(browser: Client, project: Project, user: User) -> None:
    body = json.loads(request_line(1))["body"]
    content = "".join(f"{request_line(n, body=body)}\n" for n in range(1, 4))
    upload = make_upload(project, user, content=content.encode())
    report = upload.report
    assert report
    facts = report.repeated[MODEL]
    cost = (facts.input_tokens + 2 * facts.expected_output_tokens) / 1_000_000

    page = page_of(browser, upload.get_absolute_url())

    assert f"2 requests repeat an earlier one word for word: ~${cost:.4f} of" in page.text


def test_what_repeats_is_priced_by_past_runs_as_the_whole_is(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project))  # 50 tokens an answer
    body = json.loads(request_line(1))["body"]
    content = "".join(f"{request_line(n, body=body)}\n" for n in range(1, 4))
    upload = make_upload(project, user, content=content.encode())
    report = upload.report
    assert report
    cost = (report.repeated[MODEL].input_tokens + 2 * 2 * 50) / 1_000_000

    page = page_of(browser, upload.get_absolute_url())

    assert f"word for word: ~${cost:.4f} of" in page.text


def test_what_is_counted_exactly_has_no_tilde(
    browser: Client, project: Project, user: User
) -> None:
    exact = make_upload(project, user, content=request_file(model="Qwen/Qwen3-14B-FP8"))
    about = make_upload(project, user, content=request_file(model="nobody/knows-it"))

    for upload, mark in [(exact, ""), (about, "~")]:
        page = page_of(browser, upload.get_absolute_url())
        assert re.fullmatch(rf"{mark}\d+", page.one('[data-unit="tokens in"]').text)


def test_an_image_whose_size_cannot_be_seen_is_said(
    browser: Client, project: Project, user: User
) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://pictures.test/1.png"}}
    body = {
        "model": "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [image]}],
    }
    upload = make_upload(project, user, content=request_line(1, body=body).encode())

    assert (
        "The size of 1 image could not be seen" in page_of(browser, upload.get_absolute_url()).text
    )


def test_the_pages_take_few_queries(
    browser: Client, faulty: Upload, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser.post(address(faulty), ask("drop_bad_rows"))
    fresh = work(version_of(faulty))

    for url in (address(faulty), faulty.get_absolute_url(), fresh.get_absolute_url()):
        with django_assert_max_num_queries(12):
            assert browser.get(url).status_code == 200


def test_nobody_elses_file_is_corrected(client: Client, faulty: Upload) -> None:
    stranger = make_user()
    make_project(stranger)
    client.force_login(stranger)

    assert client.post(address(faulty), ask("drop_bad_rows")).status_code == 404
    assert not faulty.versions.exists()


def ticked(page: Page) -> list[str]:
    return [box["value"] for box in page.all("input[name=corrections][checked]")]


def models_of(page: Page) -> list[str]:
    return [option["value"] for option in page.all("select[name=model] option") if option["value"]]


def unbounded(project: Project, user: User) -> Upload:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "?"}]}
    return make_upload(project, user, content=request_line(1, body=body).encode())


def test_without_any_price_no_model_is_offered_and_the_next_cure_is_ticked(
    browser: Client, project: Project, user: User
) -> None:
    project.connection.prices.all().delete()
    line = request_line(9, body={"messages": [{"role": "user", "content": "?"}]})
    upload = make_upload(project, user, content=request_file() + line.encode())

    page = page_of(browser, address(upload))

    assert ticked(page) == ["drop_bad_rows"]
    assert "has no model with a price on file" in page.text


def test_the_model_that_most_of_the_file_asks_for_is_chosen_to_begin_with(
    browser: Client, project: Project, user: User
) -> None:
    make_price(project.connection, "24h", 1, 2, model="another")
    nameless = request_line(9, body={"messages": [{"role": "user", "content": "?"}]})
    upload = make_upload(project, user, content=request_file() + nameless.encode())

    assert page_of(browser, address(upload)).values["model"] == MODEL


def test_a_price_of_many_models_is_not_offered_as_a_model(
    browser: Client, project: Project, user: User
) -> None:
    make_price(project.connection, "24h", 1, 2, model="mine-*")
    make_price(project.connection, "24h", 1, 2, model="*")
    nameless = request_line(9, body={"messages": [{"role": "user", "content": "?"}]})
    content = request_file(model="mine-7b") + nameless.encode()
    upload = make_upload(project, user, content=content)

    page = page_of(browser, address(upload))

    assert models_of(page) == [MODEL, "mine-7b"]
    assert page.values["model"] == "mine-7b"


def test_a_misspelt_model_is_found_and_set_right(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=request_file(model=f"{MODEL}x"))

    page = page_of(browser, upload.get_absolute_url())

    assert f"has no price on file for {MODEL}x (is it {MODEL}?)." in page.text
    form = page_of(browser, page.one("#correct-no_price-set_model")["href"])
    assert ticked(form) == ["set_model"]
    assert form.values["model"] == MODEL
    assert "checked" in form.one("input[name=every_model]")
    assert f"In the whole file: 3 requests given the model {MODEL}" in form.text

    browser.post(address(upload), ask("set_model", model=MODEL, every_model="on"))

    assert list(work(version_of(upload)).report.models) == [MODEL]


def test_an_unpriced_model_is_said_where_there_is_none_to_set_instead(
    browser: Client, project: Project, user: User
) -> None:
    project.connection.prices.all().delete()
    upload = make_upload(project, user)

    page = page_of(browser, upload.get_absolute_url())

    assert page.text.count("has no price on file for") == 1
    assert "set_model" not in page.html
    assert browser.get(address(upload)).status_code == 404


def test_a_model_with_a_price_in_one_window_is_no_finding(
    browser: Client, project: Project, user: User
) -> None:
    project.connection.prices.filter(window="24h").delete()
    upload = make_upload(project, user)

    page = page_of(browser, upload.get_absolute_url())

    assert 'id="faults"' not in page.html
    assert f"has no price on file for {MODEL}." in page.text
