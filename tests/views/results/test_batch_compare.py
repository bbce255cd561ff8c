"""Batches side by side, as a person compares them."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from batchapp.models import Batch, Project, ResultColumns, User
from tests.html import Page, fragment_of, page_of
from tests.make import (
    answer_line,
    build_columns,
    error_line,
    finish,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_file,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HOSTILE = "=1+1 <script>alert(1)</script>\u202e"
Committed = Any  # the fixture, whose type has a long name


def make_answered(project: Project, user: User, *answers: str | None) -> Batch:
    """A batch of so many requests and one more, which has no result."""
    content = request_file(len(answers) + 1)
    batch = make_batch(upload=make_upload(project, user, content=content))
    numbered = list(enumerate(answers, start=1))
    return finish(
        batch,
        [answer_line(number, text=text) for number, text in numbered if text],
        [error_line(number) for number, text in numbered if not text],
    )


@pytest.fixture
def first(project: Project, user: User) -> Batch:
    return make_answered(project, user, "It is late.", "Same", '{"label": "a"}', HOSTILE)


@pytest.fixture
def second(project: Project, user: User) -> Batch:
    return make_answered(project, user, "It is broken.", "same", '{"label":"a"}', None)


def url_of(*batches: Batch, **query: str) -> str:
    parameters = [f"b={batch.pk}" for batch in batches]
    parameters += [f"{name}={value}" for name, value in query.items()]
    return f"/batches/compare/?{'&'.join(parameters)}"


def ids(page: Page) -> list[str]:
    return page.texts("article header .mono")


def test_the_answers_that_disagree_stand_side_by_side_with_their_words_marked(
    browser: Client, first: Batch, second: Batch
) -> None:
    page = page_of(browser, url_of(first, second))

    assert ids(page) == ["row-1", "row-2", "row-3"]
    assert page.all("article")[0].texts("mark") == ["late", "broken"]
    assert "0 % 0 of 3 custom_ids" in page.one("#agreement").text
    assert "label 100 % 1" in page.one("#agreement").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"show": "agree"}, []),
        ({"show": "agree", "loose": "1"}, ["row-2", "row-3"]),
        ({"show": "unanswered"}, ["row-4", "row-5"]),
        ({"show": "agree", "field": "label"}, ["row-3"]),
        ({"show": "disagree", "field": "label"}, []),
        ({"show": "all", "o": "ok&o=provider_error"}, ["row-4"]),
        ({"show": "bananas", "o": "x", "page": "999", "ref": "9.c9", "field": "nothing"}, None),
    ],
)
def test_the_address_chooses_the_rows(
    browser: Client, first: Batch, second: Batch, query: dict[str, str], found: list[str] | None
) -> None:
    page = page_of(browser, url_of(first, second, **query))

    assert ids(page) == (["row-1", "row-2", "row-3"] if found is None else found)


def test_links_of_the_page_keep_its_batches(browser: Client, first: Batch, second: Batch) -> None:
    page = page_of(browser, url_of(first, second, loose="1"))
    links = page.one("nav.chips").links

    agree = page_of(browser, f"/batches/compare/{links['Agree 2']}")
    assert ids(agree) == ["row-2", "row-3"]
    combined = page.one("#outcomes").links["1"]
    assert ids(page_of(browser, f"/batches/compare/{combined}")) in (["row-4"], ["row-5"])


def test_accuracy_is_shown_against_the_answers_of_a_batch(
    browser: Client, first: Batch, second: Batch
) -> None:
    page = page_of(browser, url_of(first, second, ref="0", loose="1"))

    assert "B: 50 % 2 of 4 with a right value, 1 not answered" in page.one("#accuracy").text


def test_the_download_has_whole_answers_and_no_formula(
    browser: Client, first: Batch, second: Batch
) -> None:
    url = url_of(first, second, show="all").replace("compare/", "compare/comparison.csv")

    text = b"".join(browser.get(url)).decode("utf-8-sig")  # type: ignore[arg-type]

    header, *rows = csv.reader(io.StringIO(text))
    assert header[:6] == ["custom_id", "agreement", "question", "A outcome", "A answer", "A label"]
    assert [row[0] for row in rows] == [f"row-{number}" for number in range(1, 6)]
    assert rows[3][4] == f"'{HOSTILE}"
    assert rows[2][header.index("B label")] == "a"


def test_hostile_answers_stay_text(browser: Client, first: Batch, second: Batch) -> None:
    html = page_of(browser, url_of(first, second, show="unanswered")).html

    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_other_batches_are_offered_those_with_the_same_ids_first(
    browser: Client, first: Batch, second: Batch, project: Project, user: User
) -> None:
    content = json.dumps(
        json.loads(request_file(1)) | {"custom_id": "another"}, ensure_ascii=False
    ).encode()
    other = make_batch(upload=make_upload(project, user, content=content), name="Other")
    line = json.dumps(json.loads(answer_line(1)) | {"custom_id": "another"}).encode()
    finish(other, [line])
    menu = page_of(browser, first.get_absolute_url()).one("#compare")

    page = page_of(browser, menu["href"])

    same, others = page.all("section.card")
    assert [box["value"] for box in same.all("input")] == [str(second.pk)]
    assert [box["value"] for box in others.all("input")] == [str(other.pk)]
    assert "No other batch" in page_of(browser, menu["href"], q="nowhere").text


def test_too_few_batches_lead_to_the_choice(browser: Client, first: Batch) -> None:
    page = page_of(browser, url_of(first))

    assert "Choose one to 3 other batches." in page.text


def test_batches_of_two_projects_are_not_compared(
    browser: Client, first: Batch, user: User
) -> None:
    other = make_answered(make_project(user), user, "It is late.")

    assert "Only batches of one project" in page_of(browser, url_of(first, other)).text


def test_a_batch_of_strangers_is_not_found(browser: Client, first: Batch) -> None:
    stranger = make_user()
    foreign = make_answered(make_project(stranger), stranger, "Secret")
    csv_url = url_of(first, foreign).replace("compare/", "compare/comparison.csv")

    for url in (url_of(first, foreign), csv_url):
        assert browser.get(url).status_code == 404


def test_large_batches_are_prepared_by_a_worker_and_then_shown(
    browser: Client,
    first: Batch,
    second: Batch,
    woken: list[str],
    django_capture_on_commit_callbacks: Committed,
) -> None:
    Batch.objects.update(requests=10**6)
    url = url_of(first, second)

    with django_capture_on_commit_callbacks(execute=True):
        page = page_of(browser, url)

    assert "Preparing the results of 2 batches" in page.text
    assert {str(first.pk), str(second.pk)} <= set(woken)
    assert page.one("#live")["hx-get"] == url
    for batch in (first, second):
        build_columns(batch)
    assert "hx-get" not in fragment_of(browser, url).one("#live")


def test_results_that_cannot_be_prepared_are_said(
    browser: Client, first: Batch, second: Batch
) -> None:
    build_columns(first)
    ResultColumns.objects.update(status=ResultColumns.Status.FAILED, blob="")

    assert "could not be read" in page_of(browser, url_of(first, second)).one("[role=alert]").text
