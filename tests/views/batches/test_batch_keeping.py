"""Pages that hold and delete, and pages of a batch whose content was deleted."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from batchapp.models import Batch, Project, Purge, ResultChunk, Upload, User
from batchapp.services.archive import purge, retention
from batchapp.urls import urlpatterns
from tests.html import Page, page_of
from tests.make import OWNER, answer_line, error_line, finish, join, make_batch, make_user

pytestmark = pytest.mark.django_db

# The pages of a purged batch, or of its file, that say what it was.
SHOWN = {"batch_detail", "file_detail", "file_delete", "batch_retry_in_place", "file_state"}
SHOWN |= {
    "batch_label",
    "batch_cancel",
    "batch_pause",
    "batch_resume",
    "batch_try_again",
    "batch_approval",
}
OF_CONTENT = [
    pattern
    for pattern in urlpatterns
    if re.match(r"(batches|files)/<uuid:pk>/", str(pattern.pattern)) and pattern.name not in SHOWN
]


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    project.memberships.filter(user=user).update(role=OWNER)
    return finish(make_batch(project, user, name="Tickets"), [answer_line(1)], [error_line(2)])


@pytest.fixture
def purged(batch: Batch) -> Batch:
    purge.start_purge([batch], days=30)
    return Batch.objects.select_related("upload").get(pk=batch.pk)


def address(pattern: URLPattern, batch: Batch) -> str:
    is_file = str(pattern.pattern).startswith("files/")
    known = {"pk": batch.upload_id if is_file else batch.pk, "line": 1, "kind": "output"}
    names = pattern.pattern.converters
    return reverse(str(pattern.name), kwargs={name: known[name] for name in names})


@pytest.mark.parametrize("pattern", OF_CONTENT, ids=lambda pattern: pattern.name)
def test_no_page_or_download_gives_what_was_deleted(
    browser: Client, purged: Batch, pattern: URLPattern
) -> None:
    url = address(pattern, purged)

    responses = [browser.get(url), browser.post(url)]

    assert {response.status_code for response in responses} <= {405, 410}
    gone = next(response for response in responses if response.status_code == 410)
    assert "were deleted on" in gone.content.decode()


def test_the_page_of_a_purged_batch_says_so_and_offers_nothing_that_would_fail(
    browser: Client, batch: Batch
) -> None:
    figures = page_of(browser, batch.get_absolute_url()).texts(".figures .figure")
    purge.start_purge([batch], days=30)
    purged = Batch.objects.get()

    page = page_of(browser, purged.get_absolute_url())

    day = f"{timezone.localtime(purged.purged_at):%-d %B %Y}"
    assert page.one("#purged").text == (
        f"The requests and answers of Tickets were deleted on {day}, since the project keeps them "
        "for 30 days. Its counts, tokens and cost are kept."
    )
    assert page.texts(".figures .figure") == figures != []
    links = {link["href"] for link in page.all("main a[href]")}
    for link in links:
        if link.startswith("/"):
            assert browser.get(link).status_code == 200, link
    assert not page.all("#browse-results, #retry, #retry-in-place, #run-again, #hold, #purge")


def test_the_file_of_a_purged_batch_says_when_its_requests_were_deleted(
    browser: Client, purged: Batch
) -> None:
    page = page_of(browser, purged.upload.get_absolute_url())

    assert "The requests of questions.jsonl were deleted on" in page.one("main").text
    assert not page.all("#download, #new-batch, #correct, #delete")
    assert page.one("h1 + .pill").text == "Deleted"


def test_lists_of_files_leave_purged_ones_out_unless_they_are_asked_for(
    browser: Client, purged: Batch, project: Project
) -> None:
    url = reverse("file_list", args=[project.slug])

    assert not page_of(browser, url).all("a[id^=file-]")
    assert len(page_of(browser, url, status="purged").all("a[id^=file-]")) == 1


def test_an_admin_sees_what_goes_agrees_and_deletes_it(browser: Client, batch: Batch) -> None:
    url = reverse("batch_purge", args=[batch.pk])
    assert page_of(browser, batch.get_absolute_url()).one("#purge")["href"] == url

    page = page_of(browser, url)
    assert "This deletes 1 batch, 3 files, " in page.one("main").text
    refused = browser.post(url)
    assert "Tick that they are to be deleted for good." in refused.content.decode()
    assert Batch.objects.get().purged_at is None

    browser.post(url, {"is_agreed": "on"})

    assert Batch.objects.get().purged_at
    assert Upload.objects.get().status == Upload.Status.PURGED


def test_the_answers_that_other_batches_reuse_are_named_and_agreed_to(
    browser: Client, batch: Batch
) -> None:
    other = finish(make_batch(batch.project))
    answers = {result.line: result for result in batch.results.all()}
    url = f"/batches/{batch.pk}/purge/"
    early = page_of(browser, url)
    for line in (1, 2):
        other.results.filter(line=line).update(outcome="reused", retried=answers[line])

    assert not early.all("#reused")
    late = page_of(browser, url)
    assert "1 other batch reuses 2 of these answers, and loses them for good." in late.text

    refused = Page(browser.post(url, early.one("form.narrow-page").values | {"is_agreed": "on"}))
    assert "Other batches reuse more of these answers by now." in refused.text
    assert not Purge.objects.exists()

    browser.post(url, refused.one("form.narrow-page").values | {"is_agreed": "on"})
    assert Purge.objects.get().batch == batch


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"held_at": timezone.now()}, "It is on hold. End the hold first."),
        ({"status": "running"}, "It is under way. Wait for its end, or cancel it."),
    ],
)
def test_a_batch_that_cannot_be_deleted_says_why(
    browser: Client, batch: Batch, change: dict[str, Any], says: str
) -> None:
    Batch.objects.update(**change)
    url = reverse("batch_purge", args=[batch.pk])

    assert says in page_of(browser, url).one("main").text
    browser.post(url, {"is_agreed": "on"})

    assert Batch.objects.get().purged_at is None


def test_a_batch_is_put_on_hold_and_the_hold_ended(browser: Client, batch: Batch) -> None:
    retention.set_rule(batch.project, batch.created_by, 30)
    url = reverse("batch_hold", args=[batch.pk])
    assert "are kept for 30 days" in page_of(browser, url).one("main").text

    browser.post(url)
    assert Batch.objects.get().held_at
    page = page_of(browser, batch.get_absolute_url())
    assert "nothing of it is deleted" in page.one("#facts").text
    assert not page.all("#purge")

    browser.post(url, {"action": "end"})
    assert Batch.objects.get().held_at is None


def test_only_admins_hold_and_delete(client: Client, batch: Batch, project: Project) -> None:
    client.force_login(join(make_user(), project))
    assert not page_of(client, batch.get_absolute_url()).all("#purge, #hold")

    for name in ("batch_hold", "batch_purge"):
        response = client.post(reverse(name, args=[batch.pk]), {"is_agreed": "on"})
        assert response.status_code == 403

    assert Batch.objects.get().purged_at is None
    assert ResultChunk.objects.exists()
