"""Results: row by row, and one beside its request."""

import pytest
from django.test import Client

from batchapp.models import Batch, Project, User
from tests.html import Page, fragment_of, page_of
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_upload,
    request_file,
    request_line,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Sixty requests: the first answered, the second failed, the last without a result."""
    made = make_batch(upload=make_upload(project, user, content=request_file(60)))
    return finish(
        made, [answer_line(n) for n in (1, *range(3, 60))], [error_line(2, "Out of memory.")]
    )


def results(browser: Client, batch: Batch, **query: str) -> Page:
    return page_of(browser, f"/batches/{batch.pk}/results/", query)


def rows(page: Page) -> list[int]:
    return [int(text.removeprefix("row-")) for text in page.texts("td.lead")]


def test_results_are_in_the_order_of_the_file_and_paged(browser: Client, batch: Batch) -> None:
    first = results(browser, batch)
    assert rows(first) == list(range(1, 51))
    assert first.one(".pager").links == {"Next": "?after=50"}

    second = results(browser, batch, after="50")
    assert rows(second) == list(range(51, 61))
    assert second.one(".pager").links == {"Previous": "?before=51"}

    assert rows(results(browser, batch, before="51")) == list(range(1, 51))


def test_results_are_filtered_by_outcome_and_found_by_custom_id(
    browser: Client, batch: Batch
) -> None:
    failed = results(browser, batch, outcome="failed")
    assert rows(failed) == [2]
    assert "Out of memory." in failed.text
    assert rows(results(browser, batch, outcome="missing")) == [60]
    assert rows(results(browser, batch, q="W-59")) == [59]
    nowhere = results(browser, batch, q="nowhere").text
    assert "No request has “nowhere” in its custom_id" in nowhere
    assert rows(results(browser, batch, outcome="nonsense")) == []


def test_chips_count_the_outcomes_that_occur_and_lead_to_them(
    browser: Client, batch: Batch
) -> None:
    def chips(**query: str) -> dict[str, str]:
        return results(browser, batch, **query).one("nav.chips").links

    assert chips(q="row") == {
        "All 60": "?q=row",
        "Answered 58": "?q=row&outcome=ok",
        "Failed 1": "?q=row&outcome=failed",
        "No result 1": "?q=row&outcome=missing",
    }
    assert list(chips(outcome="answered", after="1"))[:2] == ["All 60", "All answers 58"]
    assert "Provider error 1" in chips(outcome="http_error")  # the outcomes beside that one
    page = results(browser, batch, outcome="refused")
    assert page.one(".chip[aria-current]").text == "Refused 0"
    assert page.one("#filters").values["outcome"] == "refused"


def test_a_row_has_its_outcome_question_and_answer(browser: Client, batch: Batch) -> None:
    page = results(browser, batch)

    first, second = (row.texts("td")[2:] for row in page.all("tbody tr")[:2])
    assert first == ["Answered", "Question 1?", "Answer 1.", "100", "50"]
    assert second == ["Provider error", "Question 2?", "Out of memory.", "\u2013", "\u2013"]
    assert "Lines 1\u201350, 60 requests in all" in page.text
    assert "Line 2, 1 request in all" in results(browser, batch, outcome="failed").text


def test_where_all_are_answered_no_column_repeats_it(
    browser: Client, project: Project, user: User
) -> None:
    page = results(browser, finish(make_batch(project, user)))

    assert page.all("tbody tr")[0].texts("td")[2:] == ["Question 1?", "Answer 1.", "100", "50"]
    assert not page.all("#gaps")


def test_requests_without_a_result_and_unmatched_lines_are_pointed_out(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user), [answer_line(1), answer_line(99)])

    note = results(browser, batch).one("#gaps")
    assert note.text == "2 requests have no result, and 1 result line is unmatched."
    assert list(note.links.values()) == ["?outcome=missing", f"/batches/{batch.pk}/unmatched/"]
    assert not results(browser, batch, outcome="missing").all("#gaps")


def test_results_and_overview_have_one_head(browser: Client, batch: Batch) -> None:
    overview = page_of(browser, batch.get_absolute_url())
    page = results(browser, batch)

    for each in (overview, page):
        assert each.one(".tabs").links == {
            "Overview": batch.get_absolute_url(),
            "Results": f"/batches/{batch.pk}/results/",
        }
        assert each.one(".title .pill").text == "Completed with errors"
        assert each.all("#downloads #get-output")
        assert each.all("#retry")
    assert overview.all("#browse-results")
    assert not page.all("#browse-results")  # here they are


def test_without_its_file_a_batch_still_shows_its_results(browser: Client, batch: Batch) -> None:
    batch.upload.blob.storage.delete(batch.upload.blob.name)

    page = results(browser, batch)

    assert "Answer 1." in page.text
    assert "Question 1?" not in page.text


def test_htmx_gets_the_rows_alone(browser: Client, batch: Batch) -> None:
    fragment = fragment_of(browser, f"/batches/{batch.pk}/results/")

    assert "<html" not in fragment.html
    assert [part["id"] for part in fragment.all("body > *")] == ["rows", "chips"]
    assert fragment.one("#chips")["hx-swap-oob"] == "true"


def test_a_result_is_shown_beside_its_request_with_its_neighbours(
    browser: Client, batch: Batch
) -> None:
    page = page_of(browser, f"/batches/{batch.pk}/results/3/")

    assert "Question 3?" in page.text
    assert "Answer 3." in page.text
    assert page.one("a[rel=prev]")["href"] == f"/batches/{batch.pk}/results/2/"
    assert page.one("a[rel=next]")["href"] == f"/batches/{batch.pk}/results/4/"


def test_a_result_says_what_it_took_and_cost(browser: Client, batch: Batch) -> None:
    facts = page_of(browser, f"/batches/{batch.pk}/results/3/").one("aside dl")

    assert facts.texts("dt") == [
        *("Outcome", "Line", "Model", "Tokens", "Cost", "Finish reason", "HTTP status"),
    ]
    assert facts.texts("dd")[3:] == ["100 in, 50 out", "$0.0002", "stop", "200"]
    assert facts.one(".cost")["title"].startswith("$0.0002:")  # exact


@pytest.mark.parametrize(
    ("changed", "line"), [({"output_price": None}, 3), ({"model": "other"}, 3), ({}, 2)]
)
def test_a_cost_that_is_not_known_is_left_out(
    browser: Client, batch: Batch, changed: dict[str, str | None], line: int
) -> None:
    batch.model_costs.update(answers=58, **changed)

    page = page_of(browser, f"/batches/{batch.pk}/results/{line}/")

    assert "Cost" not in page.texts("aside dt")


def test_an_error_stands_in_the_place_of_the_answer(browser: Client, batch: Batch) -> None:
    page = page_of(browser, f"/batches/{batch.pk}/results/2/")

    assert page.texts(".turn h2") == ["User", "Error"]
    assert page.one(".turn .note").text == "Out of memory."


def test_the_drawer_has_one_column(browser: Client, batch: Batch) -> None:
    url = f"/batches/{batch.pk}/results/3/"

    assert page_of(browser, url).all(".with-rail")
    assert not fragment_of(browser, url).all(".with-rail")


def test_neighbours_are_those_of_the_filter(browser: Client, batch: Batch) -> None:
    page = page_of(browser, f"/batches/{batch.pk}/results/2/", outcome="missing")

    following = page.one("a[rel=next]")["href"]
    assert following == f"/batches/{batch.pk}/results/60/?outcome=missing"
    assert not page.all("a[rel=prev]")


def test_a_request_without_an_answer_says_so(browser: Client, batch: Batch) -> None:
    page = page_of(browser, f"/batches/{batch.pk}/results/60/")

    assert "No result" in page.text
    assert "There is no answer." in page.text
    assert browser.get(f"/batches/{batch.pk}/results/61/").status_code == 404


def test_json_keeps_every_digit_and_markup_stays_text(
    browser: Client, project: Project, user: User
) -> None:
    line = request_line(1).replace(
        '"max_tokens": 100', '"max_tokens": 100, "seed": 12345678901234567890123'
    )
    upload = make_upload(project, user, content=f"{line}\n".encode())
    batch = finish(make_batch(upload=upload), [answer_line(1, text="<script>alert(1)</script>")])

    page = page_of(browser, f"/batches/{batch.pk}/results/1/")

    assert "12345678901234567890123" in page.text
    assert "<script>alert(1)" not in page.html
    assert "<script>alert(1)</script>" in page.text


def test_a_batch_whose_requests_are_not_listed_yet_says_so(
    browser: Client, project: Project, user: User
) -> None:
    assert "still being listed" in results(browser, make_batch(project, user)).text


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * 65},
        {"q": "\0"},
        {"after": "-1"},
        {"after": "9999"},
        {"before": "1"},
        {"after": "9" * 30},
        {"outcome": "nonsense"},
    ],
)
def test_a_page_beyond_the_results_does_not_say_that_there_are_none(
    browser: Client, batch: Batch, query: dict[str, str]
) -> None:
    page = results(browser, batch, **query)

    assert "there are no results" not in page.text
    assert page.links["Clear filters"] == f"/batches/{batch.pk}/results/"


def test_deep_nesting_does_not_blow_a_page_up(
    browser: Client, project: Project, user: User
) -> None:
    deep = "[" * 110 + ",".join(["1"] * 100_000) + "]" * 110
    line = request_line(1).replace('"max_tokens": 100', f'"max_tokens": 100, "x": {deep}')
    upload = make_upload(project, user, content=f"{line}\n".encode())
    batch = finish(make_batch(upload=upload))

    response = browser.get(f"/batches/{batch.pk}/results/1/")

    assert "1,1,1" in response.content.decode()
    assert len(response.content) < 1024 * 1024
