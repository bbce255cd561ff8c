"""The page of a batch that groups its requests without a good answer."""

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
    set_state,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db
HOSTILE = "Broken <img src=x onerror=alert(1)> =cmd|' /C calc'!A0 \u202e\x00"


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of eight requests: one good, two cut short, four failed, one lost."""
    upload = make_upload(project, user, content=request_file(8))
    timeouts = [error_line(n, f"Request {n} timed out after {n} s") for n in (4, 5, 6)]
    cut = [answer_line(n).replace(b'"stop"', b'"length"') for n in (2, 3)]
    odd = error_line(7, f"{HOSTILE} of 1,000 words " + "x" * 5_000)
    return finish(make_batch(upload=upload), [answer_line(1), *cut], [*timeouts, odd])


def address(batch: Batch) -> str:
    return f"/batches/{batch.pk}/problems/"


def test_each_group_has_its_cause_its_samples_and_what_mends_it(
    browser: Client, batch: Batch
) -> None:
    page = page_of(browser, address(batch))

    assert page.one("#problems h2").text == "7 requests without a good answer"
    first, second, *_ = page.all(".problems > li")
    assert "Provider error 3 requests · lines 4 to 6" in first.text
    assert "The model did not answer in time." in first.text
    assert "Request 4 timed out after 4 s" in first.text
    samples = [link for text, link in first.links.items() if text.startswith("line ")]
    assert samples == [f"/batches/{batch.pk}/results/{line}/" for line in (4, 5, 6)]
    assert second.texts(".button") == ["Retry with more tokens: 2 requests · lines 2 to 3"]
    tab = page_of(browser, batch.get_absolute_url()).one("#browse-problems")
    assert tab["href"] == address(batch)


def test_hostile_messages_are_text(browser: Client, batch: Batch) -> None:
    page = page_of(browser, address(batch))

    assert "<img src=x" not in page.html
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "x" * 400 not in page.html


def test_a_retry_takes_one_group_and_no_other_request(
    browser: Client, batch: Batch, woken: list[str]
) -> None:
    first = page_of(browser, address(batch)).all(".problems > li")[0]
    page = page_of(browser, first.one(".button")["href"])
    assert "3 requests will be run again." in page.text
    assert not page.all("input[type=checkbox][name=outcomes]")
    fields = {
        "problem": page.one("input[name=problem]")["value"],
        "outcomes": page.one("input[name=outcomes]")["value"],
        "submission": str(uuid.uuid4()),
    }

    browser.post(f"/batches/{batch.pk}/retry/", fields)

    upload = Upload.objects.get(retry_of=batch)
    advance(upload)
    upload.refresh_from_db()
    lines = request_file(8).splitlines(keepends=True)
    assert b"".join(upload.chunks()) == b"".join(lines[3:6])
    assert upload.retry_selection
    assert upload.retry_selection.summary == (
        "provider error: 3; only “Request … timed out after … s”"
    )


def test_the_results_of_a_group_are_a_filter_that_a_chip_takes_back(
    browser: Client, batch: Batch
) -> None:
    groups = page_of(browser, address(batch)).all(".problems > li")
    odd = next(group for group in groups if "Broken" in group.text)

    shown = page_of(browser, groups[0].links["Show these 3"])
    one = page_of(browser, odd.links["Show it in the results"])

    assert shown.texts(".results .lead") == ["row-4", "row-5", "row-6"]
    chip = shown.one(".table-note .chip")
    assert chip.text.startswith("Problem: Request … timed out after … s")
    everything = page_of(browser, f"/batches/{batch.pk}/results/{chip['href']}")
    assert len(everything.all(".results .lead")) == 8
    exports = page_of(browser, shown.one("#export")["href"])
    assert "3 of 8 results" in exports.text
    assert "of one problem" in exports.text
    assert one.texts(".results .lead") == ["row-7"]
    assert "<img src=x" not in one.html


def test_what_a_retry_has_answered_is_no_longer_in_a_group(browser: Client, batch: Batch) -> None:
    link = page_of(browser, address(batch)).all(".problems > li")[0].links["Show these 3"]
    good = Result.objects.get(batch=batch, line=1)
    Result.objects.filter(batch=batch, line=5).update(retried=good)
    Batch.objects.filter(pk=batch.pk).update(reused=1)  # so that other answers are looked for

    assert page_of(browser, link).texts(".results .lead") == ["row-4", "row-6"]


def test_a_group_that_is_answered_by_now_is_not_retried(browser: Client, batch: Batch) -> None:
    fields = {"problem": "0123", "outcomes": "provider_error", "submission": str(uuid.uuid4())}

    response = browser.post(f"/batches/{batch.pk}/retry/", fields)

    assert response["Location"] == address(batch)
    assert not Upload.objects.filter(retry_of=batch).exists()


def test_a_viewer_can_read_and_not_retry(client: Client, batch: Batch) -> None:
    viewer = make_user("vera@example.com")
    join(viewer, batch.project, VIEWER)
    client.force_login(viewer)

    page = page_of(client, address(batch))

    assert not page.all(".problems .button")
    assert "Show these 3" in page.all(".problems > li")[0].links


def test_many_groups_are_paged(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user, content=request_file(60))
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)} broke" for n in range(60)]
    batch = finish(
        make_batch(upload=upload), [], [error_line(n, word) for n, word in enumerate(words, 1)]
    )

    first = page_of(browser, address(batch))
    second = page_of(browser, address(batch) + first.one("a[rel=next]")["href"])

    assert len(first.all(".problems > li")) == 50
    assert "Groups 1 to 50 of 60 groups" in first.text
    assert second.texts(".problems q") == words[50:]
    assert second.one("a[rel=prev]")["href"] == "?start=0"
    assert len(page_of(browser, f"{address(batch)}?start=-1").all(".problems > li")) == 50


def test_a_batch_without_a_problem_says_so(browser: Client, project: Project, user: User) -> None:
    batch = finish(make_batch(project, user))

    assert "No request needs a look" in page_of(browser, address(batch)).text
    assert not page_of(browser, batch.get_absolute_url()).all("#browse-problems")


def test_a_running_batch_shows_the_problems_so_far(browser: Client, batch: Batch) -> None:
    set_state(batch, status="running", ended_at=None, failed=4)
    Batch.objects.filter(pk=batch.pk).update(status="running", finished_at=None)

    page = page_of(browser, address(batch))

    assert page.one("#problems h2").text == "7 requests without a good answer"
    assert page.one("#browse-problems")
