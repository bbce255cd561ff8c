"""Results: row by row, and one beside its request."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from batchapp.models import Batch, Project, ResultChunk, User
from batchapp.views.results import result_page
from tests.answered import answer_table
from tests.html import Page, fragment_of, page_of
from tests.make import (
    answer,
    answer_line,
    build_columns,
    error_line,
    finish,
    make_batch,
    make_upload,
    replace_columns,
    request_file,
    request_line,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


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
    assert first.one(".pager nav").links == {"Next": "?page=2", "Last": "?page=2"}
    assert "1\u201350 of 60 results, page 1 of 2" in first.text

    second = results(browser, batch, page="2")
    assert rows(second) == list(range(51, 61))
    assert second.one(".pager nav").links == {"First": "?", "Previous": "?"}

    assert rows(results(browser, batch, page="99")) == list(range(51, 61))
    assert rows(results(browser, batch, rows="100")) == list(range(1, 61))


def test_a_line_leads_to_its_page(browser: Client, batch: Batch) -> None:
    response = browser.get(f"/batches/{batch.pk}/results/", {"line": "55", "q": "row"})

    assert response["Location"] == f"/batches/{batch.pk}/results/?q=row&page=2#line-55"


def test_results_are_filtered_by_outcome_and_found_by_custom_id(
    browser: Client, batch: Batch
) -> None:
    failed = results(browser, batch, outcome="failed")
    assert rows(failed) == [2]
    assert "Out of memory." in failed.text
    assert rows(results(browser, batch, outcome="missing")) == [60]
    assert rows(results(browser, batch, q="W-59")) == [59]
    nowhere = results(browser, batch, q="nowhere").text
    assert "No request has “nowhere” in its custom_id, question or answer" in nowhere
    assert rows(results(browser, batch, q="question 7?")) == [7]
    assert rows(results(browser, batch, q="ANSWER 59.")) == [59]
    assert rows(results(browser, batch, q="out of memory")) == [2]
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
    assert "Provider error 1" in chips(outcome="invalid_request")  # the outcomes beside that one
    page = results(browser, batch, outcome="refused")
    assert page.one(".chip[aria-current]").text == "Refused 0"
    assert page.one("#filters").values["outcome"] == "refused"
    assert page.one("#filters").values["q"] == ""


def test_a_row_has_its_outcome_question_and_answer(browser: Client, batch: Batch) -> None:
    page = results(browser, batch)

    first, second = (row.texts("td")[2:] for row in page.all("tbody tr")[:2])
    assert first == ["Question 1?", "Answer 1.", "100", "50"]
    assert second == ["Question 2?", "Provider error Out of memory.", "\u2013", "\u2013"]
    assert "1 result" in results(browser, batch, outcome="failed").one(".pager").text


def test_a_plain_answer_has_no_status(browser: Client, project: Project, user: User) -> None:
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
            "Problems": f"/batches/{batch.pk}/problems/",
            "Exports": f"/batches/{batch.pk}/exports/",
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
    parts = [part["id"] for part in fragment.all("body > *")]
    assert parts == ["rows", "chips", "tools", "actions"]
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
    ("changed", "line"), [({"unit_price": None}, 3), ({"model": "other"}, 3), ({}, 2)]
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


@pytest.fixture
def reviews(project: Project, user: User) -> Batch:
    """Return a batch of a table whose answers are JSON, one hostile, one that is none."""
    answers = [
        json.dumps({"label": "late", "score": 10}),
        json.dumps({"label": "<script>alert(1)</script>", "score": 9}),
        json.dumps({"label": "late", "score": 2}),
        "I cannot judge this.",
        None,
    ]
    table = "review,stars\na,5\n=1+1,4\nc,3\nd,2\ne,1"
    return answer_table(project, user, table, "Judge {review}", answers)


def test_answers_in_json_are_columns_and_an_answer_that_is_none_takes_their_room(
    browser: Client, reviews: Batch
) -> None:
    page = results(browser, reviews)

    heads = ["Line", "custom_id", "Question", "label", "score", "Tokens in", "Tokens out"]
    assert page.texts("thead th") == heads
    cells = [row.texts("td")[3:5] for row in page.all("tbody tr")]
    assert cells[0] == ["late", "10"]
    assert cells[1] == ["<script>alert(1)</script>", "9"]
    assert cells[3] == ["I cannot judge this.", "100"]
    assert page.all("tbody tr")[3].one("td[colspan]")["colspan"] == "2"
    assert cells[4][0] == "No result"
    stacked = [cell["data-label"] for cell in page.all("tbody tr")[0].all("[data-line='3']")]
    assert stacked == ["label", "score"]  # where the screen is narrow
    assert "<script>alert" not in page.html


def test_columns_are_chosen_by_a_form_that_keeps_the_filter(
    browser: Client, reviews: Batch
) -> None:
    page = results(browser, reviews, q="judge", columns="source:stars")

    assert page.texts("thead th") == ["Line", "custom_id", "stars"]
    form = page.one("#columns form")
    assert form.values["q"] == "judge"
    assert form.values["columns"] == "source:stars"
    assert form.texts("legend") == ["Results", "Fields of the answers", "Columns of the table"]
    as_json = results(browser, reviews).one("#as-json")["href"]
    page = page_of(browser, f"/batches/{reviews.pk}/results/{as_json}")
    assert "Answer" in page.texts("thead th")
    assert "label" not in page.texts("thead th")


def test_a_value_in_the_head_of_a_column_filters_and_a_chip_takes_it_back(
    browser: Client, reviews: Batch
) -> None:
    link = results(browser, reviews).one(".facets a[title=late]")
    assert link["aria-label"] == "label late: 2 results, 40 %"

    page = page_of(browser, f"/batches/{reviews.pk}/results/{link['href']}")

    assert link["href"] == "?is.field:label=late"
    assert [row.texts("td")[0] for row in page.all("tbody tr")] == ["1", "3"]
    assert page.one("#rows .chips").links == {"label: late Remove this filter": "?"}


def test_a_press_on_a_head_sorts_and_a_second_one_the_other_way_round(
    browser: Client, reviews: Batch
) -> None:
    page = results(browser, reviews)
    first = page.one("thead th:nth-child(5) a")["href"]
    assert first == "?sort=-field:score"

    page = page_of(browser, f"/batches/{reviews.pk}/results/{first}")

    assert page.one("th[aria-sort]")["aria-sort"] == "descending"
    assert page.one("th[aria-sort] a")["href"] == "?sort=field:score"
    scores = [row.texts("td")[4] for row in page.all("tbody tr")][:3]
    assert scores == ["10", "9", "2"]


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "nothing"},
        {"is.nothing": "x"},
        {"range.nothing": "1..2"},
        {"range.cost_usd": "x"},
        {"columns": "nothing"},
        {"page": "-1"},
        {"sort": "line; DROP TABLE results"},
    ],
)
def test_parameters_that_say_nothing_are_a_page_all_the_same(
    browser: Client, reviews: Batch, query: dict[str, str]
) -> None:
    page = results(browser, reviews, **query)

    assert page.all("tbody tr") or page.links["Clear filters"] == f"/batches/{reviews.pk}/results/"


def test_a_large_batch_shows_its_rows_while_search_is_prepared(
    browser: Client, batch: Batch, woken: list[str]
) -> None:
    Batch.objects.filter(pk=batch.pk).update(requests=50_000)

    page = results(browser, batch, q="row-3")

    assert rows(page)[:2] == [3, 30]
    assert "Preparing search and distributions: 0 %" in page.one("#preparing").text
    assert page.one("#rows")["hx-trigger"] == "every 2s"
    assert not page.all(".facets")

    assert not rows(narrowed := results(browser, batch, **{"is.error_code": "500"}))
    assert "Filters on columns need the prepared table" in narrowed.text

    build_columns(batch)

    page = results(browser, batch, q="Answer 3.")
    assert rows(page) == [3]
    assert not page.all("#preparing")
    assert "hx-trigger" not in page.one("#rows")


def test_a_running_batch_shows_what_it_has_so_far(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)))
    answer(batch, [answer_line(1, text="first")])

    page = results(browser, batch, q="first")

    assert rows(page) == [1]
    assert page.one("#as-of").text.endswith("newer ones follow by themselves.")
    assert page.one("#rows")["hx-trigger"] == "every 10s"


def test_the_distributions_of_many_results_come_after_the_page(
    browser: Client, reviews: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_page, "FACETS_AT_ONCE", 1)

    page = results(browser, reviews, q="judge")
    later = page.one(".facets")
    assert later["hx-get"] == f"/batches/{reviews.pk}/results/distributions/?q=judge"
    assert later.links == {"Show distributions": "?q=judge&distributions=on"}

    assert len(page_of(browser, later["hx-get"]).all("a[title=late]")) == 1
    assert results(browser, reviews, q="judge").all("a[title=late]")  # they are kept


def test_a_page_of_many_results_asks_the_database_as_often_as_one_of_few(
    browser: Client, batch: Batch, reviews: Batch
) -> None:
    for each in (batch, reviews):
        results(browser, each)
        with CaptureQueriesContext(connection) as queries:
            results(browser, each)
        assert len(queries) <= 26


def test_images_are_shown_from_data_alone_and_an_address_is_a_link(
    browser: Client, project: Project, user: User
) -> None:
    png = "data:image/png;base64,iVBORw0KGgo="
    urls = [png, "https://x.test/a.png", "data:image/svg+xml;base64,PHN2Zz4="]
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    line = json.loads(request_line(1))
    line["body"]["messages"] = [{"role": "user", "content": content}]
    upload = make_upload(project, user, content=json.dumps(line).encode())
    batch = finish(make_batch(upload=upload), [answer_line(1)])

    page = page_of(browser, f"/batches/{batch.pk}/results/1/")

    assert [image["src"] for image in page.all("img")] == [png]
    (link,) = page.all(".images a")
    assert (link["href"], link["rel"]) == ("https://x.test/a.png", "noreferrer noopener nofollow")


def test_a_page_whose_prepared_file_is_damaged_has_it_prepared_again(
    browser: Client, batch: Batch
) -> None:
    replace_columns(build_columns(batch), b"damaged")

    first, second = results(browser, batch), results(browser, batch, q="Answer 3.")

    assert rows(first)[0] == 1
    assert first.one("#rows")["hx-trigger"] == "every 2s"
    assert rows(second) == [3]


def test_a_search_renews_the_link_to_an_export_in_the_head(browser: Client, batch: Batch) -> None:
    page = fragment_of(browser, f"/batches/{batch.pk}/results/", q="row-3")

    assert page.one("#actions[hx-swap-oob] #export")["href"].endswith("/exports/?q=row-3")


def test_a_field_without_a_name_can_be_sorted_and_filtered(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=request_file(2))
    lines = [answer_line(number, text='{"": "x", "\\u202e": 1}') for number in (1, 2)]
    batch = finish(make_batch(upload=upload), lines)

    page = results(browser, batch)

    assert page.texts("thead th")[3] == "(no name)"
    shown = page_of(
        browser, f"/batches/{batch.pk}/results/{page.one('.facets a[title=x]')['href']}"
    )
    assert shown.one(".table-note .chip").text.startswith("(no name): x")
    assert rows(shown) == [1, 2]


@pytest.mark.parametrize("ends", ["0..1e300", "-1e308..1e308", "1e21.."])
def test_absurd_ranges_are_a_page_all_the_same(browser: Client, batch: Batch, ends: str) -> None:
    for column in ("cost_usd", "input_tokens", "line"):
        page = results(browser, batch, **{f"range.{column}": ends})
        assert len(page.one(".table-note .chip").text) < 120


def test_a_result_whose_stored_file_is_gone_says_so(browser: Client, batch: Batch) -> None:
    for chunk in ResultChunk.objects.filter(provider_batch__batch=batch):
        chunk.blob.storage.delete(chunk.blob.name or "")

    page = page_of(browser, f"/batches/{batch.pk}/results/2/")
    exports = page_of(browser, f"/batches/{batch.pk}/exports/")

    assert "A stored file of this batch is gone" in page.one("#lost").text
    assert "Question 2?" in page.text
    assert exports.all("#make-export")
