"""Result lines that are no request's answer, as people see them; and where counts disagree."""

import pytest
from django.test import Client

from batchapp.models import Batch, Project, User
from tests.html import Page, page_of
from tests.make import answer_line, finish, make_batch, make_upload, request_line

pytestmark = pytest.mark.django_db

LINES = [answer_line(n) for n in (1, 2, 3)]
ODD = [b"<html>&\0</html>" + 500 * b"x", answer_line(99)]


def finished(project: Project, user: User, *more: bytes) -> Batch:
    return finish(make_batch(project, user), [*LINES, *more])


def test_lines_that_were_set_aside_are_shown_and_can_be_had(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user, *ODD)

    overview = page_of(browser, f"/batches/{batch.pk}/")
    assert "2 result lines belong to no request, or came a second time." in overview.text
    assert overview.links["Show them"] == f"/batches/{batch.pk}/unmatched/"
    assert "Unmatched lines (2)" in page_of(browser, f"/batches/{batch.pk}/results/").links
    page = page_of(browser, f"/batches/{batch.pk}/unmatched/")
    assert "Not readable" in page.text
    assert "<html>&�</html>" in page.text
    assert 200 * "x" not in page.html
    assert "row-99" in page.texts("td.lead")
    download = browser.get(f"/batches/{batch.pk}/unmatched.jsonl")
    assert b"".join(download) == b"\n".join([*ODD, b""])  # type: ignore[arg-type]
    assert "unmatched.jsonl" in download["Content-Disposition"]


def test_without_such_lines_nothing_is_said_of_them(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user)

    for url in (f"/batches/{batch.pk}/", f"/batches/{batch.pk}/results/"):
        assert "nmatched line" not in page_of(browser, url).text
    assert (
        "Every result line is the answer"
        in page_of(browser, f"/batches/{batch.pk}/unmatched/").text
    )
    assert browser.get(f"/batches/{batch.pk}/unmatched.jsonl").status_code == 200


def ids(page: Page) -> list[str]:
    return page.texts("td.lead")


def test_many_of_them_are_paged(browser: Client, project: Project, user: User) -> None:
    batch = finished(project, user, *[answer_line(n) for n in range(100, 160)])

    url = f"/batches/{batch.pk}/unmatched/"
    first = page_of(browser, url)
    assert ids(first) == [f"row-{n}" for n in range(100, 150)]
    assert ids(page_of(browser, url + first.links["Next"])) == [
        f"row-{n}" for n in range(150, 160)
    ]
    assert "No more lines" in page_of(browser, url, after="999999999").text
    assert ids(page_of(browser, url, after="nonsense")) == ids(first)


def test_counts_that_disagree_stand_beside_the_proof(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user)
    Batch.objects.filter(pk=batch.pk).update(
        discrepancy=[{"text": "Acme counts 4 completed and 0 failed."}]
    )

    page = page_of(browser, f"/batches/{batch.pk}/")

    assert "All 3 requests answered." in page.text
    assert "Acme counts 4 completed and 0 failed." in page.text


def test_an_answer_of_another_model_says_so(browser: Client, project: Project, user: User) -> None:
    other = LINES[0].replace(b"Qwen/Qwen3-30B", b"Qwen/Qwen3-4B")
    same = LINES[1].replace(b"Qwen/Qwen3-30B", b"qwen3-30b")
    batch = finish(make_batch(project, user), [other, same, LINES[2]])

    first, second = (page_of(browser, f"/batches/{batch.pk}/results/{line}/") for line in (1, 2))
    assert "Qwen/Qwen3-4B says that it answered" in first.text
    assert "says that it answered" not in second.text


def test_an_answer_that_is_not_as_the_schema_asks_is_found_by_that(
    browser: Client, project: Project, user: User
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"required": ["a"]}}}
    asks = [{"role": "user", "content": "Where?"}]
    body = {"model": "Qwen/Qwen3-30B", "messages": asks, "response_format": form}
    upload = make_upload(project, user, content=request_line(1, body=body).encode())
    batch = finish(make_batch(project, user, upload=upload), [answer_line(1, text="{}")])

    results = f"/batches/{batch.pk}/results/"
    rows = page_of(browser, results, outcome="invalid_schema")

    assert rows.texts("td.lead") == ["row-1"]
    assert "Not as the schema asks" in rows.text
    assert '"a" is a required property' in page_of(browser, f"{results}1/").text
    assert page_of(browser, results, outcome="answered").texts("td.lead") == ["row-1"]
